package delimited

import "golang.org/x/sys/cpu"

// classifyAVX2 is classifyWords, 32 bytes at a time.
//
//go:noescape
func classifyAVX2(dst *groupMasks, src *byte, groups int, delimiter, quote, eol byte)

var hasAVX2 = cpu.X86.HasAVX2

// classify marks the characters in the groups of src, as many as dst has.
func classify(dst []groupMasks, src []byte, delimiter, eol byte) {
	if hasAVX2 && len(dst) > 0 {
		_ = src[len(dst)*groupBytes-1]
		classifyAVX2(&dst[0], &src[0], len(dst), delimiter, '"', eol)
		return
	}
	classifyWords(dst, src, delimiter, eol)
}
