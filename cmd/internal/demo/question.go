package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/rolltrace/rolltrace/cmd/internal/config"
)

// A Question is what a committee would ask, and how `rolltrace` answers it.
type Question struct {
	Name string `yaml:"name"`
	Ask  string `yaml:"ask"`
	// Run are commands of `rolltrace`, without the name of the program; {person:GROUP} is the identifier of somebody, and
	// {file:PATH} one in the data folder.
	Run []Command `yaml:"run"`
	// Say is the answer for people. {NAME} is one of the numbers.
	Say string `yaml:"say"`
}

// A Command is one of the commands of a question, and what of its answer is told.
type Command struct {
	Command string `yaml:"command"` // "": more of the answer of the one before
	// Numbers are found in the answer's JSON, by name: see pick. recount.sh counts each of them again.
	Numbers map[string]string `yaml:"numbers"`
	// Rows is the list in the answer that becomes a table; Columns are title and place of each cell in an item of it.
	Rows    string      `yaml:"rows"`
	Columns [][2]string `yaml:"columns"`
}

// askAll asks, after a step or ("") in the end.
func (s *stage) askAll(ctx context.Context, after string, questions []Question) error {
	for _, q := range questions {
		asked := Asked{Name: q.Name, Ask: s.say(q.Ask, nil), After: after, Numbers: map[string]uint64{}, Notes: []string{}}
		for _, command := range q.Run {
			if err := s.run(ctx, command, &asked); err != nil {
				return fmt.Errorf("question %s: %w", q.Name, err)
			}
		}
		asked.Say = s.say(q.Say, asked.Numbers)
		s.report.Questions = append(s.report.Questions, asked)
	}
	return nil
}

// run runs one command, unless its answer is there, and finds in the answer what is to be told.
func (s *stage) run(ctx context.Context, command Command, asked *Asked) error {
	if command.Command != "" {
		part, err := s.answer(ctx, command.Command)
		if err != nil {
			return err
		}
		asked.Parts = append(asked.Parts, part)
	}
	if len(asked.Parts) == 0 {
		return errors.New("want a command")
	}
	part := &asked.Parts[len(asked.Parts)-1]
	var answer any
	if err := json.Unmarshal(part.Answer, &answer); err != nil {
		return fmt.Errorf("%s: %w", part.Command, err)
	}
	for name, where := range command.Numbers {
		n, err := number(answer, where)
		if err != nil {
			return fmt.Errorf("%s: %s: %w", part.Command, name, err)
		}
		asked.Numbers[name] = n
	}
	if command.Rows != "" {
		table, err := tabulate(answer, command)
		if err != nil {
			return fmt.Errorf("%s: %w", part.Command, err)
		}
		part.Tables = append(part.Tables, *table)
	}
	notes, _ := pick(answer, "notes")
	list, _ := notes.([]any)
	for _, note := range list {
		note, _ := note.(map[string]any)
		code, _ := note["code"].(string)
		text, _ := note["text"].(string)
		asked.Notes = withNote(asked.Notes, code, text)
	}
	return nil
}

// answer runs a command of `rolltrace` with --json.
func (s *stage) answer(ctx context.Context, command string) (Part, error) {
	words := strings.Fields(command)
	for i, word := range words {
		if group, ok := strings.CutPrefix(word, "{person:"); ok {
			id, err := s.people.id(strings.TrimSuffix(group, "}"), 0)
			if err != nil {
				return Part{}, err
			}
			words[i] = id
		}
		if file, ok := strings.CutPrefix(word, "{file:"); ok {
			words[i] = s.path(strings.TrimSuffix(file, "}"))
		}
	}
	var out bytes.Buffer
	env := []string{config.Prefix + "DATA=" + s.path(CentreFolder), config.Prefix + "KEY=" + s.path(KeyFile)}
	err := s.launcher.runIn(ctx, env, nil, &out, s.programs[Asker], append(slices.Clone(words), "--json")...)
	return Part{Command: strings.ReplaceAll(Asker+" "+strings.Join(words, " "), s.cfg.Data+string(filepath.Separator), ""), Answer: bytes.TrimSpace(out.Bytes())}, err
}

// say puts numbers, and identifiers of people, into a text, and makes it one line.
func (s *stage) say(text string, numbers map[string]uint64) string {
	for name, n := range numbers {
		text = strings.ReplaceAll(text, "{"+name+"}", Grouped(n))
	}
	for name := range s.people.groups {
		if id, err := s.people.id(name, 0); err == nil {
			text = strings.ReplaceAll(text, "{person:"+name+"}", id)
		}
	}
	return strings.Join(strings.Fields(text), " ")
}

// Grouped writes a number in groups of three: 27,509,496.
func Grouped(n uint64) string {
	digits := strconv.FormatUint(n, 10)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// tabulate makes a table of a list in an answer.
func tabulate(answer any, command Command) (*Table, error) {
	rows, err := pick(answer, command.Rows)
	if err != nil {
		return nil, err
	}
	list, ok := rows.([]any)
	if !ok || len(command.Columns) == 0 {
		return nil, fmt.Errorf("rows %q: want a list, and columns", command.Rows)
	}
	table := &Table{}
	for _, column := range command.Columns {
		table.Titles = append(table.Titles, column[0])
	}
	for _, item := range list {
		var cells []string
		for _, column := range command.Columns {
			value, err := pick(item, column[1])
			if err != nil {
				return nil, err
			}
			cells = append(cells, cell(value))
		}
		table.Rows = append(table.Rows, cells)
	}
	return table, nil
}

// cell is a value for people: of counts their number, of times the day.
func cell(value any) string {
	switch value := value.(type) {
	case string:
		if len(value) > 10 && value[4] == '-' && value[10] == 'T' {
			return value[:10]
		}
		return value
	case float64:
		return Grouped(uint64(value))
	case bool:
		if value {
			return "yes"
		}
		return "no"
	case []any:
		var parts []string
		for _, item := range value {
			fields, _ := item.(map[string]any)
			switch n := fields["electors"].(type) {
			case float64:
				part := Grouped(uint64(n))
				if space, _ := fields["id_space"].(string); len(value) > 1 {
					part += " " + space
				}
				parts = append(parts, part)
				continue
			case []any: // by origin
				parts = append(parts, cell(n)+" "+strings.ReplaceAll(cell(fields["origin"]), "_", " "))
				continue
			}
			if fields != nil {
				item = fields["place"]
			}
			parts = append(parts, cell(item))
		}
		return strings.Join(parts, ", ")
	}
	return ""
}

// number is the number at a place of an answer: one that stands there, that of the electors of one id space, or, with #
// at the end, the length of a list. With ? at the end, what is not there counts 0.
func number(answer any, where string) (uint64, error) {
	where, orNone := strings.CutSuffix(where, " ?")
	where, length := strings.CutSuffix(where, " #")
	value, err := pick(answer, where)
	if err != nil {
		if orNone {
			return 0, nil
		}
		return 0, err
	}
	list, isList := value.([]any)
	switch {
	case length && isList:
		return uint64(len(list)), nil
	case isList && len(list) == 0 && orNone:
		return 0, nil
	case isList && len(list) == 1:
		value, _ = pick(list[0], "electors")
	}
	if n, ok := value.(float64); ok && !length {
		return uint64(n), nil
	}
	return 0, fmt.Errorf("%q: no single number stands there", where)
}

// pick walks into an answer: a word is the name of a field, the index of an item, or what one of an item's texts is.
func pick(value any, where string) (any, error) {
	for _, word := range strings.Fields(where) {
		found := false
		switch at := value.(type) {
		case map[string]any:
			value, found = at[word]
		case []any:
			if i, err := strconv.Atoi(word); err == nil && i >= 0 && i < len(at) {
				value, found = at[i], true
				break
			}
			i := slices.IndexFunc(at, func(item any) bool {
				fields, _ := item.(map[string]any)
				for _, text := range fields {
					if text == word {
						return true
					}
				}
				return false
			})
			if i >= 0 {
				value, found = at[i], true
			}
		}
		if !found {
			return nil, fmt.Errorf("%q: there is no %q", where, word)
		}
	}
	return value, nil
}
