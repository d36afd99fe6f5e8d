package lineage

// ManyTerms sets from how many movements on a place is not united from all of them again.
func ManyTerms(n int) { manyTerms = n }
