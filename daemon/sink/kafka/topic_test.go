// SPDX-License-Identifier: Apache-2.0

package kafka

import (
	"strings"
	"testing"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
)

func TestTopicOfAnEvent(t *testing.T) {
	e := event.Event{Host: "web-1.example.org", Family: "ethtool/é x", Origin: &event.Origin{Labels: []event.Label{{Name: "site", Value: ""}}}}
	for template, want := range map[string]string{
		"events":                          "events",
		"events.{{.Host}}":                "events.web-1.example.org",
		"{{.Family}}":                     "ethtool___x",
		"events.{{.Labels.site}}":         "events._",
		"events.{{.Group}}.{{.Host}}":     "events._.web-1.example.org",
		"{{printf \"%240d\" 1}}":          strings.Repeat("_", 239) + "1",
		"{{printf \"%250d\" 1}}":          "",
		"{{if .Gap}}gap{{end}}":           "",
		".{{if .Gap}}gap{{else}}.{{end}}": "",
	} {
		encoder, err := sinktest.Compile((&Config{Topic: template}).topicTemplate())
		if err != nil {
			t.Errorf("%s: %v", template, err)
			continue
		}
		got, err := encoder.Append(nil, &e)
		if (err == nil) != (want != "") || err == nil && string(got) != want {
			t.Errorf("%s: got %q, %v, want %q", template, got, err, want)
		}
	}
}

func FuzzReplaceTopic(f *testing.F) {
	for _, text := range []string{"", "a", "a/b", "é", "\xff\x00", "..", strings.Repeat("x", 300)} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		got := replaceTopic([]byte("events."), value)
		text, ok := strings.CutPrefix(string(got), "events.")
		if !ok || text == "" || len(text) > max(len(value), 1) {
			t.Errorf("%q becomes %q", value, got)
		}
		if err := acceptTopic(got); err != nil && len(got) <= maxTopic {
			t.Errorf("%q becomes %q: %v", value, got, err)
		}
		if isPlain(string(value)) && len(value) > 0 && text != string(value) {
			t.Errorf("%q becomes %q, although it is valid", value, text)
		}
	})
}
