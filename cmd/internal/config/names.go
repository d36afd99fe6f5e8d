package config

import (
	"regexp"
	"strings"
)

// others are the environment variables that some Rolltrace program knows. One environment often serves
// several of them: a setting of another program is not an unknown one.
var others = names(`
	CONFIG LOG_LEVEL LOG_FORMAT
	DATA NATS CLICKHOUSE NATS_LISTEN CLICKHOUSE_LISTEN CLICKHOUSE_HTTP CLICKHOUSE_MEMORY HTTP
	NATS_USER NATS_PASSWORD NATS_TLS_CERT NATS_TLS_KEY
	CLUSTER REPLICA_PATH DEFINER LOCK_TIMEOUT ACCEPT_LOST TRUST
	ORG SIDECAR OUTBOX KEY IDENTITY NATS_SEED NATS_CA INTAKE HEARTBEAT PLACES ON_FULL MAX_BYTES BLOCK_TIMEOUT
	EXPLORER_LISTEN EXPLORER_TLS_CERT EXPLORER_TLS_KEY EXPLORER_TOKENS EXPLORER_ELECTOR_KEY EXPLORER_CLICKHOUSE RULES WEBHOOK WEBHOOK_TOKEN
`)

func names(list string) map[string]bool {
	set := map[string]bool{}
	for _, name := range strings.Fields(list) {
		set[Prefix+name] = true
	}
	return set
}

// serviceLink matches what Kubernetes puts into the environment of every container for a Service whose
// name begins with "rolltrace": not settings, and nobody's fault.
var serviceLink = regexp.MustCompile(`_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$`)

// elsewhere says whether an environment variable that this program does not know is a setting of another
// Rolltrace program, or no setting at all.
func elsewhere(name string) bool { return others[name] || serviceLink.MatchString(name) }
