// Package graph is the lineage graph in ClickHouse: its tables (Migrate), how a batch of the log is
// written into them (Writer), what a consumer reads back when it starts (Reader), the sets that are derived from
// others (Lineage), and the questions that people ask of it (Graph), which are SQL views in the same database too.
//
// Promise: everything in the tables is a function of the log, so that any row may be written again, by
// anybody, at any time, and no answer changes. Writer stores the position only after all data before it
// was accepted and synced by ClickHouse. An insert whose client was killed, timed out or was cancelled
// may commit all the same, seconds later: it brings rows that will be written again. No reader depends on
// background merges: with merges stopped every answer is the same. Derived sets of one cascade count from one
// moment on, and a question reads which ones count once.
//
// What can be lost: nothing that Write reported as written. What can be seen too early: rows of a batch
// that is being written, before its position; Reader leaves them out, and the questions take them as what
// they are, true but not yet all.
package graph
