package embedded

const gib = int64(1) << 30

// DefaultMaxMemory is the bound on the server's memory when none is given: a quarter of the machine's
// memory, from 1 to 6 GiB (2 GiB where the machine's memory is not known), because the consumer, NATS and
// the page cache want their share of the same machine.
func DefaultMaxMemory() int64 {
	memory := machineMemory()
	if memory == 0 {
		return 2 * gib
	}
	return min(max(memory/4, gib), 6*gib)
}
