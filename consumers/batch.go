package consumers

import (
	"unsafe"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/graph"
)

// A batch is what one stretch of the log adds to the graph, and the messages of it that were rejected.
type batch struct {
	graph.Batch
	rejections []Rejection

	messages int         // of the log
	to       uint64      // the last of them
	received schema.Time // when the hub had it
	bytes    int         // of memory, about

	numbers []uint32 // room that the runs' Starts and Lengths are cut from
}

func (b *batch) empty() bool { return b.messages == 0 }

// reset empties the batch and keeps its room, so that a stream of batches needs that of two.
func (b *batch) reset() {
	*b = batch{
		Batch: graph.Batch{
			Spaces: b.Spaces[:0], Electors: b.Electors[:0], Movements: b.Movements[:0], Revisions: emptied(b.Revisions),
			Chunks: b.Chunks[:0], Runs: emptied(b.Runs), Rows: b.Rows[:0], Messages: emptied(b.Messages),
			Seeds: b.Seeds[:0], Beats: emptied(b.Beats), Gaps: b.Gaps[:0], Rejected: b.Rejected[:0],
			Registries: emptied(b.Registries), Rulings: emptied(b.Rulings),
		},
		rejections: emptied(b.rejections),
		numbers:    b.numbers[:0],
	}
}

// emptied lets go of what the items point to.
func emptied[T any](items []T) []T {
	clear(items)
	return items[:0]
}

// What rows take, with the text that they point to.
const (
	electorBytes  = int(unsafe.Sizeof(graph.Elector{}))
	rowBytes      = int(unsafe.Sizeof(graph.Row{}))
	runBytes      = int(unsafe.Sizeof(graph.Run{}))
	chunkBytes    = int(unsafe.Sizeof(graph.Chunk{}))
	revisionBytes = int(unsafe.Sizeof(graph.Revision{})) + int(unsafe.Sizeof(schema.Movement{})) + 512
	messageBytes  = int(unsafe.Sizeof(graph.Message{})) + 256
	otherBytes    = 512
)

// addSeeds notes that the electors of one chunk are seeds, or are none.
func (b *batch) addSeeds(movement uint32, role schema.SetRole, n Numbered) {
	add := func(number uint32) {
		b.Seeds = append(b.Seeds, graph.Seed{Number: number, Movement: movement, Role: role})
		b.bytes += rowBytes
	}
	for _, number := range n.Known {
		add(number)
	}
	for i := range n.New {
		add(n.First + uint32(i))
	}
}

// addSet adds the electors of one chunk to a movement's: bucket by bucket, as runs of numbers, or, where
// a bucket has few, as rows. Which of the two depends on the chunk alone.
func (b *batch) addSet(movement uint32, space uint16, n Numbered) {
	known := n.Known
	next, end := uint64(n.First), uint64(n.First)+uint64(len(n.New))
	for len(known) > 0 || next < end {
		first := next
		if len(known) > 0 { // all of them are less than First
			first = uint64(known[0])
		}
		limit := (first>>graph.BucketBits + 1) << graph.BucketBits
		k := 0
		for k < len(known) && uint64(known[k]) < limit {
			k++
		}
		fresh := min(end, max(limit, next)) // the end of the new numbers in this bucket
		b.addBucket(movement, space, known[:k], uint32(next), int(fresh-next))
		known, next = known[k:], fresh
	}
}

// addBucket adds known numbers, and then fresh ones that have no holes, of one bucket.
func (b *batch) addBucket(movement uint32, space uint16, known []uint32, first uint32, fresh int) {
	if len(known)+fresh < graph.SmallSet {
		for _, number := range known {
			b.Rows = append(b.Rows, graph.Row{Movement: movement, Space: space, Number: number})
		}
		for i := range fresh {
			b.Rows = append(b.Rows, graph.Row{Movement: movement, Space: space, Number: first + uint32(i)})
		}
		b.bytes += (len(known) + fresh) * rowBytes
		return
	}
	runs := countRuns(known, first, fresh)
	starts, lengths := b.cut(runs), b.cut(runs)
	for i := 0; i < len(known); {
		j := i + 1
		for j < len(known) && known[j] == known[j-1]+1 {
			j++
		}
		starts, lengths = append(starts, known[i]), append(lengths, uint32(j-i))
		i = j
	}
	if last := len(lengths) - 1; fresh > 0 && last >= 0 && starts[last]+lengths[last] == first {
		lengths[last] += uint32(fresh)
	} else if fresh > 0 {
		starts, lengths = append(starts, first), append(lengths, uint32(fresh))
	}
	bucket := graph.Bucket(starts[0])
	b.Runs = append(b.Runs, graph.Run{Movement: movement, Space: space, Bucket: bucket, Starts: starts, Lengths: lengths})
	b.bytes += runBytes + 8*runs
}

func countRuns(known []uint32, first uint32, fresh int) int {
	runs := 0
	for i, number := range known {
		if i == 0 || known[i-1]+1 != number {
			runs++
		}
	}
	if fresh > 0 && (len(known) == 0 || known[len(known)-1]+1 != first) {
		runs++
	}
	return runs
}

// roomNumbers is how many numbers one piece of room has: as many as a chunk can have runs, twice.
const roomNumbers = 2 * schema.MaxChunkKeys

// cut returns an empty slice with room for n numbers.
func (b *batch) cut(n int) []uint32 {
	if cap(b.numbers)-len(b.numbers) < n {
		b.numbers = make([]uint32, 0, max(n, roomNumbers)) // the pieces before live as long as their runs
	}
	from := len(b.numbers)
	b.numbers = b.numbers[:from+n]
	return b.numbers[from : from : from+n]
}
