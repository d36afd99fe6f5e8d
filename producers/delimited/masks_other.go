//go:build !amd64

package delimited

// classify marks the characters in the groups of src, as many as dst has.
func classify(dst []groupMasks, src []byte, delimiter, eol byte) {
	classifyWords(dst, src, delimiter, eol)
}
