package roll

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"
	"sync"
)

// Source is the table that the districts are read from, as CSV: district_number, district_name, province,
// electors, polling_stations.
//
//go:embed electoral-districts-2021.csv
var Source string

// A District is one of the 338 federal electoral districts of 2021.
type District struct {
	Number   int // as Elections Canada numbers it: its first two digits are the province
	Name     string
	Province string
	Electors int
	Stations int // polling stations

	first uint64 // index of its first elector in the national roll
}

// Districts are all 338, in the order of the table. They have 27,509,496 electors.
func Districts() []District {
	all := districts()
	return append(make([]District, 0, len(all)), all...)
}

var districts = sync.OnceValue(func() []District {
	var all []District
	first := uint64(0)
	for i, line := range strings.Split(strings.TrimSpace(Source), "\n") {
		if i == 0 {
			continue
		}
		d, err := parseDistrict(strings.Split(strings.TrimSpace(line), ","))
		if err != nil {
			panic(fmt.Sprintf("roll: line %d of the table: %v", i+1, err))
		}
		d.first = first
		first += uint64(d.Electors)
		all = append(all, d)
	}
	return all
})

func parseDistrict(columns []string) (District, error) {
	if len(columns) != 5 {
		return District{}, fmt.Errorf("have %d columns, want 5", len(columns))
	}
	numbers := [3]int{}
	for i, column := range []string{columns[0], columns[3], columns[4]} {
		n, err := strconv.Atoi(column)
		if err != nil {
			return District{}, err
		}
		numbers[i] = n
	}
	return District{Number: numbers[0], Name: columns[1], Province: columns[2], Electors: numbers[1], Stations: numbers[2]}, nil
}

// Count is the number of electors of some districts.
func Count(districts []District) int {
	n := 0
	for _, d := range districts {
		n += d.Electors
	}
	return n
}
