package pseudonym

import (
	"bytes"
	"unicode"
	"unicode/utf8"

	"github.com/rolltrace/rolltrace/schema"
)

// A rule says which ways of writing an identifier mean the same. docs/pseudonym.md explains each.
type rule uint8

const (
	trimmed rule = iota // surrounding space dropped, all else kept: the default
	compact             // all space and hyphens dropped, letters upper-cased
	address             // surrounding space dropped, letters lower-cased; without "@" it identifies nobody
	dialled             // the digits of a telephone number with its country code
)

// Rules of the id spaces: the one place. An id space that is not here is trimmed.
var rules = map[schema.IDSpace]rule{
	schema.ElectorID: compact,
	"email":          address,
	"phone":          dialled,
	"crm-id":         trimmed,
}

func ruleOf(space schema.IDSpace) rule { return rules[space] }

// append adds the normalised identifier to dst, or nothing when it identifies nobody.
func (r rule) append(dst, identifier []byte) []byte {
	switch r {
	case compact:
		return appendCompact(dst, identifier)
	case address:
		return appendAddress(dst, identifier)
	case dialled:
		return appendDialled(dst, identifier)
	default:
		return append(dst, trim(identifier)...)
	}
}

// compactTable is the compact rule for one ASCII byte: what it becomes, and 1<<8 if it is kept.
var compactTable = func() (table [256]uint16) {
	for i := range table {
		c := byte(i)
		switch {
		case c == '-' || blank(rune(c)) && c < utf8.RuneSelf:
			continue
		case 'a' <= c && c <= 'z':
			c -= 'a' - 'A'
		}
		table[i] = 1<<8 | uint16(c)
	}
	return table
}()

func appendCompact(dst, identifier []byte) []byte {
	for i := 0; i < len(identifier); {
		c := identifier[i]
		if c < utf8.RuneSelf {
			if e := compactTable[c]; e != 0 {
				dst = append(dst, byte(e))
			}
			i++
			continue
		}
		r, size := utf8.DecodeRune(identifier[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			dst = append(dst, c) // not UTF-8: kept as it is
		case blank(r) || hyphen(r):
		default:
			dst = utf8.AppendRune(dst, unicode.ToUpper(r))
		}
		i += size
	}
	return dst
}

func appendAddress(dst, identifier []byte) []byte {
	identifier = trim(identifier)
	if at := bytes.LastIndexByte(identifier, '@'); at < 1 || at == len(identifier)-1 {
		return dst
	}
	for i := 0; i < len(identifier); {
		c := identifier[i]
		if c < utf8.RuneSelf {
			if 'A' <= c && c <= 'Z' {
				c += 'a' - 'A'
			}
			dst = append(dst, c)
			i++
			continue
		}
		r, size := utf8.DecodeRune(identifier[i:])
		if r == utf8.RuneError && size == 1 {
			dst = append(dst, c)
		} else {
			dst = utf8.AppendRune(dst, unicode.ToLower(r))
		}
		i += size
	}
	return dst
}

// minDialled is the fewest digits that identify a subscriber; fewer are an extension, or a filler.
const minDialled = 7

// appendDialled writes a telephone number as its digits with the country code. Without one (no "+", no
// "00", no "011") a number of ten digits is taken for one of the North American numbering plan.
func appendDialled(dst, identifier []byte) []byte {
	start := len(dst)
	identifier = trim(identifier)
	international := false
	for i, c := range identifier {
		if '0' <= c && c <= '9' {
			// "+44 (0)20 …": the trunk prefix is not dialled from abroad.
			if c == '0' && international && bytes.HasPrefix(identifier[i-1:], []byte("(0)")) {
				continue
			}
			dst = append(dst, c)
			continue
		}
		if c == '+' && len(dst) == start {
			international = true
		}
		// "x12", "ext. 12", "#12", ";ext=12": an extension is not part of the number.
		if len(dst) > start && bytes.IndexByte([]byte("xXeE#;"), c) >= 0 {
			break
		}
	}
	digits := dst[start:]
	if !international {
		for _, prefix := range []string{"011", "00"} {
			if bytes.HasPrefix(digits, []byte(prefix)) {
				digits = digits[:copy(digits, digits[len(prefix):])]
				international = true
				break
			}
		}
	}
	if len(digits) < minDialled {
		return dst[:start]
	}
	dst = dst[:start+len(digits)]
	if !international && len(digits) == 10 {
		dst = append(dst, 0)
		copy(dst[start+1:], dst[start:])
		dst[start] = '1'
	}
	return dst
}

func trim(identifier []byte) []byte {
	// The common case has nothing to trim, and no rune to decode.
	if n := len(identifier); n > 0 && plain(identifier[0]) && plain(identifier[n-1]) {
		return identifier
	}
	return bytes.TrimFunc(identifier, blank)
}

func plain(c byte) bool { return c > ' ' && c < 0x7f }

// blank says whether a character is space, or invisible: zero-width characters and byte order marks come
// along when a value is copied from a page.
func blank(r rune) bool {
	switch r {
	case 0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF, 0x00AD:
		return true
	}
	return unicode.IsSpace(r)
}

// hyphen says whether a character is one of Unicode's hyphens, dashes or minus signs.
func hyphen(r rune) bool {
	switch r {
	case '-', 0x2010, 0x2011, 0x2012, 0x2013, 0x2014, 0x2015, 0x2212, 0xFE58, 0xFE63, 0xFF0D:
		return true
	}
	return false
}
