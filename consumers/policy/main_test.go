package policy_test

import (
	"testing"

	"github.com/rolltrace/rolltrace/schema/schematest"
)

func TestMain(m *testing.M) { schematest.Main(m) }
