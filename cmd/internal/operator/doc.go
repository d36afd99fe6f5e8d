// Package operator publishes what the centre itself decides, registries and rulings, for the command line and the demo.
//
// Promise: what Apply and Rule report as published is on disk in the log; an unchanged registry publishes nothing; of two
// operators at once, one is told to look again.
package operator
