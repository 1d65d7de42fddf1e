// SPDX-License-Identifier: Apache-2.0

package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/config/schema"
	"github.com/genltestd/genltestd/daemon/sinks"
)

func TestEveryKeyIsDescribed(t *testing.T) {
	for _, k := range Describe(sinks.Kinds()) {
		switch {
		case k.Comment == "":
			t.Errorf("%s: no comment in the reference", k.Path)
		case k.Example == "":
			t.Errorf("%s: not in examples.yaml, nor after --- in the reference.yaml of a kind", k.Path)
		case k.Default == k.Example:
			t.Errorf("%s: the example %s is the default", k.Path, k.Example)
		case strings.Contains(k.Type, "number") && k.Unit == "":
			t.Errorf("%s: a number without a unit", k.Path)
		case k.Type == "word" && !strings.Contains(" "+strings.Join(k.Words, " ")+" ", " "+k.Example+" "):
			t.Errorf("%s: the example %s is not one of %s", k.Path, k.Example, k.Words)
		case strings.Contains(k.Example+k.Default+k.Comment, "\n"):
			t.Errorf("%s: more than one line: %+v", k.Path, k)
		}
	}
}

func TestExamplesLoad(t *testing.T) {
	owners := append([]string{"the common keys"}, kindNames()...)
	for i, text := range Examples(sinks.Kinds()) {
		if _, err := Parse("examples of "+owners[i], text, sinks.Kinds()); err != nil {
			t.Error(err)
		}
	}
}

func TestDescribe(t *testing.T) {
	comment := "true or false: the id and the kernel release of the boot in which the event was received."
	want := map[string]schema.Key{
		"receiver": {Type: "mapping", Example: "{buffer: 128MiB}", Comment: "The sockets that receive the events."},
		"receiver.buffer": {
			Type: "size", Unit: "bytes, kB, MB, GB, KiB, MiB, GiB", Default: "64MiB", Min: "4KiB", Max: "1GiB", Example: "128MiB",
			Comment: "The size of the receive buffer of each socket, which holds bursts: " +
				"a small event needs about 800 bytes of it. A size from 4KiB to 1GiB.",
		},
		"event.labels": {
			Type: "mapping of texts", Default: "{}", Example: `{site: berlin, rack: "7"}`,
			Comment: `Names and values of your choice, like {site: berlin, rack: "7"}: at most 32, ` +
				`the name of at most 32 of a-z, 0-9 and "_", the value of at most 256 bytes.`,
		},
		"event.boot_id":        {Type: "true or false", Default: "false", Example: "true", Comment: comment},
		"event.kernel_release": {Type: "true or false", Default: "false", Example: "true", Comment: comment},
		"journal.path": {
			Type: "text", Default: `""`, Restart: true, Example: "/srv/genltestd/journal",
			Comment: `The directory: an absolute path, or "" for journal/ in the state directory, ` +
				`which is /var/lib/genltestd for the service. A change of this key needs a restart.`,
		},
		"log.level": {
			Type: "word", Words: []string{"debug", "info", "warn", "error"}, Default: "info", Example: "debug",
			Comment: "debug, info, warn or error: messages of this level and of higher levels are logged.",
		},
		"sinks[].sample": {
			Type: "number", Unit: "events", Default: "1", Min: "1", Max: "1000000000", Example: "10",
			Comment: "The number of events of which the sink receives one. A number from 1 to 1000000000.",
		},
		"sinks[].file": {
			Variant: "file", Type: "mapping", Comment: "Appends to a file, one event per line.",
			Example: "{path: /var/log/genltestd/events.jsonl, mode: 0600, fsync: never, " +
				"rotate: {max_bytes: 100MiB, max_age: 24h, compress: none, keep_files: 30, keep_bytes: 10GiB, keep_age: 720h}}",
		},
		"sinks[].file.mode": {
			Variant: "file", Type: "file mode", Unit: "octal digits", Default: "0640", Example: "0600",
			Comment: "The mode of a new file: octal digits, reduced by the umask.",
		},
		"sinks[].webhook.headers[].value": {
			Variant: "webhook", Type: "secret", Required: true, Example: "{file: /etc/genltestd/api-key}",
			Comment: "Required: a name, and a value that is a secret.",
		},
		"sinks[].webhook.signing_secrets": {
			Variant: "webhook", Type: "list of secrets", Default: "[]", Example: "[{credential: hook-signing}]",
			Comment: "Signs each request according to Standard Webhooks, with each of these secrets. They begin with whsec_. " +
				"Not together with compression.",
		},
		"sinks[].syslog.tls.ca": {
			Variant: "syslog", Type: "file", Default: `""`, Example: "/etc/genltestd/ca.pem",
			Comment: "For tls://. PEM files, as absolute paths or {credential: NAME}: ca has the trusted certificates in place of the system's, " +
				"cert and key the client's certificate. server_name is the name in the server's certificate, if it is not the host.",
		},
	}
	got := make(map[string]schema.Key)
	for _, k := range Describe(sinks.Kinds()) {
		if w, ok := want[k.Path]; ok {
			got[k.Path] = k
			w.Path = k.Path
			want[k.Path] = w
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
}

// The reference is the default, so both must show each default in the same form.
func TestDescribedDefaultsMatchTheReference(t *testing.T) {
	values := source(sinks.Kinds()).Defaults()
	n := 0
	for _, k := range Describe(sinks.Kinds()) {
		got, ok := values[k.Path]
		if !ok || k.Default == "" || k.Path == "sinks" || k.Path == "families" {
			continue
		}
		n++
		if got != k.Default {
			t.Errorf("%s: the reference has %s, the description %s", k.Path, got, k.Default)
		}
	}
	if n < 40 {
		t.Errorf("%d defaults", n)
	}
}

func TestDescribedDefaultsOfListsAreTheDefaults(t *testing.T) {
	lists := map[string]bool{"families": false, "sinks": false}
	for _, k := range Describe(sinks.Kinds()) {
		if _, ok := lists[k.Path]; !ok {
			continue
		}
		lists[k.Path] = true
		got, err := Parse(k.Path, []byte(k.Path+": "+k.Default), sinks.Kinds())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(Default(sinks.Kinds()), got, ignoreSource); diff != "" {
			t.Errorf("config of %s (-want +got):\n%s", k.Path, diff)
		}
	}
	for path, described := range lists {
		if !described {
			t.Errorf("%s is not described", path)
		}
	}
}
