// SPDX-License-Identifier: Apache-2.0

package exec

import (
	"strings"
	"testing"

	"github.com/genltestd/genltestd/daemon/redact"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
)

func TestSecretsOfTheEnvironmentAreMaskedInWhatAProgramPrints(t *testing.T) {
	const printAll = `for v in "$API_TOKEN" "$DB_PASSWORD" "$DATABASE_URL" "$TARGET" "$KEYBOARD" "$AUTH"; do
	printf '%s ' "$v" >&2
done
exit 3`
	const want = "<secret> <secret> postgres://events:<secret>@db/events berlin-west qwertz-layout short"
	for name, construct := range map[string]func(Options) sink.Sink{
		"event":  func(o Options) sink.Sink { return NewEvents(o) },
		"stream": func(o Options) sink.Sink { return NewStream(o) },
	} {
		t.Run(name, func(t *testing.T) {
			o := shell(printAll)
			o.Mask = new(redact.Mask)
			o.Environment = []Variable{
				{"API_TOKEN", "tok-12345678"},
				{"DB_PASSWORD", "correct horse"},
				{"DATABASE_URL", "postgres://events:hunter22@db/events"},
				{"TARGET", "berlin-west"},
				{"KEYBOARD", "qwertz-layout"},
				{"AUTH", "short"},
			}
			s := construct(o)
			defer s.Close()
			_, err := s.Deliver(t.Context(), sinktest.Events(1, 1))
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %q", err, want)
			}
		})
	}
}

func TestNamesOfSecrets(t *testing.T) {
	for name, want := range map[string]bool{
		"TOKEN": true, "api_key": true, "AWS_SECRET_ACCESS_KEY": true, "SMTP_PASS": true, "CREDENTIALS": true, "Sentry_DSN": true,
		"TARGET": false, "KEYBOARD": false, "COMPASS": false, "AUTHOR": false, "PWD": false, "": false,
	} {
		if got := isSecretName(name); got != want {
			t.Errorf("%q: %v, want %v", name, got, want)
		}
	}
}
