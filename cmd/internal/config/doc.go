// Package config fills a program's configuration from a YAML file, the environment and flags, each
// overriding the one before.
//
// A configuration is a struct whose fields carry tags:
//
//	type Config struct {
//		// Outbox is the folder of the outbox. Defaults to …
//		Outbox  string          `yaml:"outbox" doc:"folder of the outbox"`
//		Timeout config.Duration `yaml:"timeout" doc:"how long a full outbox blocks; 0 for ever"`
//		NATS    config.Address  `yaml:"nats" doc:"URL of the hub"`
//		Log     logging.Config  `yaml:"log"`
//	}
//
// The field "log.level" is the key "level" under "log" in the file, ROLLTRACE_LOG_LEVEL in the
// environment and --log-level among the flags; `flag:"name"` renames the flag, `flag:"-"` leaves it out
// (the environment too). Defaults are what the struct holds when it is bound. Fields are strings, bools,
// whole numbers, Duration, Size, Secret, Address, anything else that implements
// encoding.TextUnmarshaler, structs of these, lists of these (a,b,c in the environment; repeated flags),
// and, in the file only, lists of structs.
//
// Promise: a key that no field has is an error that names it, with file and line; a value that does not
// fit names the field, the value (not of secrets) and what is wanted; nothing is half set: a
// configuration that could not be loaded is not to be used. Secrets never appear in Dump, String, JSON or
// an error.
package config
