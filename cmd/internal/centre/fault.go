package centre

import (
	"errors"
	"fmt"
	"net"
	"net/url"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/rolltrace/rolltrace/schema/graph"
)

// Exceptions of ClickHouse that a user can do something about.
const (
	codeAuthenticationFailed = 516
	codeAccessDenied         = 497
	codeQuotaExceeded        = 201
)

// AtClickHouse says where ClickHouse is and what to do about errors that a user can meet. The DSN's
// password is never shown.
func AtClickHouse(dsn string, err error) error {
	if err == nil {
		return nil
	}
	host, user := "", ""
	if u, parsed := url.Parse(dsn); parsed == nil {
		host, user = u.Host, u.User.Username()
	}
	var exception *clickhouse.Exception
	var network *net.OpError
	switch {
	case errors.As(err, &exception) && exception.Code == codeAuthenticationFailed:
		return fmt.Errorf("connect to clickhouse at %s: it refuses user %q: the password is wrong, or there is no such user", host, user)
	case isDefault(user) && (errors.Is(err, graph.ErrNotOwner) || errors.As(err, &exception) && (exception.Code == codeAccessDenied || exception.Code == codeQuotaExceeded)):
		return fmt.Errorf("connect to clickhouse at %s: it refuses user %q: name a user of the graph, and the right password (clickhouse://USER:PASSWORD@%[1]s/…)", host, "default")
	case errors.As(err, &exception) && exception.Code == codeAccessDenied:
		return fmt.Errorf("%w: user %q of clickhouse at %s may not do that: use another one", err, user, host)
	case errors.As(err, &network) && network.Op == "read" && network.Timeout():
		return fmt.Errorf("clickhouse at %s does not answer: ask again when the machine is less busy", host)
	case errors.As(err, &network) && network.Op == "dial":
		return fmt.Errorf("connect to clickhouse at %s: %w: is it running there? (\"rolltrace up\" starts a centre)", host, network.Err)
	}
	return err
}

// isDefault says whether it is the user that a DSN without one means. The embedded ClickHouse has it for itself, asks it for
// no password, and has used up its quota.
func isDefault(user string) bool { return user == "" || user == "default" }
