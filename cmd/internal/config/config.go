package config

import (
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"

	"github.com/spf13/pflag"

	"github.com/rolltrace/rolltrace/cmd/internal/boot"
)

// Prefix begins the name of every environment variable that configures Rolltrace.
const Prefix = "ROLLTRACE_"

// A Loader fills one configuration. It is used once.
type Loader struct {
	target reflect.Value // the struct
	fields []*field
	flags  *pflag.FlagSet

	file  string // --config
	check bool   // --check
	dump  bool   // --dump

	// Environ is the environment, "NAME=value". Defaults to os.Environ().
	Environ []string
}

// Bind gives every field of *target (a pointer to a struct) a flag, and adds --config, --check and
// --dump. It panics on a struct that it cannot bind, which is a mistake in the program.
func Bind(flags *pflag.FlagSet, target any) *Loader {
	l := &Loader{target: reflect.ValueOf(target).Elem(), flags: flags, Environ: os.Environ()}
	l.fields = walk(l.target, nil)
	for _, f := range l.fields {
		if f.flag == "" {
			continue
		}
		f.told = &flagValue{field: f}
		set := flags.VarPF(f.told, f.flag, f.short, f.doc)
		if f.value.Kind() == reflect.Bool {
			set.NoOptDefVal = "true"
		}
	}
	flags.StringVar(&l.file, "config", "", "YAML file with these settings (environment: "+Prefix+"CONFIG)")
	flags.BoolVar(&l.check, "check", false, "check the configuration and end")
	flags.BoolVar(&l.dump, "dump", false, "print the configuration in force as YAML, secrets left out, and end")
	return l
}

// Load fills the configuration, the file first, then the environment, then the flags, and asks its
// Validate method (if it has one). Every error is wrong usage (boot.IsWrong), but that the file cannot be
// read.
//
// With --check or --dump it writes to stdout what was asked, and done is true: the program has nothing
// more to do.
func (l *Loader) Load(stdout io.Writer) (done bool, err error) {
	if err := l.fromFile(); err != nil {
		return false, err
	}
	if err := l.fromEnvironment(); err != nil {
		return false, boot.Wrong(err)
	}
	if err := l.fromFlags(); err != nil {
		return false, boot.Wrong(err)
	}
	if v, ok := l.target.Addr().Interface().(interface{ Validate() error }); ok {
		if err := v.Validate(); err != nil {
			return false, boot.Wrong(fmt.Errorf("configuration: %w", err))
		}
	}
	switch {
	case l.dump:
		return true, l.Dump(stdout)
	case l.check:
		_, err := fmt.Fprintln(stdout, "configuration: good")
		return true, err
	}
	return false, nil
}

// File is the configuration file that was read, or "".
func (l *Loader) File() string { return l.file }

// Source says where the field with this key ("log.level") got its value: "default",
// "rolltrace.yaml:3", "ROLLTRACE_LOG_LEVEL" or "--log-level". Error messages of a program that uses the
// value later can name it.
func (l *Loader) Source(key string) string {
	for _, f := range l.fields {
		if f.key() == key && f.source != "" {
			return f.source
		}
	}
	return "default"
}

func (l *Loader) fromFile() error {
	if l.file == "" {
		l.file, _ = l.lookup(Prefix + "CONFIG")
	}
	if l.file == "" {
		return nil
	}
	raw, err := os.ReadFile(l.file)
	if err != nil {
		return fmt.Errorf("read configuration: %w", err)
	}
	return boot.Wrong(l.decodeFile(raw))
}

func (l *Loader) fromEnvironment() error {
	known := make(map[string]*field, len(l.fields))
	for _, f := range l.fields {
		if f.env != "" {
			known[f.env] = f
		}
	}
	for _, entry := range l.Environ {
		name, value, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, Prefix) || name == Prefix+"CONFIG" {
			continue
		}
		f, ok := known[name]
		if !ok {
			if elsewhere(name) {
				continue
			}
			return fmt.Errorf("environment: unknown setting %s%s", name, suggest(name, keys(known)))
		}
		if err := f.set(split(f, value)); err != nil {
			return fmt.Errorf("environment: %s: %w", name, err)
		}
		f.source = name
	}
	return nil
}

func (l *Loader) fromFlags() error {
	for _, f := range l.fields {
		if f.flag == "" || !l.flags.Changed(f.flag) {
			continue
		}
		if err := f.set(f.told.given); err != nil {
			return fmt.Errorf("--%s: %w", f.flag, err)
		}
		f.source = "--" + f.flag
	}
	return nil
}

func (l *Loader) lookup(name string) (string, bool) {
	for _, entry := range l.Environ {
		if value, ok := strings.CutPrefix(entry, name+"="); ok {
			return value, true
		}
	}
	return "", false
}

// flagValue keeps what the command line says until Load, so that the file and the environment can be
// applied first; it tries the value at once, so that a bad one is named with its flag.
type flagValue struct {
	field *field
	given []string
}

func (v *flagValue) Set(text string) error {
	if err := v.field.try(split(v.field, text)); err != nil {
		return err
	}
	if v.field.list() {
		v.given = append(v.given, split(v.field, text)...)
	} else {
		v.given = []string{text}
	}
	return nil
}

// LastWins marks a flag that may be given again: a setting is overridden by what comes later, on the command line too.
func (v *flagValue) LastWins() {}

func (v *flagValue) Type() string { return v.field.kind() }

// String is the default as the help shows it.
func (v *flagValue) String() string {
	if v == nil || v.field == nil {
		return ""
	}
	return v.field.text()
}
