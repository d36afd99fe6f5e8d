package pgtap_test

import (
	"os"
	"testing"

	"github.com/rolltrace/rolltrace/schema/schematest"
)

// processEnv makes this test binary a tap.
const processEnv = "PGTAP_TEST_PROCESS"

func TestMain(m *testing.M) {
	if os.Getenv(processEnv) != "" {
		os.Exit(tapProcess())
	}
	schematest.Main(m)
}
