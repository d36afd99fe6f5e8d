package consumer

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"github.com/rolltrace/rolltrace/consumers"
	"github.com/rolltrace/rolltrace/consumers/deadletter"
	"github.com/rolltrace/rolltrace/consumers/lineage"
	"github.com/rolltrace/rolltrace/consumers/numbering"
	"github.com/rolltrace/rolltrace/consumers/policy"
	"github.com/rolltrace/rolltrace/schema/graph"
	"github.com/rolltrace/rolltrace/schema/stream"
)

// Options are what a consumer is put together from.
type Options struct {
	// Hub is the hub; its connection should come back by itself. It stays open. Required.
	Hub jetstream.JetStream
	// ClickHouse is the DSN of a user who may select from and insert into the graph's tables. Required.
	ClickHouse string
	// AcceptLost lets the consumer go on without messages up to this sequence of the log. Defaults to none.
	AcceptLost uint64
	// Signers and Trust are those of consumers.Config. Default to anybody.
	Signers map[consumers.Sidecar][]string
	Trust   consumers.Trust
	// Oversight is which rules are asked, and where alerts go: those of an exercise go nowhere.
	Oversight Oversight
	// Exercise is whose log is read, into a graph of its own. Defaults to the real one.
	Exercise stream.Exercise
	// Log is the program's.
	Log zerolog.Logger
}

// A Consumer is consumers.Consumer with everything that it needs.
type Consumer struct {
	*consumers.Consumer
	lineage   *lineage.Lineage
	policy    *policy.Policy
	webhook   *policy.Webhook // or nil
	graphs    []driver.Conn
	numbering *numbering.Numbering
	registry  *prometheus.Registry
}

// New puts a consumer together.
func New(o Options) (*Consumer, error) {
	rules, err := policy.Load(o.Oversight.Rules)
	if err != nil {
		return nil, fmt.Errorf("rules: %w", err)
	}
	conn, err := graph.Open(o.ClickHouse)
	if err != nil {
		return nil, err
	}
	derived, err := graph.Open(o.ClickHouse) // of its own: the consumer's connections are one for each table
	if err != nil {
		return nil, err
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	reader := graph.NewReader(conn)
	numbers := numbering.New(reader)
	c, err := consumers.New(consumers.Config{
		JetStream:  o.Hub,
		Reader:     reader,
		Writer:     graph.NewWriter(conn, graph.WriterConfig{}),
		Numbering:  numbers,
		Rejects:    deadletter.NewExercise(o.Hub, o.Exercise),
		Streams:    stream.Options{Exercise: o.Exercise},
		AcceptLost: o.AcceptLost,
		Signers:    o.Signers,
		Trust:      o.Trust,
		Metrics:    consumers.NewMetrics(registry),
		Log:        o.Log,
	})
	if err != nil {
		return nil, err
	}
	l, err := lineage.New(lineage.Config{
		Graph:   graph.NewLineage(derived, graph.WriterConfig{}),
		Watch:   c.Watch,
		Metrics: lineage.NewMetrics(registry),
		Log:     o.Log,
	})
	if err != nil {
		return nil, err
	}
	metrics := policy.NewMetrics(registry)
	p, err := policy.New(policy.Config{
		Graph:     graph.New(derived, graph.Config{}),
		Findings:  graph.NewFindings(derived, graph.WriterConfig{}),
		Rules:     rules,
		JetStream: o.Hub,
		Exercise:  o.Exercise,
		Watch:     c.Watch,
		Metrics:   metrics,
		Log:       o.Log,
	})
	if err != nil {
		return nil, err
	}
	var webhook *policy.Webhook
	if where := o.Oversight.Webhook; !where.IsZero() && o.Exercise == "" {
		webhook, err = policy.NewWebhook(policy.WebhookConfig{
			JetStream: o.Hub, URL: where.Reveal(), Bearer: o.Oversight.WebhookToken.Reveal(), Metrics: metrics, Log: o.Log,
		})
		if err != nil {
			return nil, err
		}
	}
	return &Consumer{Consumer: c, lineage: l, policy: p, webhook: webhook, graphs: []driver.Conn{conn, derived}, numbering: numbers, registry: registry}, nil
}

// Run is that of consumers.Consumer, and of the lineage and the policy that follow it: one that cannot go on ends the other.
// Afterwards it gives back what New took.
func (c *Consumer) Run(ctx context.Context) (err error) {
	defer c.numbering.Close()
	defer func() {
		for _, conn := range c.graphs {
			if closed := conn.Close(); err == nil && closed != nil {
				err = fmt.Errorf("close the connection to ClickHouse: %w", closed)
			}
		}
	}()
	group, ctx := errgroup.WithContext(ctx)
	deriving, stop := context.WithCancel(ctx)
	group.Go(func() error {
		defer stop() // nothing comes any more
		return c.Consumer.Run(ctx)
	})
	group.Go(func() error { return c.lineage.Run(deriving) })
	group.Go(func() error { return c.policy.Run(deriving) })
	if c.webhook != nil {
		group.Go(func() error { return c.webhook.Run(deriving) })
	}
	return group.Wait()
}

// Handler answers /metrics, /healthz and /readyz.
func (c *Consumer) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(c.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", c.Healthz)
	mux.HandleFunc("GET /readyz", c.readyz)
	return mux
}

// readyz answers 200 while the log is read, what is written is taken, and what follows from it is derived; 503
// otherwise, and the body says what does not work.
func (c *Consumer) readyz(w http.ResponseWriter, _ *http.Request) {
	lineage := c.lineage.Status()
	status := struct {
		consumers.Status
		Derived uint64 `json:"derived"` // what follows from everything up to this sequence is in the graph too
	}{c.Status(), lineage.Derived}
	if lineage.Failing {
		status.Ready, status.Faults = false, append(status.Faults, "lineage")
	}
	w.Header().Set("Content-Type", "application/json")
	if !status.Ready {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(status) // whoever asked has gone
}
