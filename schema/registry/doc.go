// Package registry says whose places there are, and what was agreed about the records in them: organisations, systems,
// datasets, people, where records come from and what that permits, agreements, parties' policies, election periods. It
// is written by people in YAML files (Load), travels and is kept as one JSON document (Normal), and is asked about a time (History.At).
//
// Promise: a registry is taken whole or not at all. Load tells every fault with its file and line, and returns nothing
// to use while there is one: an unknown key, an id that stands there twice, a reference to nothing, parents in a circle, an
// agreement that ends before it starts. Two folders that say the same, in whatever order and files, have the same normal
// form. Which version of a registry counts at a time is a function of the versions alone, not of the order in which
// they arrived.
package registry
