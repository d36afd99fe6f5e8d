package report

import (
	"cmp"
	"math"
	"slices"
)

// A layout gives the nodes and edges of a picture their places: in layers from left to right, along the edges, by the steps
// of Sugiyama, Tagawa and Toda (1981): layers, an order within them that crosses few edges, then heights. No
// library of this kind in Go was found that is kept and small; the pictures have some dozens of nodes.
type layout struct {
	nodes  []layoutNode // those of the picture, then bends of edges that pass a layer
	edges  []layoutEdge
	layers [][]int // nodes, from top to bottom
}

type layoutNode struct {
	layer         int
	width, height float64
	x, y          float64 // of the middle of the left side
	next, before  []int   // nodes one layer on, one layer back
}

// A layoutEdge is a way through nodes, one in each layer, from left to right.
type layoutEdge struct {
	way  []int
	back bool // it goes against time: the edge leads from the end of the way to its beginning
}

const (
	nodeGap  = 22 // between nodes above each other
	bendSize = 20 // height that an edge takes up where it passes a layer
	layerGap = 88 // between layers
	sweeps   = 12
)

// newLayout places nodes of these sizes with edges between them, which are in order of time. Edges from a node to itself
// have no way.
func newLayout(widths, heights []float64, edges [][2]int) *layout {
	l := &layout{}
	for i := range widths {
		l.nodes = append(l.nodes, layoutNode{width: widths[i], height: heights[i]})
	}
	l.rank(edges)
	l.order()
	l.place()
	return l
}

// rank gives every node a layer, and every edge its way.
func (l *layout) rank(edges [][2]int) {
	n := len(l.nodes)
	next := make([][]int, n)
	var reaches func(from, to int) bool
	reaches = func(from, to int) bool {
		return from == to || slices.ContainsFunc(next[from], func(via int) bool { return reaches(via, to) })
	}
	back := make([]bool, len(edges))
	before := make([][]int, n)
	for i, e := range edges {
		from, to := e[0], e[1]
		if from == to {
			continue
		}
		if back[i] = reaches(to, from); back[i] {
			from, to = to, from
		}
		if !slices.Contains(next[from], to) {
			next[from], before[to] = append(next[from], to), append(before[to], from)
		}
	}
	layer := make([]int, n)
	for i := range layer {
		layer[i] = -1
	}
	var deepest func(i int) int
	deepest = func(i int) int {
		if layer[i] < 0 {
			layer[i] = 0
			for _, b := range before[i] {
				layer[i] = max(layer[i], deepest(b)+1)
			}
		}
		return layer[i]
	}
	for i := range layer {
		deepest(i)
	}
	for i := range layer { // where nothing comes from, close to where it goes
		if len(before[i]) == 0 && len(next[i]) > 0 {
			layer[i] = layer[slices.MinFunc(next[i], func(a, b int) int { return layer[a] - layer[b] })] - 1
		}
	}
	for i := range layer {
		l.nodes[i].layer = layer[i]
	}
	l.layers = make([][]int, slices.Max(append(layer, 0))+1)
	for i, at := range layer {
		l.layers[at] = append(l.layers[at], i)
	}
	for i, e := range edges {
		from, to := e[0], e[1]
		if back[i] {
			from, to = to, from
		}
		edge := layoutEdge{back: back[i]}
		if from != to {
			edge.way = l.way(from, to)
		}
		l.edges = append(l.edges, edge)
	}
}

// way leads from a node to another, with a bend in each layer between.
func (l *layout) way(from, to int) []int {
	way := []int{from}
	for at := l.nodes[from].layer + 1; at < l.nodes[to].layer; at++ {
		way = append(way, len(l.nodes))
		l.layers[at] = append(l.layers[at], len(l.nodes))
		l.nodes = append(l.nodes, layoutNode{layer: at, height: bendSize})
	}
	way = append(way, to)
	for i := range way[1:] {
		a, b := &l.nodes[way[i]], &l.nodes[way[i+1]]
		a.next, b.before = append(a.next, way[i+1]), append(b.before, way[i])
	}
	return way
}

// order sorts the layers by the middle of their neighbours, forth and back, and keeps the order of the fewest crossings.
func (l *layout) order() {
	best, fewest := l.copyLayers(), l.crossings()
	for sweep := range sweeps {
		for n := range l.layers {
			at := n
			if sweep%2 == 1 {
				at = len(l.layers) - 1 - n
			}
			middle := map[int]float64{}
			for i, node := range l.layers[at] {
				neighbours := l.nodes[node].before
				if sweep%2 == 1 {
					neighbours = l.nodes[node].next
				}
				middle[node] = l.middle(neighbours, float64(i))
			}
			slices.SortStableFunc(l.layers[at], func(a, b int) int { return cmp.Compare(middle[a], middle[b]) })
		}
		if c := l.crossings(); c < fewest {
			best, fewest = l.copyLayers(), c
		}
	}
	l.layers = best
}

func (l *layout) copyLayers() [][]int {
	out := make([][]int, len(l.layers))
	for i, layer := range l.layers {
		out[i] = slices.Clone(layer)
	}
	return out
}

func (l *layout) middle(nodes []int, otherwise float64) float64 {
	if len(nodes) == 0 {
		return otherwise
	}
	sum := 0.0
	for _, n := range nodes {
		sum += float64(slices.Index(l.layers[l.nodes[n].layer], n))
	}
	return sum / float64(len(nodes))
}

func (l *layout) crossings() int {
	n := 0
	for at := range len(l.layers) - 1 {
		var ends [][2]int
		for i, node := range l.layers[at] {
			for _, to := range l.nodes[node].next {
				ends = append(ends, [2]int{i, slices.Index(l.layers[at+1], to)})
			}
		}
		for i, a := range ends {
			for _, b := range ends[:i] {
				if (a[0]-b[0])*(a[1]-b[1]) < 0 {
					n++
				}
			}
		}
	}
	return n
}

// place gives the layers their distances, and draws nodes to the height of their neighbours as far as there is room.
func (l *layout) place() {
	x := 0.0
	for _, layer := range l.layers {
		width := 0.0
		for _, n := range layer {
			width = max(width, l.nodes[n].width)
		}
		for _, n := range layer {
			l.nodes[n].x = x
			if l.nodes[n].width == 0 {
				l.nodes[n].width = width // a bend passes all of the layer
			}
		}
		x += width + layerGap
		l.spread(layer)
	}
	for sweep := range sweeps * 2 {
		for n := range l.layers {
			at := n
			if sweep%2 == 1 {
				at = len(l.layers) - 1 - n
			}
			for _, node := range l.layers[at] {
				me := &l.nodes[node]
				neighbours := append(slices.Clone(me.before), me.next...)
				if len(neighbours) == 0 {
					continue
				}
				sum := 0.0
				for _, n := range neighbours {
					sum += l.nodes[n].y
				}
				me.y += (sum/float64(len(neighbours)) - me.y) * 0.7
			}
			l.spread(l.layers[at])
		}
	}
	top := math.Inf(1)
	for _, n := range l.nodes {
		top = min(top, n.y-n.height/2)
	}
	for i := range l.nodes {
		l.nodes[i].y -= top
	}
}

// spread moves the nodes of a layer apart, half of the way up and half of it down.
func (l *layout) spread(layer []int) {
	room := func(a, b int) float64 { return (l.nodes[a].height+l.nodes[b].height)/2 + nodeGap }
	for range sweeps {
		moved := false
		for i := range max(len(layer)-1, 0) {
			a, b := layer[i], layer[i+1]
			if lack := room(a, b) - (l.nodes[b].y - l.nodes[a].y); lack > 0.01 {
				l.nodes[a].y -= lack / 2
				l.nodes[b].y += lack / 2
				moved = true
			}
		}
		if !moved {
			return
		}
	}
	for i := range max(len(layer)-1, 0) { // what is left, downwards
		a, b := layer[i], layer[i+1]
		l.nodes[b].y = max(l.nodes[b].y, l.nodes[a].y+room(a, b))
	}
}
