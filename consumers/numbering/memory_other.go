//go:build !unix

package numbering

func mapPage() *page { return nil }

func unmapPage(*page) {}
