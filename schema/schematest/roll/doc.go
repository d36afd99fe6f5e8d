// Package roll writes synthetic lists of electors of real shape: the districts and their numbers of
// electors are those of Canada's general election of 2021 (Elections Canada, table 11), the people, streets
// and towns are invented.
//
// Promise: a roll is a function of its seed and districts alone, byte for byte, on every machine. Elector
// identifiers look random and are unique by construction; an elector has the same identifier in every
// roll of one seed, whichever districts are in it. Names are made of syllables, postal codes begin with a
// letter that no Canadian one begins with. Nothing here is fit for secrecy: whoever knows the seed knows the
// roll.
package roll
