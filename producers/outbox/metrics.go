package outbox

import "github.com/prometheus/client_golang/prometheus"

// Metrics is what an outbox counts.
type Metrics struct {
	Appended      prometheus.Counter     // messages that became durable
	AppendedBytes prometheus.Counter     // and what they take in the store
	Commits       prometheus.Counter     // frames, that is syncs
	Faults        prometheus.Counter     // writes that failed or did not come back
	Restarts      prometheus.Counter     // of the embedded server
	Refused       prometheus.Counter     // messages refused because there was no room or no store in order
	Passed        prometheus.Counter     // messages let go unrecorded (on_full: pass)
	Gaps          *prometheus.CounterVec // gaps recorded, by kind: passed, hole, tail, state
	Instances     prometheus.Counter     // new instances begun
	Full          prometheus.Gauge       // 1 while there is no room for data
	Messages      prometheus.Gauge       // waiting for the hub
	Bytes         prometheus.Gauge       // likewise
	AwakeReads    prometheus.Counter     // blocks read to keep the disk awake
}

// NewMetrics makes the metrics and registers them, if there is a registerer.
func NewMetrics(r prometheus.Registerer) *Metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Namespace: "rolltrace", Subsystem: "outbox", Name: name, Help: help})
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "rolltrace", Subsystem: "outbox", Name: name, Help: help})
	}
	m := &Metrics{
		Appended:      counter("appended_messages_total", "Messages that became durable in the outbox."),
		AppendedBytes: counter("appended_bytes_total", "Bytes of frames that became durable in the outbox."),
		Commits:       counter("commits_total", "Frames written and synced; each holds all messages that waited."),
		Faults:        counter("write_faults_total", "Writes to the outbox that failed or did not come back."),
		Restarts:      counter("restarts_total", "Restarts of the embedded server after a write fault."),
		Refused:       counter("refused_messages_total", "Messages refused: no room, or the store out of order."),
		Passed:        counter("passed_messages_total", "Messages let go unrecorded while the outbox was full."),
		Gaps: prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "rolltrace", Subsystem: "outbox", Name: "gaps_total",
			Help: "Gaps recorded: passed (let go while full), hole (lost inside the store), tail (lost from its end), state (perhaps lost with the state file)."}, []string{"kind"}),
		Instances:  counter("instances_total", "New instances begun: the outbox was new, or its chain could not be continued."),
		Full:       gauge("full", "1 while there is no room for data."),
		Messages:   gauge("messages", "Messages that wait for the hub."),
		Bytes:      gauge("bytes", "Bytes that wait for the hub."),
		AwakeReads: counter("awake_reads_total", "Blocks read so that the disk does not fall asleep between commits: none where that records no more."),
	}
	if r != nil {
		r.MustRegister(m.Appended, m.AppendedBytes, m.Commits, m.Faults, m.Restarts, m.Refused, m.Passed, m.Gaps,
			m.Instances, m.Full, m.Messages, m.Bytes, m.AwakeReads)
	}
	return m
}
