package embedded

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// openTerminal makes standard input a terminal of its own, and returns the other end of it.
func openTerminal() (*os.File, error) {
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	if err := attach(int(master.Fd())); err != nil {
		_ = master.Close()
		return nil, err
	}
	return master, nil
}

func attach(master int) error {
	if err := unix.IoctlSetPointerInt(master, unix.TIOCSPTLCK, 0); err != nil {
		return fmt.Errorf("unlock the terminal: %w", err)
	}
	number, err := unix.IoctlGetInt(master, unix.TIOCGPTN)
	if err != nil {
		return fmt.Errorf("number of the terminal: %w", err)
	}
	slave, err := unix.Open(fmt.Sprintf("/dev/pts/%d", number), unix.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return fmt.Errorf("open the terminal: %w", err)
	}
	defer func() { _ = unix.Close(slave) }()
	return dup(slave, 0)
}
