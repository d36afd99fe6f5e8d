// Package document reads YAML files that people write, and says where in them something is wrong.
//
// Promise: what a file says and this version does not know is a fault with its file and line, never passed over: an
// unknown key, a key that stands there twice, a value of another form. All faults of a file are told, not the first one
// only, and after any of them nothing that was read is to be used.
package document
