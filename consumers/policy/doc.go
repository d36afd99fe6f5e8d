// Package policy says what stands out: rules, one YAML file each, whose expressions (CEL) look at movements, the registry of
// their time and what went before, as of a time. Shipped is the set of rules that this package embeds; a folder of one's
// own comes beside it.
//
// Promise: what the rules find is a function of the log, the rules and the time that they are asked about, whatever the order in
// which messages arrived; after late movements or another registry everything is found anew. A rule with a fault (an
// expression that does not compile, or that could take too long) is refused with its file and line, and with it the whole
// set: either all rules count or none do. A rule that takes too long on one subject is stopped there, which is counted
// and said with its file and line, and the others go on.
//
// What a finding was, when it was opened, changed and resolved, and why, is kept, as what this centre said at the time:
// that, unlike the findings, depends on when it looked. Alerts are published before they are noted, and again if that fails:
// at least once.
package policy
