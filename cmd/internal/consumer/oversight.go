package consumer

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/rolltrace/rolltrace/cmd/internal/config"
	"github.com/rolltrace/rolltrace/consumers/policy"
)

// Oversight is which rules are asked, and where alerts go. It is meant to be inlined (`yaml:",inline"`).
type Oversight struct {
	// Rules is a folder of rules beside the shipped ones. Defaults to none.
	Rules string `yaml:"rules" doc:"folder of rules of your own, beside the shipped ones (docs/rules)"`
	// Webhook is where alerts go. Defaults to nowhere.
	Webhook config.Address `yaml:"webhook" doc:"URL that alerts are sent to, in the form of Alertmanager's webhooks; none sends none"`
	// WebhookToken is the bearer token that it wants. Defaults to none.
	WebhookToken config.Secret `yaml:"webhook_token" doc:"bearer token for the webhook; file:PATH reads it from a file"`
}

// Validate says what is wrong with the settings, in one line that names the setting.
func (o Oversight) Validate() error {
	if _, err := policy.Load(o.Rules); err != nil {
		return fmt.Errorf("rules: %s", strings.ReplaceAll(err.Error(), "\n", "; ")) // each with file and line
	}
	if o.Webhook.IsZero() {
		if o.WebhookToken.Reveal() != "" {
			return errors.New("webhook_token: want a webhook too")
		}
		return nil
	}
	u, err := url.Parse(o.Webhook.Reveal())
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return errors.New("webhook: want https://host/path")
	}
	if ip := net.ParseIP(u.Hostname()); u.Scheme == "http" && u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("webhook: %s is not on this machine: want https:// (alerts say who holds what)", o.Webhook)
	}
	return nil
}
