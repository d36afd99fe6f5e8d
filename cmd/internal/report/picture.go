package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
)

// A picture is a graph of places or organisations, to be drawn.
type picture struct {
	ID    string // unique on the page: its title and description have it
	Title string
	Nodes []node
	Edges []link // in order of time

	Even bool // every line as broad as the others

	// Left is what the picture leaves out, for people; "": nothing.
	Left string
}

// A node is a place or an organisation.
type node struct {
	Name   string // in full
	Above  string // small, over the label
	Label  string
	Detail []string // lines under it
	State  string   // held, gone, said or source: how it is drawn
}

// A link is an edge from a node to another.
type link struct {
	From, To int
	Label    string  // over the line
	Under    string  // under it
	Weight   float64 // 0 to 1: how broad
	Said     bool    // nobody saw it: it is said
	Full     string  // for whom points at it, or listens
}

// What a picture has at most: more is not to be read.
const (
	maxNodes = 30
	maxLinks = 48
)

// A drawing is a picture with every point in its place: what the template writes as SVG.
type drawing struct {
	*picture
	Width, Height int
	Boxes         []box
	Lines         []line
	Description   string
}

type box struct {
	node
	X, Y, Width, Height   float64
	TextX, AboveY, LabelY float64
	Rows                  []row
}

type row struct {
	Y    float64
	Text string
}

type line struct {
	link
	Path   string
	Stroke float64
	Dashes string  // "": none
	X      float64 // of the labels
	Y      float64 // of the one over the line
	UnderY float64
}

const (
	border    = 14  // around the drawing
	boxWidth  = 140 // at least
	boxPad    = 14
	rowHeight = 15
	letter    = 7.7 // width of a letter of the label, about: fonts differ
	maxLabel  = 30  // letters
)

// draw places everything.
func (p *picture) draw() *drawing {
	widths, heights := make([]float64, len(p.Nodes)), make([]float64, len(p.Nodes))
	for i, n := range p.Nodes {
		longest := max(float64(runes(shorten(n.Label, maxLabel)))*letter, float64(runes(shorten(n.Above, maxLabel+4)))*letter*0.8)
		for _, d := range n.Detail {
			longest = max(longest, float64(runes(d))*letter*0.85)
		}
		widths[i] = max(boxWidth, longest+2*boxPad)
		heights[i] = 44 + rowHeight*float64(len(n.Detail))
		if n.Above == "" {
			heights[i] -= 13
		}
	}
	var edges [][2]int
	for _, e := range p.Edges {
		edges = append(edges, [2]int{e.From, e.To})
	}
	l := newLayout(widths, heights, edges)
	d := &drawing{picture: p}
	right, bottom := 0.0, 0.0
	for i, n := range p.Nodes {
		at := l.nodes[i]
		b := box{node: n, X: at.x + border, Y: at.y - at.height/2 + border, Width: at.width, Height: at.height, TextX: at.x + border + boxPad}
		b.Label, b.Above = shorten(n.Label, maxLabel), shorten(n.Above, maxLabel+4)
		y := b.Y + 19
		if n.Above != "" {
			b.AboveY = y - 1
			y += 15
		}
		b.LabelY = y + 1
		for _, text := range n.Detail {
			y += rowHeight + 1
			b.Rows = append(b.Rows, row{y, text})
		}
		d.Boxes = append(d.Boxes, b)
		right, bottom = max(right, b.X+b.Width), max(bottom, b.Y+b.Height)
	}
	for _, n := range l.nodes {
		bottom = max(bottom, n.y+n.height/2+border)
	}
	d.Width, d.Height = int(math.Ceil(right+border)), int(math.Ceil(bottom+border))
	d.route(l)
	d.describe()
	return d
}

// ports are where edges leave or arrive at the side of a node: as many as there are, from top to bottom.
func (l *layout) ports(node int, edges []layoutEdge, arriving bool) map[int]float64 {
	type end struct {
		edge int
		y    float64
	}
	var ends []end
	for i, e := range edges {
		for n := range e.way {
			switch {
			case e.way[n] != node:
			case arriving && n > 0:
				ends = append(ends, end{i, l.nodes[e.way[n-1]].y})
			case !arriving && n+1 < len(e.way):
				ends = append(ends, end{i, l.nodes[e.way[n+1]].y})
			}
		}
	}
	slices.SortStableFunc(ends, func(a, b end) int { return cmp.Compare(a.y, b.y) })
	out := map[int]float64{}
	me := l.nodes[node]
	step := min(16, me.height/float64(len(ends)+1))
	for i, e := range ends {
		out[e.edge] = me.y + (float64(i)-float64(len(ends)-1)/2)*step
	}
	return out
}

// route draws the lines.
func (d *drawing) route(l *layout) {
	var taken [][4]float64
	for i, e := range l.edges {
		if len(e.way) == 0 {
			continue
		}
		weight := d.Edges[i].Weight
		if d.Even {
			weight = 0.02
		}
		type point struct{ x, y float64 }
		var from, to point
		var path strings.Builder
		var labelX, labelY float64
		labelled := false
		for n := range len(e.way) - 1 {
			a, b := l.nodes[e.way[n]], l.nodes[e.way[n+1]]
			from = point{a.x + a.width + border, l.ports(e.way[n], l.edges, false)[i] + border}
			to = point{b.x + border, l.ports(e.way[n+1], l.edges, true)[i] + border}
			if n == 0 {
				fmt.Fprintf(&path, "M%.1f %.1f", from.x, from.y)
			} else {
				fmt.Fprintf(&path, " L%.1f %.1f", from.x, from.y)
			}
			end := to.x
			if n == len(e.way)-2 && !e.back {
				end -= 5 // the arrow's tip
			}
			half := (to.x - from.x) / 2
			fmt.Fprintf(&path, " C%.1f %.1f %.1f %.1f %.1f %.1f", from.x+half, from.y, end-half, to.y, end, to.y)
			if !labelled {
				at := func(t float64) (x, y float64) {
					s := 1 - t
					return s*s*s*from.x + 3*s*s*t*(from.x+half) + 3*s*t*t*(to.x-half) + t*t*t*to.x,
						s*s*s*from.y + 3*s*s*t*from.y + 3*s*t*t*to.y + t*t*t*to.y
				}
				width := float64(max(runes(d.Edges[i].Label), runes(d.Edges[i].Under))) * 6
				for _, t := range []float64{0.5, 0.36, 0.64, 0.24, 0.76} {
					labelX, labelY = at(t)
					box := [4]float64{labelX - width/2, labelY - 14, labelX + width/2, labelY + 4}
					if d.Edges[i].Under != "" {
						box[3] += 14
					}
					if !slices.ContainsFunc(taken, func(o [4]float64) bool {
						return box[0] < o[2] && o[0] < box[2] && box[1] < o[3] && o[1] < box[3]
					}) {
						taken = append(taken, box)
						break
					}
				}
				labelled = true
			}
		}
		d.Lines = append(d.Lines, line{link: d.Edges[i], Path: path.String(), Stroke: math.Round((1.4+5.6*math.Sqrt(weight))*10) / 10,
			X: labelX, Y: labelY - 5 - weight*3, UnderY: labelY + 14 + weight*3})
		if at := &d.Lines[len(d.Lines)-1]; at.Said {
			at.Dashes = fmt.Sprintf("%.0f %.0f", 6+2*at.Stroke, 4+at.Stroke)
		}
		if e.back { // the arrow is at the beginning
			d.Lines[len(d.Lines)-1].Path = reversed(e, l, i)
		}
	}
}

// reversed is the way of an edge that goes back, from right to left.
func reversed(e layoutEdge, l *layout, i int) string {
	var path strings.Builder
	for n := len(e.way) - 1; n > 0; n-- {
		a, b := l.nodes[e.way[n]], l.nodes[e.way[n-1]]
		fromX, fromY := a.x+border, l.ports(e.way[n], l.edges, true)[i]+border
		toX, toY := b.x+b.width+border, l.ports(e.way[n-1], l.edges, false)[i]+border
		command := " L"
		if n == len(e.way)-1 {
			command = "M"
		}
		if n == 1 {
			toX += 5
		}
		half := (fromX - toX) / 2
		fmt.Fprintf(&path, "%s%.1f %.1f C%.1f %.1f %.1f %.1f %.1f %.1f", command, fromX, fromY, fromX-half, fromY, toX+half, toY, toX, toY)
	}
	return path.String()
}

// describe says the picture in words, for whom it is read to.
func (d *drawing) describe() {
	var out []string
	for _, e := range d.Edges {
		text := d.Nodes[e.From].Name + " to " + d.Nodes[e.To].Name
		if e.Label != "" {
			text += ": " + strings.TrimSpace(e.Label+" "+e.Under)
		}
		out = append(out, text)
	}
	d.Description = strings.Join(out, "; ") + "."
}

func runes(s string) int { return len([]rune(s)) }

// shorten leaves out the middle of a long name.
func shorten(s string, most int) string {
	r := []rune(s)
	if len(r) <= most {
		return s
	}
	head := (most - 1) * 3 / 5
	return string(r[:head]) + "…" + string(r[len(r)-(most-1-head):])
}

// Least is how wide the drawing is on a screen at least: below, it would not be read, and is scrolled.
func (d *drawing) Least() int { return d.Width * 7 / 10 }
