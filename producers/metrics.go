package producers

import "github.com/prometheus/client_golang/prometheus"

// ForwarderMetrics is what a Forwarder counts.
type ForwarderMetrics struct {
	Forwarded  prometheus.Counter     // messages that the hub acknowledged
	Bytes      prometheus.Counter     // and what they took on the way
	Duplicates prometheus.Counter     // of them, those that the hub had before
	Retries    *prometheus.CounterVec // times that it began again at the oldest unacknowledged message, by reason
	InFlight   prometheus.Gauge       // messages that wait for an acknowledgement
	Connected  prometheus.Gauge       // 1 while there is a connection to the hub
	Heartbeats prometheus.Counter
}

// NewForwarderMetrics makes the metrics and registers them, if there is a registerer.
func NewForwarderMetrics(r prometheus.Registerer) *ForwarderMetrics {
	opts := func(name, help string) prometheus.Opts {
		return prometheus.Opts{Namespace: "rolltrace", Subsystem: "forwarder", Name: name, Help: help}
	}
	m := &ForwarderMetrics{
		Forwarded:  prometheus.NewCounter(prometheus.CounterOpts(opts("messages_total", "Messages that the hub acknowledged."))),
		Bytes:      prometheus.NewCounter(prometheus.CounterOpts(opts("bytes_total", "Bytes of messages that the hub acknowledged."))),
		Duplicates: prometheus.NewCounter(prometheus.CounterOpts(opts("duplicates_total", "Acknowledged messages that the hub had before."))),
		Retries: prometheus.NewCounterVec(prometheus.CounterOpts(opts("retries_total",
			"Times that forwarding began again, by reason: away, refused, silent, no_stream, group (not taken together), other.")), []string{"reason"}),
		InFlight:   prometheus.NewGauge(prometheus.GaugeOpts(opts("in_flight", "Messages that wait for the hub's acknowledgement."))),
		Connected:  prometheus.NewGauge(prometheus.GaugeOpts(opts("connected", "1 while there is a connection to the hub."))),
		Heartbeats: prometheus.NewCounter(prometheus.CounterOpts(opts("heartbeats_total", "Heartbeats recorded."))),
	}
	if r != nil {
		r.MustRegister(m.Forwarded, m.Bytes, m.Duplicates, m.Retries, m.InFlight, m.Connected, m.Heartbeats)
	}
	return m
}
