//go:build !linux

package embedded

// machineMemory is not known here; DefaultMaxMemory then takes its middle value.
func machineMemory() int64 { return 0 }
