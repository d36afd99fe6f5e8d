package policy

import (
	"fmt"
	"strings"
)

// Page is the rule's page of documentation, in Markdown: docs/rules/<id>.md.
func (r *Rule) Page() string {
	var b strings.Builder
	indent := func(text string) string {
		return "    " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n    ")
	}
	fmt.Fprintf(&b, "# %s\n\n%s\n\n", r.Title, strings.TrimSpace(r.Means))
	fmt.Fprintf(&b, "**Rule** `%s` · **severity** %s · **looks at** each %s\n\n", r.ID, r.Severity, r.On)
	fmt.Fprintf(&b, "## Why\n\n%s\n\n", strings.TrimSpace(r.Why))
	fmt.Fprintf(&b, "## When\n\n%s\n\n## What it says\n\n%s\n", indent(r.When.Value), indent(r.Text.Value))
	return b.String()
}

// Index is the page that lists the rules and the facts that they can use: docs/rules/README.md.
func (rs *Rules) Index() string {
	var b strings.Builder
	b.WriteString(`# Rules

What stands out is said by rules: YAML files with an expression in [CEL](https://cel.dev) each, which is true where there is
something to say. The consumer asks them whenever something has come, about every movement, place, sidecar and so on, by
the registry of the movement's own time; "rolltrace findings" tells what they found. Rules of your own go into a folder
("rules:" in the consumer's configuration, --rules on the command line); one with the id of a shipped rule takes its place.
"rolltrace policy test FILE" says what a rule would have found in everything that is recorded.

A rule that does not compile, or whose expression could cost too much on the largest subject, is refused with file and line, and
the whole set with it; one that does cost too much on some subject is stopped there, which is said, and the others go on.

    id: share-without-agreement      # one file each, named so
    title: …                         # what it looks for
    severity: high                   # low, medium or high
    on: movement                     # what it looks at
    means: …                         # what a finding means, for people
    why: …                           # the rule's source
    when: movement.kind == "share" && crosses && movement.agreement == ""
    text: "{movement.inputs} went to {to.organisation} without an agreement"

## Those that are shipped

| rule | severity | what it looks for |
| --- | --- | --- |
`)
	for _, r := range rs.list {
		fmt.Fprintf(&b, "| [%s](%s.md) | %s | %s |\n", r.ID, r.ID, r.Severity, r.Title)
	}
	b.WriteString("\n## Facts\n\nEvery rule can use `as_of` (the time that is asked about), and those about what it looks at. Do not put what changes with\nthe time that is asked about into a text: it would be another finding each time.\n")
	for _, on := range Subjects {
		fmt.Fprintf(&b, "\n### on: %s\n\n| fact | type | meaning |\n| --- | --- | --- |\n", on)
		for _, v := range Variables[on] {
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", v.Name, strings.TrimPrefix(v.Type.String(), "google.protobuf."), v.Doc)
		}
	}
	return b.String()
}
