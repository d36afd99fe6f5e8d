package lineage

import "github.com/prometheus/client_golang/prometheus"

// Metrics are what a Lineage counts. The counts begin at 0 in every process.
type Metrics struct {
	cascades prometheus.Counter
	sets     *prometheus.CounterVec
	seconds  prometheus.Histogram
	position prometheus.Gauge
	lag      prometheus.Gauge
	retries  prometheus.Counter
	swept    prometheus.Counter
}

// NewMetrics makes the metrics and registers them, unless the registerer is nil. Registering two with one
// registerer panics.
func NewMetrics(to prometheus.Registerer) *Metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Namespace: "rolltrace", Subsystem: "lineage", Name: name, Help: help})
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "rolltrace", Subsystem: "lineage", Name: name, Help: help})
	}
	m := &Metrics{
		cascades: counter("cascades_total", "Stretches of the log from which something was derived."),
		sets: prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "rolltrace", Subsystem: "lineage", Name: "sets_total",
			Help: "Sets that were derived, by form."}, []string{"form"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: "rolltrace", Subsystem: "lineage", Name: "cascade_seconds", Help: "Time to derive and publish what follows from a stretch of the log.",
			Buckets: prometheus.ExponentialBuckets(0.005, 2, 14),
		}),
		position: gauge("position", "Sequence up to which everything that follows from the log is published."),
		lag:      gauge("lag_messages", "Messages in the graph that nothing was derived from yet."),
		retries:  counter("retries_total", "Tries that failed and were made again."),
		swept:    counter("swept_total", "Old generations of sets that were removed."),
	}
	for _, form := range []string{"S", "kept"} {
		m.sets.WithLabelValues(form)
	}
	if to != nil {
		to.MustRegister(m.cascades, m.sets, m.seconds, m.position, m.lag, m.retries, m.swept)
	}
	return m
}
