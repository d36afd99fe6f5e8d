package report

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// Whatever the graph, cycles and all: nodes do not lie on each other, an edge goes from layer to layer without a gap, to
// the right, and against time only where it closes a circle; and everything is within the drawing.
func TestLayout(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 7))
	for n := range 300 {
		p := &picture{ID: "p", Title: "t"}
		nodes := 1 + random.IntN(12)
		for i := range nodes {
			p.Nodes = append(p.Nodes, node{Name: fmt.Sprint("n", i), Above: "org / system", Label: fmt.Sprintf("%0*d", 1+random.IntN(40), i), Detail: []string{"x"}})
		}
		for range random.IntN(20) {
			p.Edges = append(p.Edges, link{From: random.IntN(nodes), To: random.IntN(nodes), Label: "1", Weight: random.Float64(), Said: random.IntN(2) == 0})
		}
		d := p.draw()
		for i, a := range d.Boxes {
			if a.X < 0 || a.Y < 0 || a.X+a.Width > float64(d.Width) || a.Y+a.Height > float64(d.Height) {
				t.Fatalf("%d: %s is outside: %+v of %d × %d", n, a.Name, a, d.Width, d.Height)
			}
			for _, b := range d.Boxes[:i] {
				if a.X < b.X+b.Width && b.X < a.X+a.Width && a.Y < b.Y+b.Height && b.Y < a.Y+a.Height {
					t.Fatalf("%d: %s lies on %s: %+v, %+v", n, a.Name, b.Name, a, b)
				}
			}
		}
		loops := 0
		for _, e := range p.Edges {
			if e.From == e.To {
				loops++
			}
		}
		if len(d.Lines) != len(p.Edges)-loops {
			t.Fatalf("%d: %d lines for %d edges, of which %d go nowhere", n, len(d.Lines), len(p.Edges), loops)
		}
	}
}

func TestLayersFollowTheEdges(t *testing.T) {
	size := []float64{100, 100, 100, 100, 100}
	edges := [][2]int{{0, 1}, {1, 2}, {0, 2}, {2, 3}, {3, 1}, {4, 3}, {2, 2}}
	l := newLayout(size, size, edges)
	for i, want := range []int{0, 1, 2, 3, 2} {
		if l.nodes[i].layer != want {
			t.Errorf("node %d is in layer %d, want %d", i, l.nodes[i].layer, want)
		}
	}
	for i, e := range l.edges {
		for n := 1; n < len(e.way); n++ {
			if l.nodes[e.way[n]].layer != l.nodes[e.way[n-1]].layer+1 {
				t.Errorf("edge %d leaves out a layer: %v", i, e.way)
			}
		}
		if e.back != (i == 4) || (len(e.way) == 0) != (i == 6) {
			t.Errorf("edge %d: back %v, way %v", i, e.back, e.way)
		}
	}
	if n := l.crossings(); n != 0 {
		t.Errorf("%d crossings where there need be none", n)
	}
}

// A picture has what can be read: the broadest edges, and what is left out is said.
func TestCut(t *testing.T) {
	p := &picture{}
	for i := range 100 {
		p.Nodes = append(p.Nodes, node{Name: fmt.Sprint(i)})
		p.Edges = append(p.Edges, link{From: i, To: (i + 1) % 100, Weight: float64(1 + i)})
	}
	p.cut("of the most electors")
	if len(p.Nodes) != maxNodes || len(p.Edges) != maxNodes-1 || p.Left != "71 of 100 edges are not in the picture: it has those of the most electors. " {
		t.Errorf("%d nodes, %d edges, %q", len(p.Nodes), len(p.Edges), p.Left)
	}
	for _, e := range p.Edges {
		if p.Nodes[e.From].Name == "1" || e.Weight > 1 {
			t.Errorf("edge %+v", e)
		}
	}
}
