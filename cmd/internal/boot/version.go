package boot

import "runtime/debug"

// Version is the version of the software: what movements carry as producer.version. A release sets it
// with -ldflags "-X github.com/rolltrace/rolltrace/cmd/internal/boot.Version=…".
var Version = "0.1.0"

// Build is the version and the revision that it was built from, for people.
func Build() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return Version
	}
	revision, modified := "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision" && len(s.Value) >= 12:
			revision = s.Value[:12]
		case s.Key == "vcs.modified" && s.Value == "true":
			modified = ", modified"
		}
	}
	if revision == "" {
		return Version + " (" + info.GoVersion + ")"
	}
	return Version + " (" + revision + modified + ", " + info.GoVersion + ")"
}
