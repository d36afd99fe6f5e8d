package logging_test

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/rolltrace/rolltrace/cmd/internal/logging"
)

func TestLinesOffATerminalAreJSONWithUTCAndMilliseconds(t *testing.T) {
	var out bytes.Buffer
	log := logging.New(&out, "prog", logging.Default())
	log.Debug().Msg("not written")
	log.Info().Dur("wait_ms", 1500*time.Microsecond).Msg("waited")
	var line struct {
		Time, Program, Message, Level string
		Wait                          float64 `json:"wait_ms"`
	}
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatalf("%v in %q", err, &out)
	}
	at, err := time.Parse("2006-01-02T15:04:05.000000Z", line.Time)
	if err != nil || time.Since(at) > time.Hour {
		t.Errorf("time %q: %v", line.Time, err)
	}
	if line.Program != "prog" || line.Message != "waited" || line.Level != "info" || line.Wait != 1.5 {
		t.Errorf("have %+v", line)
	}
}
