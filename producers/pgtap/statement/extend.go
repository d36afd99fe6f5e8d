package statement

import (
	"unicode/utf8"

	"github.com/rolltrace/rolltrace/producers/pgtap"
)

// Extend is described at pgtap.Analyst.
func (p *Parser) Extend(text []byte, clauses map[int]string) (extended []byte, edits []pgtap.Edit, ok bool) {
	s := scan{text: text, plain: true, beginning: true}
	if !s.walk() || !s.plain || len(s.ends) != len(p.Analyse(text).Parts) {
		return nil, nil, false
	}
	from := 0
	for n, end := range s.ends {
		clause, wanted := clauses[n]
		if !wanted {
			continue
		}
		extended = append(append(extended, text[from:end]...), clause...)
		edits = append(edits, pgtap.Edit{At: utf8.RuneCount(text[:end]), Length: utf8.RuneCountInString(clause)})
		from = end
	}
	return append(extended, text[from:]...), edits, true
}
