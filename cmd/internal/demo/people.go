package demo

import (
	"bufio"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/rolltrace/rolltrace/schema/schematest/roll"
)

// A Group is people of a scenario, all invented. Everybody is in exactly one group, so that the number of any set of
// people is a sum.
type Group struct {
	Group   string `yaml:"group"`
	Full    int    `yaml:"full"`    // how many at full size
	Elector bool   `yaml:"elector"` // on the list of electors; otherwise on none
	Country string `yaml:"country"` // what the column "country" says of them
}

// A File is a file of people that an organisation holds.
type File struct {
	Path   string   `yaml:"path"` // from the data folder
	Groups []string `yaml:"groups"`
	// Columns: what ends in "_id" is the identifier; family_name, given_name, civic_address, municipality, province and
	// postal_code are those of the roll; country is the group's; what ends in "_score" is from 0 to 99; email and phone are made
	// of the identifier, at a domain and an area code that do not exist.
	Columns []string `yaml:"columns"`
}

// A crowd is the people of a scenario at one scale.
type crowd struct {
	roll   *roll.Roll
	scale  float64
	groups map[string]members
	count  int
}

// members are consecutive people of the roll, or strangers to it.
type members struct {
	Group
	first, count int
}

// newCrowd makes as many people as the scale says, at least one for each group.
func newCrowd(groups []Group, scale float64) *crowd {
	c := &crowd{roll: roll.New(seed, roll.Districts()...), scale: scale, groups: map[string]members{}}
	next := map[bool]int{}
	for _, g := range groups {
		n := c.scaled(g.Full)
		c.groups[g.Group] = members{g, next[g.Elector], n}
		next[g.Elector] += n
		c.count += n
	}
	return c
}

// scaled is a number at the crowd's scale.
func (c *crowd) scaled(full int) int { return max(1, int(math.Round(float64(full)*c.scale))) }

// id is the identifier of one of a group.
func (c *crowd) id(group string, i int) (string, error) {
	m, ok := c.groups[group]
	if !ok || i >= m.count {
		return "", fmt.Errorf("people: no group %q, or fewer than %d", group, i+1)
	}
	if m.Elector {
		return c.roll.ID(m.first + i), nil
	}
	return c.roll.StrangerID(m.first + i), nil
}

// write writes a file.
func (c *crowd) write(folder string, f File) error {
	return writeNew(filepath.Join(folder, filepath.FromSlash(f.Path)), func(out *bufio.Writer) {
		_, _ = out.WriteString(strings.Join(f.Columns, ",") + "\n") // writeNew has the error
		for _, group := range f.Groups {
			m := c.groups[group]
			for i := range m.count {
				c.row(out, m, m.first+i, f.Columns)
			}
		}
	})
}

// writeNew makes a file, and has write fill it. What write could not write is its error.
func writeNew(path string, write func(*bufio.Writer)) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	out := bufio.NewWriterSize(file, 256<<10)
	write(out)
	err = out.Flush()
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// record are the columns of a roll, in order.
var record = strings.Split(strings.TrimSpace(roll.Header), ",")

// row writes one person.
func (c *crowd) row(out *bufio.Writer, m members, index int, columns []string) {
	id, of := c.roll.StrangerID, c.roll.Stranger
	if m.Elector {
		id, of = c.roll.ID, c.roll.Record
	}
	var cells []string
	for i, column := range columns {
		if i > 0 {
			_ = out.WriteByte(',')
		}
		value := ""
		switch {
		case strings.HasSuffix(column, "_id"):
			value = id(index)
		case strings.HasSuffix(column, "_score"):
			value = fmt.Sprint(dice(uint64(len(column)), index, 100))
		case column == "country":
			value = m.Country
		case column == "email":
			value = strings.ToLower(id(index)) + "@people.invalid"
		case column == "phone":
			value = fmt.Sprintf("+1 000 555 %04d", dice(9, index, 10_000))
		default:
			if cells == nil {
				cells = splitRecord(of(index))
			}
			for at, name := range record {
				if name == column {
					value = cells[at]
				}
			}
		}
		_, _ = out.WriteString(value)
	}
	_ = out.WriteByte('\n')
}

// splitRecord cuts a line of the roll into its columns, quotes left on.
func splitRecord(line string) []string {
	cells := make([]string, 0, len(record))
	quoted, from := false, 0
	for i, b := range []byte(line) {
		switch {
		case b == '"':
			quoted = !quoted
		case (b == ',' || b == '\n') && !quoted:
			cells = append(cells, line[from:i])
			from = i + 1
		}
	}
	return cells
}
