// Package exercise rehearses breaches: in streams, a graph and an outbox of their own, through the same code as what is real.
//
// Promise: an exercise and what is real never mix, in either direction: no movement of an exercise is in a real answer, and
// nothing that was published as real, whatever it says of itself, is in an exercise. Exercises hold what was declared for
// them; no list flows through one. One that has ended takes no more messages, and stays readable.
package exercise
