package pgtap

import (
	"encoding/binary"
	"encoding/hex"
	"strconv"
)

// A decoding says how an identifier's value is read: into the same text that Postgres would have sent, so that
// the same elector has the same key whatever the client asks for.
type decoding uint8

const (
	asText decoding = iota // it is text as it comes
	asInt2
	asInt4
	asInt8
	asOID
	asUUID
	asNumeric
	asBytea
)

// maxID is the longest identifier, in bytes. A longer one identifies nobody.
const maxID = 4 << 10

// OIDs of types that do not come as their text in binary; pg_type.dat has them.
func decodingOf(c Column) decoding {
	if !c.Binary {
		return asText
	}
	switch c.Type {
	case 21:
		return asInt2
	case 23:
		return asInt4
	case 20:
		return asInt8
	case 26:
		return asOID
	case 2950:
		return asUUID
	case 1700:
		return asNumeric
	case 17:
		return asBytea
	}
	return asText // text, varchar, bpchar, name, citext, enums
}

// decode appends an identifier's text to dst. ok is false when it is no value of the type.
func (d decoding) decode(dst, value []byte) (text []byte, ok bool) {
	switch d {
	case asInt2:
		if len(value) == 2 {
			return strconv.AppendInt(dst, int64(int16(binary.BigEndian.Uint16(value))), 10), true
		}
	case asInt4:
		if len(value) == 4 {
			return strconv.AppendInt(dst, int64(int32(binary.BigEndian.Uint32(value))), 10), true
		}
	case asInt8:
		if len(value) == 8 {
			return strconv.AppendInt(dst, int64(binary.BigEndian.Uint64(value)), 10), true
		}
	case asOID:
		if len(value) == 4 {
			return strconv.AppendUint(dst, uint64(binary.BigEndian.Uint32(value)), 10), true
		}
	case asUUID:
		if len(value) == 16 {
			for i, b := range value {
				if i == 4 || i == 6 || i == 8 || i == 10 {
					dst = append(dst, '-')
				}
				dst = hex.AppendEncode(dst, []byte{b})
			}
			return dst, true
		}
	case asBytea:
		return hex.AppendEncode(append(dst, '\\', 'x'), value), true
	case asNumeric:
		return numeric(dst, value)
	default:
		return append(dst, value...), true
	}
	return dst, false
}

// numeric writes a numeric as Postgres does: digits in base 10,000, a weight, and how many decimals are shown.
func numeric(dst, value []byte) ([]byte, bool) {
	if len(value) < 8 {
		return dst, false
	}
	word := func(i int) int { return int(int16(binary.BigEndian.Uint16(value[2*i:]))) }
	n, weight, sign, scale := word(0), word(1), binary.BigEndian.Uint16(value[4:]), word(3)
	const positive, negative = 0x0000, 0x4000
	if n < 0 || len(value) != 8+2*n || sign != positive && sign != negative || scale < 0 || weight > maxID/4 || scale > maxID {
		return dst, false // NaN and infinity identify nobody
	}
	digit := func(i int) int {
		if i < 0 || i >= n {
			return 0
		}
		return word(4 + i)
	}
	if sign == negative {
		dst = append(dst, '-')
	}
	if weight < 0 {
		dst = append(dst, '0')
	}
	for i := 0; i <= weight; i++ {
		text := strconv.Itoa(digit(i))
		for pad := len(text); i > 0 && pad < 4; pad++ {
			dst = append(dst, '0')
		}
		dst = append(dst, text...)
	}
	if scale > 0 {
		dst = append(dst, '.')
		end := len(dst) + scale
		for i := weight + 1; len(dst) < end; i++ {
			text := strconv.Itoa(10_000 + digit(i))
			dst = append(dst, text[1:]...)
		}
		dst = dst[:end]
	}
	return dst, true
}
