package policy

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"github.com/rolltrace/rolltrace/schema/graph"
	"github.com/rolltrace/rolltrace/schema/stream"
	"github.com/rolltrace/rolltrace/schema/wire"
)

// WebhookConfig is what a Webhook is made of.
type WebhookConfig struct {
	// JetStream is the hub with the alerts. Required.
	JetStream jetstream.JetStream
	// URL takes what Alertmanager sends to webhooks (version 4), and Bearer is the token that it wants, or "". URL is required.
	URL, Bearer string
	// Timeout bounds one request. Defaults to 10s.
	Timeout time.Duration
	// Retry is how long to wait after the first failure; twice as long after each further one, up to a minute. Defaults to 1s.
	Retry time.Duration
	// Metrics counts what was sent. Defaults to metrics that nobody sees.
	Metrics *Metrics
	// Log gets failures. What was sent is not in it.
	Log zerolog.Logger
}

// A Webhook sends every alert on, at least once, in the order of the stream: what was not taken is sent again, for ever, and what
// comes meanwhile waits at the hub. It holds one request of at most maxAlerts.
type Webhook struct {
	cfg    WebhookConfig
	client *http.Client
}

const (
	maxAlerts    = 64
	longestRetry = time.Minute
	webhookName  = "webhook" // of the durable consumer at the hub, which knows what was taken
)

// NewWebhook returns a Webhook that has not begun.
func NewWebhook(cfg WebhookConfig) (*Webhook, error) {
	if cfg.JetStream == nil || cfg.URL == "" {
		return nil, errors.New("webhook: want a hub and a URL")
	}
	cfg.Timeout, cfg.Retry = cmp.Or(cfg.Timeout, 10*time.Second), cmp.Or(cfg.Retry, time.Second)
	if cfg.Metrics == nil {
		cfg.Metrics = NewMetrics(nil)
	}
	refuse := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse } // the token is for that URL alone
	return &Webhook{cfg, &http.Client{Timeout: cfg.Timeout, CheckRedirect: refuse}}, nil
}

// Run sends until ctx ends (nil). While hub or receiver are away it tries again.
func (w *Webhook) Run(ctx context.Context) error {
	wait := time.Duration(0)
	for {
		err := w.follow(ctx)
		if ctx.Err() != nil {
			return nil
		}
		wait = min(max(2*wait, w.cfg.Retry), longestRetry)
		w.cfg.Log.Warn().Err(err).Int64("wait_ms", wait.Milliseconds()).Msg("alerts cannot be read, trying again")
		if !rest(ctx, wait) {
			return nil
		}
	}
}

// follow sends what comes, until the hub is away.
func (w *Webhook) follow(ctx context.Context) error {
	consumer, err := w.cfg.JetStream.CreateOrUpdateConsumer(ctx, stream.AlertName, jetstream.ConsumerConfig{
		Durable: webhookName, AckPolicy: jetstream.AckExplicitPolicy, AckWait: longestRetry + 2*w.cfg.Timeout,
		MaxAckPending: maxAlerts, FilterSubject: wire.Prefix + string(wire.TypeAlert) + ".>",
	})
	if err != nil {
		return fmt.Errorf("look for alerts: %w", err)
	}
	for {
		messages, err := fetch(ctx, consumer)
		if err != nil {
			return err
		}
		if !w.insist(ctx, messages) {
			for _, m := range messages {
				_ = m.Nak() // whoever comes next begins with them; if that is lost, after AckWait
			}
			return ctx.Err()
		}
		for _, m := range messages {
			if err := m.DoubleAck(ctx); err != nil {
				return fmt.Errorf("say that an alert was taken: %w", err)
			}
		}
		w.cfg.Metrics.webhook.WithLabelValues("taken").Add(float64(len(messages)))
	}
}

// insist sends until it is taken, and says false when ctx ends before.
func (w *Webhook) insist(ctx context.Context, messages []jetstream.Msg) bool {
	wait := time.Duration(0)
	for {
		err := w.post(ctx, messages)
		if err == nil {
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		wait = min(max(2*wait, w.cfg.Retry), longestRetry)
		w.cfg.Metrics.webhook.WithLabelValues("again").Add(float64(len(messages)))
		w.cfg.Log.Warn().Err(err).Int("alerts", len(messages)).Int64("wait_ms", wait.Milliseconds()).Msg("alerts are not taken, trying again")
		if !rest(ctx, wait) {
			return false
		}
		for _, m := range messages {
			_ = m.InProgress() // otherwise they would come again; then they are sent twice
		}
	}
}

// fetch waits for alerts, and takes those that are there.
func fetch(ctx context.Context, consumer jetstream.Consumer) ([]jetstream.Msg, error) {
	for {
		batch, err := consumer.Fetch(1, jetstream.FetchContext(ctx))
		if err != nil {
			return nil, fmt.Errorf("wait for alerts: %w", err)
		}
		var messages []jetstream.Msg
		for m := range batch.Messages() {
			messages = append(messages, m)
		}
		if err := batch.Error(); err != nil {
			return nil, fmt.Errorf("wait for alerts: %w", err)
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if len(messages) == 0 {
			continue
		}
		more, err := consumer.FetchNoWait(maxAlerts - 1)
		if err != nil {
			return messages, nil // they come with the next
		}
		for m := range more.Messages() {
			messages = append(messages, m)
		}
		return messages, nil
	}
}

// A notification is what Alertmanager sends to webhooks, version 4.
type notification struct {
	Version           string            `json:"version"`
	GroupKey          string            `json:"groupKey"`
	TruncatedAlerts   int               `json:"truncatedAlerts"`
	Status            string            `json:"status"`
	Receiver          string            `json:"receiver"`
	GroupLabels       map[string]string `json:"groupLabels"`
	CommonLabels      map[string]string `json:"commonLabels"`
	CommonAnnotations map[string]string `json:"commonAnnotations"`
	ExternalURL       string            `json:"externalURL"`
	Alerts            []alert           `json:"alerts"`
}

type alert struct {
	Status       string            `json:"status"` // firing, resolved
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
	StartsAt     time.Time         `json:"startsAt"`
	EndsAt       time.Time         `json:"endsAt"` // zero while it fires
	GeneratorURL string            `json:"generatorURL"`
	Fingerprint  string            `json:"fingerprint"`
}

const (
	firing   = "firing"
	resolved = "resolved"
)

// notify makes a notification of events.
func notify(events []graph.FindingEvent) notification {
	n := notification{
		Version: "4", GroupKey: `{}:{}`, Status: resolved, Receiver: "rolltrace",
		GroupLabels: map[string]string{}, CommonLabels: map[string]string{}, CommonAnnotations: map[string]string{}, Alerts: []alert{},
	}
	for _, e := range events {
		a := alert{
			Status:      firing,
			Labels:      map[string]string{"alertname": e.Rule, "severity": e.Severity, "finding": e.ID, "about": e.On, "source": "rolltrace"},
			Annotations: map[string]string{"summary": e.Title, "description": e.Text, "reason": e.Reason},
			StartsAt:    e.NotedAt.Time, Fingerprint: e.ID[:min(16, len(e.ID))],
		}
		if !e.Since.IsZero() {
			a.StartsAt = e.Since.Time
		}
		if e.State == graph.FindingResolved {
			a.Status, a.EndsAt = resolved, e.NotedAt.Time
		} else {
			n.Status = firing
		}
		n.Alerts = append(n.Alerts, a)
	}
	for name, value := range n.Alerts[0].Labels {
		common := true
		for _, a := range n.Alerts {
			common = common && a.Labels[name] == value
		}
		if common {
			n.CommonLabels[name] = value
		}
	}
	return n
}

// post sends alerts: those of findings that were suppressed are left out, and those that are not understood.
func (w *Webhook) post(ctx context.Context, messages []jetstream.Msg) error {
	var events []graph.FindingEvent
	for _, m := range messages {
		var e published
		if json.Unmarshal(m.Data(), &e) == nil && e.ID != "" && e.Ruling != wire.Suppress {
			events = append(events, e.FindingEvent)
		}
	}
	if len(events) == 0 {
		return nil
	}
	body, err := json.Marshal(notify(events))
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, w.cfg.URL, bytes.NewReader(body))
	if err != nil {
		return errors.New("webhook: want a URL") // which is not shown: it may hold a secret
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "rolltrace")
	if w.cfg.Bearer != "" {
		request.Header.Set("Authorization", "Bearer "+w.cfg.Bearer)
	}
	response, err := w.client.Do(request)
	if err != nil {
		var where interface{ Unwrap() error }
		if errors.As(err, &where) {
			err = where.Unwrap() // without the URL
		}
		return fmt.Errorf("send alerts to the webhook: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 64<<10))
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("send alerts to the webhook: it answered %s", response.Status)
	}
	return nil
}
