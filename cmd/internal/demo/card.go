package demo

import (
	"bufio"
	"strings"

	"github.com/rolltrace/rolltrace/schema/schematest/roll"
)

// Headers of the files of the story. The identifier is always the first column.
const (
	addressHeader = "elector_id,family_name,given_name,civic_address,municipality,province,postal_code\n"
	nameHeader    = "elector_id,family_name,given_name\n"
)

// A cast is who is who in the christmas-cards story. It is a function of the roll alone.
//
// Every 40th elector has signed up as a supporter; every eighth supporter is on no list of electors (they
// have moved, or are not registered), and half of those were met at the door by canvassers, who wrote
// their address down. Every eighth supporter gets a card. Of those, 62 in 100 gave their address when
// they signed up.
type cast struct {
	roll *roll.Roll

	canvassed []person // met at the door, on no list
	signedUp  []person // supporters
	known     []person // get a card, gave their address
	lacking   []person // get a card, address not known
	found     []person // of the lacking: headquarters found an address in the party's database
}

// A person is an elector of the roll, or a stranger to it.
type person struct {
	index    int
	stranger bool
	gave     bool // an address, when signing up
}

// dice is a number below n that is a function of the person and the question alone.
func dice(question uint64, index int, n uint64) uint64 {
	v := (uint64(index) + question<<40) * 0x9e3779b97f4a7c15
	v = (v ^ v>>32) * 0xd6e8feb86659fd93
	v = (v ^ v>>32) * 0xd6e8feb86659fd93
	return (v ^ v>>32) % n
}

func newCast(r *roll.Roll) *cast {
	c := &cast{roll: r}
	for i := range r.Electors() {
		if dice(1, i, 40) != 0 {
			continue
		}
		p := person{index: i, stranger: dice(2, i, 8) == 0, gave: dice(3, i, 100) < 62}
		canvassed := p.stranger && dice(4, i, 2) == 0
		c.signedUp = append(c.signedUp, p)
		if canvassed {
			c.canvassed = append(c.canvassed, p)
		}
		if dice(5, i, 8) != 0 {
			continue
		}
		if p.gave {
			c.known = append(c.known, p)
			continue
		}
		c.lacking = append(c.lacking, p)
		if !p.stranger || canvassed {
			c.found = append(c.found, p)
		}
	}
	return c
}

// fields are the parts of a person's record as they stand in a file: "id", "family,given" and
// "civic_address,municipality,province,postal_code", quoted where they have to be.
func (c *cast) fields(p person) (id, name, location string) {
	record := c.roll.Record
	if p.stranger {
		record = c.roll.Stranger
	}
	id, rest, _ := strings.Cut(record(p.index), ",")
	family, rest, _ := strings.Cut(rest, ",")
	given, rest, _ := strings.Cut(rest, ",")
	return id, family + "," + given, rest[:strings.LastIndexByte(rest, ',')]
}

// A line writes one person into a file.
type line func(id, name, location string, p person) string

func whole(id, name, location string, _ person) string { return id + "," + name + "," + location }
func named(id, name, _ string, _ person) string        { return id + "," + name }

func signUp(id, name, location string, p person) string {
	if !p.gave {
		location = ",,,"
	}
	return id + "," + name + "," + location
}

// write writes a file of people.
func (c *cast) write(path, header string, form line, groups ...[]person) error {
	return writeNew(path, func(out *bufio.Writer) {
		_, _ = out.WriteString(header) // writeNew has the error
		for _, group := range groups {
			for _, p := range group {
				id, name, location := c.fields(p)
				_, _ = out.WriteString(form(id, name, location, p) + "\n")
			}
		}
	})
}
