// SPDX-License-Identifier: Apache-2.0

package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSecretIsNotPrinted(t *testing.T) {
	const canary = "canary-4711"
	s := inline(canary)
	outer := struct{ Token, hidden Secret }{s, s}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "token", s, "all", outer)
	text, err := json.Marshal(outer)
	if err != nil {
		t.Fatal(err)
	}
	all := fmt.Sprintf("%v %+v %#v %s %q %x %d %v %+v %#v %v", s, s, s, s, s, s, s, &s, outer, outer, outer) + log.String() + string(text)
	if strings.Contains(all, canary) || strings.Contains(all, fmt.Sprintf("%x", canary)) {
		t.Errorf("shows the secret: %s", all)
	}
}

func TestSecretSaysWhereItIs(t *testing.T) {
	for want, s := range map[string]Secret{
		"": {}, "<secret>": inline("x"), "<credential a>": {Credential: "a"}, "<file /a>": {File: "/a"}, "<env A>": {Env: "A"},
	} {
		if got := s.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		if got := s.IsZero(); got != (want == "") {
			t.Errorf("%q: IsZero = %v", want, got)
		}
	}
}

func TestSecretEqual(t *testing.T) {
	list := []Secret{{}, inline("a"), inline("b"), {Credential: "a"}, {File: "/a"}}
	for i, a := range list {
		for j := range list {
			b := list[j]
			if text, ok := b.Inline(); ok {
				b = inline(text) // the same text at another address
			}
			if a.Equal(b) != (i == j) {
				t.Errorf("%d and %d: Equal = %v", i, j, a.Equal(b))
			}
		}
	}
}

func TestWarnsOfSecretsThatEverybodyMayRead(t *testing.T) {
	const text = `sinks:
  - name: a
    webhook:
      url: https://example.org/events
      bearer: hunter2
      signing_secrets: [{file: /a}, hunter3]
  - name: b
    webhook: {url: "https://user:hunter4@example.org"}
  - name: c
    webhook: {url: "https://chat.example.org/services/T000/B000/0123456789abcdef0123456789"}
  - name: d
    webhook: {url: {credential: d}, proxy: "http://proxy.example.org:3128"}
`
	path := filepath.Join(t.TempDir(), "genltestd.yaml")
	places := func(mode os.FileMode) (got []string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		c, err := Load(path)
		if err != nil {
			t.Fatal(err)
		}
		if warnings := c.Warnings(); warnings.Error() != "" {
			if strings.Contains(warnings.Error(), "hunter") {
				t.Errorf("a warning has the secret: %v", warnings)
			}
			for _, w := range warnings {
				got = append(got, fmt.Sprintf("%d:%d %s", w.Line, w.Column, w.Path))
			}
		}
		return got
	}
	want := []string{
		"5:15 sinks[0].webhook.bearer", "6:37 sinks[0].webhook.signing_secrets[1]",
		"8:20 sinks[1].webhook.url", "10:20 sinks[2].webhook.url",
	}
	if diff := cmp.Diff(want, places(0o644)); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
	if got := places(0o640); got != nil {
		t.Errorf("warns of a file that only its group may read: %v", got)
	}
	if got := Default().Warnings(); got != nil {
		t.Errorf("warns of no file: %v", got)
	}
}
