package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/graph"
)

// widest is how wide a picture of places can be, and still be read on paper.
const widest = 1700

// flowPicture draws a flow graph: by place, or by organisation when there are too many places, or the routes too long.
// Nil: there is nothing to draw.
func flowPicture(id, title string, f *graph.Flow, most int) *drawing {
	if len(f.Places) <= most && len(f.Edges) <= maxLinks {
		p := &picture{ID: id, Title: title}
		for _, place := range f.Places {
			p.Nodes = append(p.Nodes, placeNode(place))
		}
		for _, e := range f.Edges {
			p.link(string(e.From), string(e.To), e.FlowPass)
		}
		if d := p.cutAndDraw("of the most electors"); d == nil || d.Width <= widest || len(f.OrgEdges) == 0 {
			return d
		}
	}
	p := &picture{ID: id, Title: title, Left: "Organisations, because there are too many places for a picture. "}
	for _, o := range f.Organisations {
		p.Nodes = append(p.Nodes, node{Name: o.Org, Label: o.Org, Detail: endDetail(o.FlowEnd), State: endState(o.FlowEnd, false)})
	}
	for _, e := range f.OrgEdges {
		p.link(e.From, e.To, e.FlowPass)
	}
	return p.cutAndDraw("of the most electors")
}

// cutAndDraw draws what a picture can hold: the broadest edges, and says which those are. Nil: there is nothing to draw.
func (p *picture) cutAndDraw(those string) *drawing {
	p.cut(those)
	p.Left = strings.TrimSpace(p.Left)
	if len(p.Edges) == 0 {
		return nil
	}
	return p.draw()
}

func placeNode(place graph.FlowPlace) node {
	n := nodeOf(place.Place)
	n.Detail, n.State = endDetail(place.FlowEnd), endState(place.FlowEnd, len(place.Said) > 0)
	if len(place.Said) > 0 && len(place.Held) > 0 {
		n.Detail = append(n.Detail, "said to be destroyed")
	}
	return n
}

// nodeOf is a place, of which nothing is said yet.
func nodeOf(place schema.Place) node {
	return node{Name: string(place), Above: place.Org() + " / " + place.System(), Label: place.Dataset()}
}

// endDetail says what became of the electors at an end of edges, in a few lines.
func endDetail(e graph.FlowEnd) []string {
	here := numbers(e.Electors)
	all := len(e.Destroyed) == 0 && size(e.Held) == size(e.Electors)
	if len(here) == 1 {
		here[0] = electors(e.Electors)
		if all {
			return []string{here[0] + ", held"}
		}
	}
	switch {
	case e.FirstAt.IsZero() && len(e.Held) == 0 && len(e.Destroyed) == 0:
		return append(here, "from here")
	case all:
		return append(here, "held")
	case len(e.Held) == 0 && len(e.Destroyed) > 0:
		return append(here, "destroyed "+e.DestroyedAt.Format("2006-01-02"))
	}
	if len(e.Held) > 0 {
		here = append(here, strings.Join(numbers(e.Held), ", ")+" held")
	}
	if len(e.Destroyed) > 0 {
		here = append(here, strings.Join(numbers(e.Destroyed), ", ")+" destroyed")
	}
	return here
}

func endState(e graph.FlowEnd, said bool) string {
	switch {
	case said && len(e.Held) > 0:
		return "said"
	case len(e.Held) > 0:
		return "held"
	case len(e.Destroyed) > 0:
		return "gone"
	}
	return "source"
}

// link adds an edge between nodes that are there.
func (p *picture) link(from, to string, pass graph.FlowPass) {
	at := func(name string) int { return slices.IndexFunc(p.Nodes, func(n node) bool { return n.Name == name }) }
	i, j := at(from), at(to)
	if i < 0 || j < 0 || i == j {
		return
	}
	label := numbers(pass.Electors)[0]
	if len(pass.Electors) > 1 { // the most, and that there are others
		most := slices.MaxFunc(pass.Electors, func(x, y graph.Count) int { return cmp.Compare(x.Electors, y.Electors) })
		label = grouped(most.Electors) + " +"
	}
	p.Edges = append(p.Edges, link{From: i, To: j, Label: label, Weight: float64(size(pass.Electors)),
		Said: !slices.Contains(pass.Bases, schema.Observed),
		Full: fmt.Sprintf("%s to %s: %s by %s, %s; from %s", from, to, electors(pass.Electors), plural(pass.Movements, "movement", "movements"),
			strings.Join(words(pass.Kinds), ", "), pass.FirstAt.Format("2006-01-02 15:04"))})
}

// cut leaves what a picture can hold, the broadest edges (and says which those are), and makes their weights a share of the broadest.
func (p *picture) cut(those string) {
	edges := slices.Clone(p.Edges)
	slices.SortStableFunc(edges, func(x, y link) int { return cmp.Compare(y.Weight, x.Weight) })
	used := map[int]bool{}
	var kept []link
	for _, e := range edges {
		more := 0
		for _, n := range []int{e.From, e.To} {
			if !used[n] {
				more++
			}
		}
		if len(kept) == maxLinks || len(used)+more > maxNodes {
			continue
		}
		used[e.From], used[e.To] = true, true
		kept = append(kept, e)
	}
	if left := len(edges) - len(kept); left > 0 {
		p.Left += fmt.Sprintf("%s of %s edges are not in the picture: it has those %s. ", grouped(left), grouped(len(edges)), those)
	}
	var nodes []node
	index := map[int]int{}
	for i, n := range p.Nodes {
		if used[i] {
			index[i] = len(nodes)
			nodes = append(nodes, n)
		}
	}
	kept = slices.DeleteFunc(p.Edges, func(e link) bool { return !slices.ContainsFunc(kept, func(k link) bool { return k == e }) })
	widest := 0.0
	for _, e := range kept {
		widest = max(widest, e.Weight)
	}
	for i := range kept {
		kept[i].From, kept[i].To = index[kept[i].From], index[kept[i].To]
		if widest > 0 {
			kept[i].Weight /= widest
		}
	}
	p.Nodes, p.Edges = nodes, kept
}

func words[S ~string](names []S) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = string(n)
	}
	return out
}

// endTable says, place by place, what became of the electors of a flow.
func endTable(s section, places []graph.FlowPlace, edges []graph.FlowEdge) section {
	s.Columns = []column{{Title: "Place"}, {Title: "What is recorded"}, {Title: "Came (UTC)"}, {"Electors", true}, {"Held", true}, {"Destroyed", true}}
	s.rows(len(places), func(i int) []cell {
		p := places[i]
		state := cell{State: endState(p.FlowEnd, len(p.Said) > 0)}
		switch {
		case len(p.Held) > 0:
			state.Text = "still held"
			if len(p.Destroyed) > 0 {
				state.Text = "some still held"
			}
		case len(p.Destroyed) > 0:
			state.Text = "destroyed"
		default:
			state.Text = "came from here"
		}
		if !p.DestroyedAt.IsZero() {
			state.Small = append(state.Small, "destroyed "+p.DestroyedAt.Format("2006-01-02 15:04"))
		}
		for _, e := range edges { // which is not to be: they were used after destruction, or one of several inputs held them
			if e.From == p.Place && len(p.Held) == 0 && len(p.Destroyed) > 0 && e.LastAt.After(p.DestroyedAt.Time) {
				state.Small = append(state.Small, fmt.Sprintf("yet went on to %s, %s", e.To.Org(), e.LastAt.Format("2006-01-02")))
			}
		}
		for _, said := range p.Said {
			state.Small = append(state.Small, fmt.Sprintf("said to be destroyed, by %s, %s", said.Org, said.OccurredAt.Format("2006-01-02")))
		}
		came := cell{At: p.FirstAt}
		if p.LastAt != p.FirstAt {
			came.Small = []string{"last " + p.LastAt.Format("2006-01-02 15:04")}
		}
		return []cell{{Text: p.Org, Small: []string{strings.TrimPrefix(string(p.Place), p.Org+"/")}}, state, came,
			numberCell(p.Electors), numberCell(p.Held), numberCell(p.Destroyed)}
	})
	return s
}

// edgeTable is the edges of a flow.
func edgeTable(s section, edges []graph.FlowEdge) section {
	s.Columns = []column{{Title: "When (UTC)"}, {Title: "From"}, {Title: "To"}, {Title: "What"}, {Title: "Why"}, {Title: "On whose word"}, {"Electors", true}}
	s.rows(len(edges), func(i int) []cell {
		e := edges[i]
		when := cell{At: e.FirstAt}
		if e.Movements > 1 {
			when.Small = []string{"to " + e.LastAt.Format("2006-01-02 15:04"), plural(e.Movements, "movement", "movements")}
		}
		return []cell{when, placeCell(e.From), placeCell(e.To), {Text: orNotSaid(categories(e.Fields))},
			{Text: orNotSaid(strings.Join(e.Purposes, ", ")), Small: e.Agreements},
			{Text: strings.Join(words(e.Bases), ", "), Small: words(e.Kinds)}, numberCell(e.Electors)}
	})
	return s
}

func placeCell(p schema.Place) cell {
	if p == "" {
		return cell{}
	}
	return cell{Text: p.Org(), Small: []string{strings.TrimPrefix(string(p), p.Org()+"/")}}
}
