package stream

import (
	"fmt"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/wire"
)

// Permissions are subjects that a NATS user may use; everything else is denied.
type Permissions struct {
	Publish   []string
	Subscribe []string
}

// SidecarPermissions are what a sidecar's user needs at the hub, and no more: to publish its own messages,
// in any version, and to see the acknowledgements of them. It cannot read the log, nor publish in another's
// name. The user's connection must use InboxPrefix, so that no sidecar sees the acknowledgements of another.
func SidecarPermissions(org, sidecar string) (Permissions, error) {
	if !schema.ValidOrg(org) || !schema.ValidSidecar(sidecar) {
		return Permissions{}, fmt.Errorf("permissions of sidecar %q of %q: want 1 to 63 of a-z 0-9 -, beginning with a letter or digit", sidecar, org)
	}
	var p Permissions
	for _, t := range []string{string(wire.TypeMovement), string(wire.TypeElectors) + ".*", string(wire.TypeHeartbeat), string(wire.TypeGap)} {
		p.Publish = append(p.Publish, "rolltrace.*."+t+"."+org+"."+sidecar)
	}
	p.Subscribe = []string{InboxPrefix(org, sidecar) + ".>"}
	return p, nil
}

// InboxPrefix is the inbox prefix of a sidecar's connection to the hub (nats.CustomInboxPrefix).
func InboxPrefix(org, sidecar string) string { return "_INBOX_" + org + "." + sidecar }
