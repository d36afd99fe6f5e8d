package policy

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/rolltrace/rolltrace/schema"
	"github.com/rolltrace/rolltrace/schema/graph"
	"github.com/rolltrace/rolltrace/schema/wire"
)

// AlertSubject is where what a rule finds is published: "rolltrace.v1.alert.<rule>".
func AlertSubject(rule string) string { return wire.Prefix + string(wire.TypeAlert) + "." + rule }

// published is the body of an alert: the event, and what was decided about the finding before, if anything.
type published struct {
	graph.FindingEvent
	Ruling string `json:"ruling"`
}

// alert publishes what is to be noted, before it is: whatever fails afterwards, it is published again.
func (p *Policy) alert(ctx context.Context, events []graph.FindingEvent) error {
	if len(events) == 0 {
		return nil
	}
	rulings, err := p.cfg.Graph.Rulings(ctx, schema.At(p.cfg.Clock()))
	if err != nil {
		return err
	}
	for _, e := range events {
		body, err := json.Marshal(published{e, rulings[e.ID].What})
		if err != nil {
			return err
		}
		// The same news has the same id: what was published and not noted is not there twice.
		of := e
		of.NotedAt, of.AsOf, of.Position = e.Since, e.Since, p.was.Position
		same, err := json.Marshal(of)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(same)
		m := &nats.Msg{Subject: p.cfg.Exercise.Subject(AlertSubject(e.Rule)), Data: body, Header: nats.Header{
			nats.MsgIdHdr:          []string{"alert/" + hex.EncodeToString(sum[:16])},
			wire.HeaderSpecVersion: []string{"1.0"},
			wire.HeaderType:        []string{wire.TypeAlert.CloudEvent()},
			wire.HeaderSource:      []string{"/" + wire.OperatorOrg},
			wire.HeaderID:          []string{hex.EncodeToString(sum[:16])},
			wire.HeaderSubject:     []string{e.ID},
			wire.HeaderTime:        []string{e.NotedAt.String()},
			wire.HeaderContentType: []string{"application/json"},
		}}
		if _, err := p.cfg.JetStream.PublishMsg(ctx, m, jetstream.WithExpectStream(p.cfg.Exercise.Alert())); err != nil {
			return fmt.Errorf("publish an alert: %w", err)
		}
	}
	return nil
}
