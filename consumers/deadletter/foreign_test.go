package deadletter_test

import (
	"testing"

	"github.com/rolltrace/rolltrace/consumers/deadletter"
	"github.com/rolltrace/rolltrace/schema/schematest"
	"github.com/rolltrace/rolltrace/schema/stream"
)

// What somebody else published into the rejected stream is listed as such, hides nothing, and is not replayed.
func TestForeignMessages(t *testing.T) {
	js := schematest.JetStream(t, schematest.NATS(t))
	if _, err := stream.Ensure(t.Context(), js, stream.Options{}); err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{"one", "two"} {
		if _, err := js.Publish(t.Context(), "rolltrace.v1.rejected.foo", []byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	queue := deadletter.New(js)
	listed := 0
	for e, err := range queue.List(t.Context(), deadletter.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Code != deadletter.Foreign || e.Subject != "rolltrace.v1.rejected.foo" {
			t.Errorf("listed as %+v", e)
		}
		listed++
	}
	if listed != 2 {
		t.Errorf("%d are listed, want 2", listed)
	}
	if n, err := queue.Replay(t.Context(), deadletter.Filter{}, nil); n != 0 || err != nil {
		t.Errorf("replayed %d, %v", n, err)
	}
}
