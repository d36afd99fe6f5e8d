package centre_test

import (
	"fmt"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/rolltrace/rolltrace/cmd/internal/centre"
)

// A ClickHouse that takes connections and says nothing is said to be busy, without the driver's words.
func TestASilentClickHouseIsSaidToBeBusy(t *testing.T) {
	silent := &net.OpError{Op: "read", Net: "tcp", Err: os.ErrDeadlineExceeded}
	err := centre.AtClickHouse("clickhouse://analyst:secret@127.0.0.1:9000/rolltrace", fmt.Errorf("read movements: handshake: %w", silent))
	if have := err.Error(); have != "clickhouse at 127.0.0.1:9000 does not answer: ask again when the machine is less busy" {
		t.Errorf("have %q", have)
	}
	broken := &net.OpError{Op: "read", Net: "tcp", Err: os.ErrClosed}
	if err := centre.AtClickHouse("clickhouse://127.0.0.1:9000/", broken); strings.Contains(err.Error(), "busy") {
		t.Errorf("a broken connection is said to be a busy ClickHouse: %v", err)
	}
}
