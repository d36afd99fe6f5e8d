package consumers

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rolltrace/rolltrace/schema/wire"
)

// Metrics are what a consumer counts. The counts begin at 0 in every process: what was read again after a
// restart is counted again. Rows of truth are in ClickHouse.
type Metrics struct {
	messages  *prometheus.CounterVec
	rejected  *prometheus.CounterVec
	numbered  prometheus.Counter
	known     prometheus.Gauge
	flushes   prometheus.Counter
	flushTime prometheus.Histogram
	rows      *prometheus.CounterVec
	retries   *prometheus.CounterVec

	progress atomic.Pointer[func() progress] // asked when the metrics are
}

// progress is how far a consumer has come.
type progress struct {
	position, last uint64
	lag            time.Duration
	reconnects     uint64
}

func (m *Metrics) now() progress {
	if ask := m.progress.Load(); ask != nil {
		return (*ask)()
	}
	return progress{}
}

// NewMetrics makes the metrics and registers them, unless the registerer is nil. Registering two consumers'
// with one registerer panics.
func NewMetrics(to prometheus.Registerer) *Metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Namespace: "rolltrace", Subsystem: "consumer", Name: name, Help: help})
	}
	counters := func(name, help, label string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "rolltrace", Subsystem: "consumer", Name: name, Help: help}, []string{label})
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "rolltrace", Subsystem: "consumer", Name: name, Help: help})
	}
	m := &Metrics{}
	measure := func(name, help string, of func(progress) float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "rolltrace", Subsystem: "consumer", Name: name, Help: help}, func() float64 { return of(m.now()) })
	}
	measures := []prometheus.Collector{
		measure("position", "Sequence up to which the log is in the graph.", func(p progress) float64 { return float64(p.position) }),
		measure("log_last_sequence", "Last sequence of the log.", func(p progress) float64 { return float64(p.last) }),
		measure("lag_messages", "Messages of the log that are not in the graph yet.", func(p progress) float64 { return float64(p.last - p.position) }),
		measure("lag_seconds", "Age of the last message that is in the graph, while there are later ones; 0 when there are none.", func(p progress) float64 { return p.lag.Seconds() }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Namespace: "rolltrace", Subsystem: "consumer", Name: "reconnects_total", Help: "Times that the connection to the hub was made anew.",
		}, func() float64 { return float64(m.now().reconnects) }),
	}
	*m = Metrics{
		messages: counters("messages_total", "Messages of the log that were understood, by type.", "type"),
		rejected: counters("rejected_total", "Messages of the log that were rejected, by code.", "code"),
		numbered: counter("electors_numbered_total", "Elector keys that got a number."),
		known:    gauge("electors_known", "Elector keys that have a number."),
		flushes:  counter("flushes_total", "Batches that were written."),
		flushTime: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: "rolltrace", Subsystem: "consumer", Name: "flush_seconds", Help: "Time to write a batch, tries included.",
			Buckets: prometheus.ExponentialBuckets(0.005, 2, 14),
		}),
		rows:    counters("rows_total", "Rows that were written, by kind.", "kind"),
		retries: counters("retries_total", "Tries that failed and were made again, by what they were for.", "of"),
	}
	for _, t := range []wire.Type{wire.TypeMovement, wire.TypeElectors, wire.TypeHeartbeat, wire.TypeGap} {
		m.messages.WithLabelValues(string(t))
	}
	for _, code := range Codes() {
		m.rejected.WithLabelValues(string(code))
	}
	for _, of := range []string{ofHub, ofGraph, ofRejects} {
		m.retries.WithLabelValues(of)
	}
	if to != nil {
		to.MustRegister(m.messages, m.rejected, m.numbered, m.known, m.flushes, m.flushTime, m.rows, m.retries)
		to.MustRegister(measures...)
	}
	return m
}

// What is tried again.
const (
	ofHub     = "hub"
	ofGraph   = "clickhouse"
	ofRejects = "rejected"
)
