package policy

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/checker"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"

	"github.com/rolltrace/rolltrace/schema/document"
)

// What an expression may cost, in CEL's units: about one for each value that is looked at. The first bounds what it could
// take on the largest subject, and refuses it before it runs; the second what it does take.
const (
	maxEstimate = 1_000_000
	maxCost     = 100_000
)

// Sizes that the estimate reckons with: no subject is larger.
const (
	maxListSize = 128
	maxTextSize = 128
)

// A program is an expression that compiled.
type program struct {
	cel.Program
	where document.Where
}

// ErrStopped: an expression cost more than it may.
var ErrStopped = errors.New("stopped: it takes too long")

func compile(env *cel.Env, text document.Text, want *cel.Type, faults *document.Faults) *program {
	ast, issues := env.Compile(text.Value)
	if issues.Err() != nil {
		for _, e := range issues.Errors() {
			at := text.Where
			at.Line += max(e.Location.Line(), 1) - 1
			faults.Add(at, "%s (column %d of the expression)", strings.ReplaceAll(e.Message, "\n", " "), e.Location.Column()+1)
		}
		return nil
	}
	if want != nil && !ast.OutputType().IsExactType(want) {
		faults.Add(text.Where, "the expression gives %s: want %s", ast.OutputType(), want)
		return nil
	}
	estimate, err := env.EstimateCost(ast, sizes{})
	if err != nil || estimate.Max > maxEstimate {
		faults.Add(text.Where, "the expression could take too long: it costs up to %d: want at most %d", estimate.Max, maxEstimate)
		return nil
	}
	made, err := env.Program(ast, cel.EvalOptions(cel.OptOptimize), cel.CostLimit(maxCost))
	if err != nil {
		faults.Add(text.Where, "%s", strings.ReplaceAll(err.Error(), "\n", " "))
		return nil
	}
	return &program{made, text.Where}
}

// sizes tells the estimate how large values can be.
type sizes struct{}

func (sizes) EstimateSize(node checker.AstNode) *checker.SizeEstimate {
	switch node.Type().Kind() {
	case types.ListKind:
		return &checker.SizeEstimate{Min: 0, Max: maxListSize}
	case types.StringKind:
		return &checker.SizeEstimate{Min: 0, Max: maxTextSize}
	}
	return nil
}

func (sizes) EstimateCallCost(string, string, *checker.AstNode, []checker.AstNode) *checker.CallEstimate {
	return nil
}

// eval runs the program. Its error has file and line, and no value.
func (p *program) eval(facts *facts) (ref.Val, error) {
	value, _, err := p.Eval(facts)
	switch {
	case err == nil:
		return value, nil
	case strings.Contains(err.Error(), "cost limit exceeded"): // the library has no error of its own for it
		return nil, fmt.Errorf("%s: %w (more than %d)", p.where, ErrStopped, maxCost)
	}
	return nil, fmt.Errorf("%s: %s", p.where, strings.ReplaceAll(err.Error(), "\n", " "))
}

// A part of a text is words, or an expression.
type part struct {
	words string
	value *program
}

// compileText cuts "… {expression} …" into parts. An expression holds no braces.
func compileText(env *cel.Env, text document.Text, faults *document.Faults) []part {
	var parts []part
	rest, at := strings.TrimSpace(text.Value), text.Where
	for rest != "" {
		words, after, found := strings.Cut(rest, "{")
		if words != "" {
			parts = append(parts, part{words: words})
		}
		if !found {
			break
		}
		at.Line += strings.Count(words, "\n")
		expression, behind, closed := strings.Cut(after, "}")
		if !closed {
			faults.Add(at, "text: a { without its }")
			return nil
		}
		parts = append(parts, part{value: compile(env, document.Text{Value: expression, Where: at}, nil, faults)})
		rest = behind
	}
	return parts
}

func write(parts []part, facts *facts) (string, error) {
	var b strings.Builder
	for _, p := range parts {
		b.WriteString(p.words)
		if p.value == nil {
			continue
		}
		value, err := p.value.eval(facts)
		if err != nil {
			return "", err
		}
		b.WriteString(shown(value))
	}
	return b.String(), nil
}

// shown is a value for people.
func shown(value ref.Val) string {
	switch v := value.(type) {
	case types.String:
		return string(v)
	case types.Int:
		return grouped(int64(v))
	case types.Double:
		return strconv.FormatFloat(float64(v), 'f', -1, 64)
	case types.Timestamp:
		if at := v.Time.UTC(); !at.Equal(at.Truncate(24 * time.Hour)) {
			return at.Format("2006-01-02 15:04:05")
		}
		return v.Time.UTC().Format(time.DateOnly)
	case types.Duration:
		return v.Duration.Round(time.Second).String()
	case traits.Lister:
		var items []string
		for it := v.Iterator(); it.HasNext() == types.True; {
			items = append(items, shown(it.Next()))
		}
		return strings.Join(items, ", ")
	}
	return fmt.Sprint(value.Value())
}

// grouped writes a number in groups of three.
func grouped(n int64) string {
	digits := strconv.FormatInt(n, 10)
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
