package dashboards_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
)

// A query is what Grafana knows when it sends a panel's SQL: the period of the time picker, the width of a
// point, and the values chosen for the dashboard's variables.
type query struct {
	from, to  time.Time
	interval  time.Duration
	variables map[string]choice
}

// A choice is what somebody picked for a variable: some values, or all of them.
type choice struct {
	values []string
	all    bool
}

// expand turns a panel's SQL into what ClickHouse gets. It goes through the same steps as Grafana and
// the plug-in grafana-clickhouse-datasource 4.21: in the browser $__conditionalAll, then Grafana's
// variables; in the plug-in's back end the macros, outside of comments. Where those would send an unknown macro or
// variable on as it is, expand fails: a typing error must not end in ClickHouse.
func (q query) expand(sql string) (string, error) {
	sql, err := q.conditionalAll(sql)
	if err != nil {
		return "", err
	}
	if sql, err = q.replaceVariables(sql); err != nil {
		return "", err
	}
	if sql, err = q.replaceMacros(withoutComments(sql)); err != nil {
		return "", err
	}
	if left := regexp.MustCompile(`\$\{?\w+`).FindString(sql); left != "" {
		return "", fmt.Errorf("%s: nobody replaces it", left)
	}
	return sql, nil
}

// conditionalAll replaces $__conditionalAll(condition, $variable) by the condition, or by 1=1 when the
// variable stands at all, or at nothing. The plug-in goes from the last one to the first, and counts brackets and commas
// without looking at quotes.
func (q query) conditionalAll(sql string) (string, error) {
	const macro = "$__conditionalAll("
	for {
		at := strings.LastIndex(sql, macro)
		if at < 0 {
			return sql, nil
		}
		args, end := splitArguments(sql, at+len(macro)-1)
		if len(args) != 2 {
			return "", fmt.Errorf("$__conditionalAll has %d arguments, the plug-in wants 2 and would leave it alone", len(args))
		}
		name := regexp.MustCompile(`\$\{?(\w+)`).FindStringSubmatch(args[1])
		if name == nil {
			return "", fmt.Errorf("$__conditionalAll(…,%s): no variable", args[1])
		}
		chosen, ok := q.variables[name[1]]
		if !ok {
			return "", fmt.Errorf("$__conditionalAll(…,%s): no such variable", args[1])
		}
		phrase := args[0]
		if chosen.all || strings.Join(chosen.values, ",") == "" {
			phrase = "1=1"
		}
		sql = sql[:at] + phrase + sql[end:]
	}
}

// splitArguments cuts what stands in the brackets that open at position open. end is after the closing one.
func splitArguments(sql string, open int) (args []string, end int) {
	depth, start := 0, open+1
	for i := open; i < len(sql); i++ {
		switch sql[i] {
		case '(':
			depth++
		case ')':
			depth--
			if depth == 0 {
				return append(args, sql[start:i]), i + 1
			}
		case ',':
			if depth == 1 {
				args = append(args, sql[start:i])
				start = i + 1
			}
		}
	}
	return nil, len(sql)
}

var variablePattern = regexp.MustCompile(`\$\{(\w+)(?::([\w:]+))?\}|\$(\w+)`)

// replaceVariables replaces $name, ${name} and ${name:format} by the chosen values, and Grafana's own
// $__interval, $__interval_ms, $__from and $__to (as dates too: ${__to:date:iso}). Other names that begin with __
// are left to the macros.
func (q query) replaceVariables(sql string) (string, error) {
	var fault error
	out := variablePattern.ReplaceAllStringFunc(sql, func(found string) string {
		parts := variablePattern.FindStringSubmatch(found)
		name, format := parts[1]+parts[3], parts[2]
		switch name {
		case "__interval":
			return fmt.Sprintf("%ds", int(q.interval.Seconds()))
		case "__interval_ms":
			return fmt.Sprint(q.interval.Milliseconds())
		case "__from":
			return instant(q.from, format)
		case "__to":
			return instant(q.to, format)
		}
		if strings.HasPrefix(name, "__") {
			return found
		}
		chosen, ok := q.variables[name]
		if !ok {
			fault = fmt.Errorf("%s: the dashboard has no such variable", found)
			return found
		}
		switch format {
		case "singlequote": // Grafana escapes the quotes in it, which the plug-in's own format does not
			escaped := make([]string, len(chosen.values))
			for i, v := range chosen.values {
				escaped[i] = "'" + strings.ReplaceAll(v, "'", `\'`) + "'"
			}
			return strings.Join(escaped, ",")
		case "raw":
			return strings.Join(chosen.values, ",")
		}
		fault = fmt.Errorf("%s: want a format that escapes, ${%s:singlequote}", found, name)
		return found
	})
	return out, fault
}

// instant is a bound of the period as Grafana writes it: milliseconds, or the date in ISO 8601.
func instant(t time.Time, format string) string {
	if format == "date" || format == "date:iso" {
		return t.UTC().Format("2006-01-02T15:04:05.000Z")
	}
	return fmt.Sprint(t.UnixMilli())
}

// withoutComments blanks -- and /* */ comments outside of quotes: a macro in a comment is none.
func withoutComments(sql string) string {
	b := []byte(sql)
	blank := func(from, to int) {
		for i := from; i < to; i++ {
			if b[i] != '\n' {
				b[i] = ' '
			}
		}
	}
	for i := 0; i < len(b); i++ {
		switch {
		case b[i] == '\'' || b[i] == '"' || b[i] == '`':
			for quote, j := b[i], i+1; j < len(b); j++ {
				if b[j] == '\\' {
					j++
				} else if b[j] == quote {
					i = j
					break
				}
			}
		case strings.HasPrefix(string(b[i:]), "--"):
			end := strings.IndexByte(string(b[i:]), '\n')
			if end < 0 {
				end = len(b) - i
			}
			blank(i, i+end)
			i += end - 1
		case strings.HasPrefix(string(b[i:]), "/*"):
			end := strings.Index(string(b[i:]), "*/")
			if end < 0 {
				end = len(b) - i - 2
			}
			blank(i, i+end+2)
			i += end + 1
		}
	}
	return string(b)
}

var macroPattern = regexp.MustCompile(`\$__(\w+)`)

// replaceMacros replaces the macros of the plug-in's back end, the innermost last, as long as there are any.
func (q query) replaceMacros(sql string) (string, error) {
	for {
		found := macroPattern.FindStringSubmatchIndex(sql)
		if found == nil {
			return sql, nil
		}
		name, end := sql[found[2]:found[3]], found[1]
		var args []string
		if end < len(sql) && sql[end] == '(' {
			args, end = splitArguments(sql, end)
			if args == nil {
				return "", fmt.Errorf("$__%s: its bracket is not closed", name)
			}
		}
		if len(args) == 1 && strings.TrimSpace(args[0]) == "" {
			args = nil
		}
		text, err := q.macro(name, args)
		if err != nil {
			return "", err
		}
		sql = sql[:found[0]] + text + sql[end:]
	}
}

// macro is one macro as the plug-in writes it: seconds as toDateTime(n), milliseconds as
// fromUnixTimestamp64Milli(n), and an interval of at least one second.
func (q query) macro(name string, args []string) (string, error) {
	wanted := map[string]int{"timeFilter": 1, "timeFilter_ms": 1, "dateFilter": 1, "dateTimeFilter": 2, "dt": 2, "timeInterval": 1, "timeInterval_ms": 1, "timeFrom": 1, "timeTo": 1}
	if len(args) != wanted[name] {
		return "", fmt.Errorf("$__%s has %d arguments, want %d", name, len(args), wanted[name])
	}
	for i := range args {
		args[i] = strings.TrimSpace(args[i])
	}
	second := func(t time.Time) string { return fmt.Sprintf("toDateTime(%d)", t.Unix()) }
	milli := func(t time.Time) string { return fmt.Sprintf("fromUnixTimestamp64Milli(%d)", t.UnixMilli()) }
	day := func(t time.Time) string { return "toDate('" + t.UTC().Format(time.DateOnly) + "')" }
	between := func(column string, at func(time.Time) string) string {
		return fmt.Sprintf("%s >= %s AND %s <= %s", column, at(q.from), column, at(q.to))
	}
	switch name {
	case "fromTime":
		return second(q.from), nil
	case "toTime":
		return second(q.to), nil
	case "fromTime_ms":
		return milli(q.from), nil
	case "toTime_ms":
		return milli(q.to), nil
	case "timeFilter":
		return between(args[0], second), nil
	case "timeFilter_ms":
		return between(args[0], milli), nil
	case "timeFrom":
		return args[0] + " >= " + second(q.from), nil
	case "timeTo":
		return args[0] + " <= " + second(q.to), nil
	case "dateFilter":
		return between(args[0], day), nil
	case "dateTimeFilter", "dt":
		return fmt.Sprintf("(%s) AND (%s)", between(args[0], day), between(args[1], second)), nil
	case "timeInterval":
		return fmt.Sprintf("toStartOfInterval(toDateTime(%s), INTERVAL %d second)", args[0], max(int(q.interval.Seconds()), 1)), nil
	case "timeInterval_ms":
		return fmt.Sprintf("toStartOfInterval(toDateTime64(%s, 3), INTERVAL %d millisecond)", args[0], max(int(q.interval.Milliseconds()), 1)), nil
	case "interval_s":
		return fmt.Sprint(max(int(q.interval.Seconds()), 1)), nil
	}
	return "", fmt.Errorf("$__%s: the plug-in has no such macro", name)
}

func TestExpand(t *testing.T) {
	q := query{
		from:     time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC),
		to:       time.Date(2026, 4, 2, 0, 0, 0, 500e6, time.UTC),
		interval: 90 * time.Second,
		variables: map[string]choice{
			"org": {values: []string{"party-a", "o'x"}}, "place": {values: []string{"a/b/c"}, all: true}, "none": {},
		},
	}
	for sql, want := range map[string]string{
		"$__timeFilter(occurred_at)":                                             "occurred_at >= toDateTime(1775001600) AND occurred_at <= toDateTime(1775088000)",
		"$__timeFilter_ms(at)":                                                   "at >= fromUnixTimestamp64Milli(1775001600000) AND at <= fromUnixTimestamp64Milli(1775088000500)",
		"$__timeInterval(max(at))":                                               "toStartOfInterval(toDateTime(max(at)), INTERVAL 90 second)",
		"$__timeInterval_ms(at)":                                                 "toStartOfInterval(toDateTime64(at, 3), INTERVAL 90000 millisecond)",
		"$__fromTime, $__toTime":                                                 "toDateTime(1775001600), toDateTime(1775088000)",
		"$__fromTime_ms $__toTime_ms()":                                          "fromUnixTimestamp64Milli(1775001600000) fromUnixTimestamp64Milli(1775088000500)",
		"INTERVAL $__interval_s() second":                                        "INTERVAL 90 second",
		"$__interval_s $__interval_ms $__interval":                               "90 90000 90s",
		"'${__from:date:iso}' ${__to} $__to":                                     "'2026-04-01T00:00:00.000Z' 1775088000500 1775088000500",
		"$__dateFilter(d)":                                                       "d >= toDate('2026-04-01') AND d <= toDate('2026-04-02')",
		"$__dateTimeFilter(d, t)":                                                "(d >= toDate('2026-04-01') AND d <= toDate('2026-04-02')) AND (t >= toDateTime(1775001600) AND t <= toDateTime(1775088000))",
		"x IN (${org:singlequote})":                                              `x IN ('party-a','o\'x')`,
		"$__conditionalAll(x IN (${org:singlequote}), $org)":                     `x IN ('party-a','o\'x')`,
		"$__conditionalAll(x IN (${place:singlequote}, 'y'), $place)":            "1=1",
		"$__conditionalAll(a = 1, $none) AND $__conditionalAll(b = 2, ${place})": "1=1 AND 1=1",
		"1 -- $__x\n, '--', 2 /* $__y */":                                        "1        \n, '--', 2           ",
	} {
		got, err := q.expand(sql)
		if err != nil || got != want {
			t.Errorf("%s\n got %q, %v\nwant %q", sql, got, err, want)
		}
	}
	for _, wrong := range []string{
		"$__timeFiltr(x)", "$__timeFilter()", "$__timeFilter(a, b)", "$nobody", "${nobody:singlequote}", "$org", "${org}",
		"$__conditionalAll(a, b, $org)", "$__conditionalAll(a, org)", "$__conditionalAll(a, $nobody)", "$__timeFilter(a",
	} {
		if got, err := q.expand(wrong); err == nil {
			t.Errorf("%s became %q, want an error", wrong, got)
		}
	}
}
