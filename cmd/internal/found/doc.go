// Package found reads a found list and gives its elector keys in order, each once, whatever its size.
//
// Promise: identifiers become keys as they are read, and are kept nowhere. Memory is bounded: what there is no room for
// waits, as keys, sorted, in a temporary file without a name.
package found
