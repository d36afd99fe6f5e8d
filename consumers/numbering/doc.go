// Package numbering gives elector keys the dense 32-bit numbers that the graph's bitmaps are made of, and
// movements and id spaces theirs.
//
// Promise: numbers are a function of the log. They begin at 0 and have no holes; an elector key gets the next one
// when it first appears, over all spaces together; the new keys of one chunk are numbered in key order, so
// that a number tells no more than the chunk that it came in. Never two numbers for a key, never two keys for a
// number: what Load reads back is checked for both.
//
// Memory: 14 to 28.3 bytes an elector key while there are many, growth included, and 20 bytes more for a movement, outside
// Go's heap; a few hundred bytes for an id space. Nothing is ever forgotten. When 2³²−1 numbers are given, ErrExhausted
// ends it.
package numbering
