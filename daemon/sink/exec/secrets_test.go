// SPDX-License-Identifier: Apache-2.0

package exec

import (
	"strings"
	"testing"

	"github.com/genltestd/genltestd/daemon/redact"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
)

func TestSecretsOfTheEnvironmentAreMaskedInProgramOutput(t *testing.T) {
	const printAll = `for v in "$API_TOKEN" "$DB_PASSWORD" "$DATABASE_URL" "$TARGET" "$KEYBOARD" "$AUTH"; do
	printf '%s ' "$v" >&2
done
exit 3`
	const want = "<secret> <secret> postgres://events:<secret>@db/events berlin-west qwertz-layout short"
	for _, mode := range []string{modeEvent, modeStream} {
		t.Run(mode, func(t *testing.T) {
			config, env := shell(printAll), jsonEnv()
			config.Mode, env.Mask = mode, new(redact.Mask)
			config.Environment = []Variable{
				{"API_TOKEN", "tok-12345678"},
				{"DB_PASSWORD", "correct horse"},
				{"DATABASE_URL", "postgres://events:hunter22@db/events"},
				{"TARGET", "berlin-west"},
				{"KEYBOARD", "qwertz-layout"},
				{"AUTH", "short"},
			}
			s, err := config.New(env)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			_, err = s.Deliver(t.Context(), sinktest.Events(1, 1))
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %q", err, want)
			}
		})
	}
}

func TestSecretVariablesAreRecognizedByName(t *testing.T) {
	for name, want := range map[string]bool{
		"TOKEN": true, "api_key": true, "AWS_SECRET_ACCESS_KEY": true, "SMTP_PASS": true, "CREDENTIALS": true, "Sentry_DSN": true,
		"TARGET": false, "KEYBOARD": false, "COMPASS": false, "AUTHOR": false, "PWD": false, "": false,
	} {
		if got := isSecretName(name); got != want {
			t.Errorf("%q: %v, want %v", name, got, want)
		}
	}
}
