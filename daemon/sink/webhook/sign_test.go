// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
)

const (
	oldSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	newSecret = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
)

// The example of the specification's own libraries.
func TestSignatureMatchesThePublishedExample(t *testing.T) {
	key, err := parseKey(oldSecret)
	if err != nil {
		t.Fatal(err)
	}
	h := make(http.Header)
	signature(h, []signingKey{key}, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))
	if got, want := h.Get("webhook-signature"), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := h.Get("webhook-timestamp"); got != "1614265330" {
		t.Errorf("timestamp %s", got)
	}
}

// A receiver with any single one of the secrets accepts the request.
func TestReceiversVerifySignaturesDuringARotation(t *testing.T) {
	f := newFaultServer(t)
	s := newSink(t, Config{URL: value.Inline(f.URL), SigningSecrets: []value.Secret{value.Inline(newSecret), value.Inline(oldSecret)}})
	if n, err := s.Deliver(t.Context(), sinktest.Events(1, 3)); n != 3 || err != nil {
		t.Fatal(n, err)
	}
	got := f.requests(t, 1)[0]
	for _, text := range []string{oldSecret, newSecret} {
		w, err := standardwebhooks.NewWebhook(text)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Verify(got.body, got.header); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	stranger, err := standardwebhooks.NewWebhookRaw(make([]byte, 24))
	if err != nil {
		t.Fatal(err)
	}
	if err := stranger.Verify(got.body, got.header); err == nil {
		t.Error("an unknown secret verifies the signature")
	}
	if id := got.header.Get("webhook-id"); id != "6a9155caa46c7dcc-1_6a9155caa46c7dcc-3" || strings.Contains(id, ".") {
		t.Errorf("id %q", id)
	}
}

func TestParseKeyRejectsInvalidKeys(t *testing.T) {
	for text, want := range map[string]string{
		"":                  "whsec_",
		"MfKQ9r8GKYqrTwjUP": "whsec_",
		"whsec_hunter2!":    "not base64",
		"whsec_":            "less than the 24 bytes",
		"whsec_" + base64.StdEncoding.EncodeToString(make([]byte, 23)): "less than the 24 bytes",
	} {
		_, err := parseKey(text)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}

func FuzzParseKey(f *testing.F) {
	f.Add(oldSecret)
	f.Add("whsec_hunter2!")
	f.Fuzz(func(t *testing.T, text string) {
		key, err := parseKey(text)
		if err == nil && len(key) < 24 {
			t.Errorf("%q: %d bytes", text, len(key))
		}
		if err == nil && !strings.HasPrefix(key.sign("id", "1", nil), "v1,") {
			t.Errorf("%q signs nothing", text)
		}
	})
}
