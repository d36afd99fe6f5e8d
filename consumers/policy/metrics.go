package policy

import "github.com/prometheus/client_golang/prometheus"

// Metrics are counts and states of a policy, under rolltrace_policy_.
type Metrics struct {
	evaluations prometheus.Counter
	seconds     prometheus.Histogram
	retries     prometheus.Counter
	stopped     prometheus.Counter
	position    prometheus.Gauge
	events      *prometheus.CounterVec
	open        *prometheus.GaugeVec
	webhook     *prometheus.CounterVec
}

// NewMetrics registers the metrics. Without a registry nobody sees them.
func NewMetrics(r prometheus.Registerer) *Metrics {
	name := func(n, help string) prometheus.Opts {
		return prometheus.Opts{Namespace: "rolltrace", Subsystem: "policy", Name: n, Help: help}
	}
	m := &Metrics{
		evaluations: prometheus.NewCounter(prometheus.CounterOpts(name("evaluations_total", "How often the rules were asked about everything."))),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: "rolltrace", Subsystem: "policy", Name: "seconds",
			Help: "How long that took.", Buckets: prometheus.ExponentialBuckets(0.01, 2, 14)}),
		retries:  prometheus.NewCounter(prometheus.CounterOpts(name("retries_total", "Attempts that failed because ClickHouse or the hub was away."))),
		stopped:  prometheus.NewCounter(prometheus.CounterOpts(name("stopped_total", "Rules that were stopped on a subject because they took too long."))),
		position: prometheus.NewGauge(prometheus.GaugeOpts(name("position", "Log message up to which the rules were asked."))),
		events:   prometheus.NewCounterVec(prometheus.CounterOpts(name("events_total", "Findings that were opened, changed or resolved.")), []string{"rule", "state"}),
		open:     prometheus.NewGaugeVec(prometheus.GaugeOpts(name("findings", "Findings that are open.")), []string{"rule"}),
		webhook:  prometheus.NewCounterVec(prometheus.CounterOpts(name("webhook_total", "Alerts sent to the webhook: taken, or to be sent again.")), []string{"outcome"}),
	}
	if r != nil {
		r.MustRegister(m.evaluations, m.seconds, m.retries, m.stopped, m.position, m.events, m.open, m.webhook)
	}
	return m
}
