// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/genltestd/genltestd/daemon/sink"
)

// answering starts a server that answers 200 with a text, and stores the bodies of requests.
func answering(t *testing.T, answer *string) (url string, bodies *[][]byte) {
	t.Helper()
	credentials := t.TempDir()
	for _, name := range []string{"chat-token", "search-password"} {
		if err := os.WriteFile(filepath.Join(credentials, name), []byte("0123456789abcdef"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("CREDENTIALS_DIRECTORY", credentials)
	bodies = new([][]byte)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		*bodies = append(*bodies, body)
		io.WriteString(w, *answer) // the sink reports an error
	}))
	t.Cleanup(server.Close)
	return server.URL, bodies
}

func TestRecipesThatEvaluateTheResponse(t *testing.T) {
	for _, tt := range []struct {
		name, answer     string
		accepted, poison bool
	}{
		{"chat", `{"ok":true,"ts":"1"}`, true, false},
		{"chat", `{"ok":false,"error":"ratelimited"}`, false, false},
		{"chat", `{"ok":false,"error":"msg_too_long"}`, false, true},
		{"chat", `<html>`, false, false},
		{"search", `{"errors":false,"items":[{"index":{"status":201}}]}`, true, false},
		{"search", `{"errors":true,"items":[{"index":{"status":429}}]}`, false, false},
		{"search", `{"errors":true,"items":[{"index":{"status":400,"error":{"reason":"failed to parse"}}}]}`, false, true},
		{"search", `{"error":"no such index"}`, false, false},
	} {
		url, _ := answering(t, &tt.answer)
		n, err := recipe(t, "sinks/webhook.md", tt.name, url).Deliver(t.Context(), recipeEvents()[:1])
		if (n == 1) != tt.accepted || (err == nil) != tt.accepted || (sink.Poisoned(err) > 0) != tt.poison {
			t.Errorf("%s, %s: accepted %d, %v", tt.name, tt.answer, n, err)
		}
	}
}

// The interface requires an action and a document, each followed by a line break.
func TestRecipeSearchWritesTwoLinesPerEvent(t *testing.T) {
	answer := `{"errors":false}`
	url, bodies := answering(t, &answer)
	events := recipeEvents()
	if n, err := recipe(t, "sinks/webhook.md", "search", url).Deliver(t.Context(), events); n != len(events) || err != nil {
		t.Fatalf("accepted %d, %v", n, err)
	}
	for i, body := range *bodies {
		lines := bytes.Split(body, []byte("\n"))
		if len(lines) != 3 || len(lines[2]) > 0 || !json.Valid(lines[0]) || !json.Valid(lines[1]) {
			t.Errorf("request %d: %q", i, body)
		}
	}
}
