package pgtap

import "github.com/prometheus/client_golang/prometheus"

// Metrics is what taps count.
type Metrics struct {
	Sessions  prometheus.Counter   // that were begun
	Active    prometheus.Gauge     // that are open
	Rows      prometheus.Counter   // of configured tables that were seen
	Electors  prometheus.Counter   // keys that were recorded
	Movements prometheus.Counter   // that were opened
	Blocked   prometheus.Counter   // results that did not go on because they could not be recorded
	Latency   prometheus.Histogram // that a small result waited for the disk, in seconds
}

// NewMetrics makes the metrics and registers them, if there is a registerer.
func NewMetrics(r prometheus.Registerer) *Metrics {
	opts := func(name, help string) prometheus.Opts {
		return prometheus.Opts{Namespace: "rolltrace", Subsystem: "pgtap", Name: name, Help: help}
	}
	m := &Metrics{
		Sessions:  prometheus.NewCounter(prometheus.CounterOpts(opts("sessions_total", "Sessions that were begun."))),
		Active:    prometheus.NewGauge(prometheus.GaugeOpts(opts("sessions", "Sessions that are open."))),
		Rows:      prometheus.NewCounter(prometheus.CounterOpts(opts("rows_total", "Rows of configured tables that were seen."))),
		Electors:  prometheus.NewCounter(prometheus.CounterOpts(opts("electors_total", "Elector keys that were recorded."))),
		Movements: prometheus.NewCounter(prometheus.CounterOpts(opts("movements_total", "Movements that were opened."))),
		Blocked:   prometheus.NewCounter(prometheus.CounterOpts(opts("blocked_total", "Results that did not go on because their electors could not be recorded."))),
		Latency: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: "rolltrace", Subsystem: "pgtap", Name: "added_latency_seconds",
			Help: "Time that a small result waited until its electors were on disk.", Buckets: prometheus.ExponentialBuckets(50e-6, 2, 16),
		}),
	}
	if r != nil {
		r.MustRegister(m.Sessions, m.Active, m.Rows, m.Electors, m.Movements, m.Blocked, m.Latency)
	}
	return m
}
