// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"fmt"
	"strings"
)

// alternatives are rows of lines. A configuration has one line of each row. A test begins and
// ends with the first line of each.
type alternatives [][]string

func loadTestAlternatives(dir, hookURL string) alternatives {
	var a alternatives
	row := func(format string, values ...string) {
		lines := make([]string, len(values))
		for i, v := range values {
			lines[i] = strings.NewReplacer("DIR", dir, "HOOK", hookURL).Replace(strings.Replace(format, "VALUE", v, 1))
		}
		a = append(a, lines)
	}
	row("http: {listen: 'VALUE'}", "127.0.0.1:0", "127.0.0.2:0", "127.0.0.3:0")
	row("journal: {VALUE}", "fsync: interval", "fsync: never, sync_interval: 5ms",
		"fsync: always, max_age: 24h", "sync_interval: 1m, max_bytes: 2GiB")
	row("receiver: {buffer: VALUE}", "64MiB", "16MiB")
	row("echo: {VALUE}", "interval: 30s", "interval: 1s, timeout: 10ms", "interval: 0")
	row("event: {VALUE}", "labels: {}", "labels: {site: berlin}", "boot_id: true")
	row("log: {level: VALUE}", "info", "debug")
	row("shutdown: {drain: "+loadTestDrain.String()+"}\nsinks:", "")
	row("- {name: steady, file: {path: DIR/steady.1}}", "")
	row("- {name: wandering, VALUE}", "file: {path: DIR/wandering.1}", "file: {path: DIR/wandering.2}",
		"envelope: raw, file: {path: DIR/wandering.3}", "file: {path: DIR/wandering.1, fsync: never}")
	row("- {name: tuned, file: {path: DIR/tuned.1}VALUE}", "", ", batch_events: 3", ", batch_wait: 0, batch_bytes: 1KiB",
		", overflow: block, retry_min: 1ms", ", dead_letters: {max_bytes: 1MiB, max_age: 1h}", ", dedup: {window: 1s, key: id}")
	row("- {name: picky, file: {path: DIR/picky.1}VALUE}", "", ", filter: 'message endsWith \"0\"'", ", filter: 'message matches \"[05]$\"'",
		", filter: 'not (message endsWith \"7\")', batch_wait: 1ms")
	row("- {name: hook, retry_min: 1ms, retry_max: 5ms, VALUE}",
		"webhook: {url: HOOK/one}", "webhook: {url: HOOK/one, batch: lines, compression: gzip}",
		"webhook: {url: HOOK/one, method: PUT, headers: [{name: X-A, value: b}]}", "batch_events: 7, webhook: {url: HOOK/one}")
	row("- {name: wide, retry_min: 1ms, retry_max: 5ms, VALUE}",
		"workers: 2, webhook: {url: HOOK/many}", "workers: 4, webhook: {url: HOOK/many}",
		"webhook: {url: HOOK/many}", "workers: 2, batch_events: 20, webhook: {url: HOOK/many}")
	row("- {name: stream, retry_min: 1ms, VALUE}",
		"socket: {address: 'unix://DIR/reads'}", "socket: {address: 'unix://DIR/confirms', acknowledge: true}",
		"batch_events: 50, socket: {address: 'unix://DIR/reads'}")
	for i := range 3 {
		row(fmt.Sprintf("VALUE- {name: guest%d, file: {path: DIR/guest%[1]d.1}}", i), "", "# ")
	}
	return a
}

// base returns the first line of each row.
func (a alternatives) base() string { return a.choose(func(int) int { return 0 }) }

// withoutTemporarySinks returns base without the sinks that are added and removed.
func (a alternatives) withoutTemporarySinks() string {
	return strings.ReplaceAll(a.base(), "- {name: guest", "# - {name: guest")
}

func (a alternatives) choose(one func(n int) int) string {
	var b strings.Builder
	for _, row := range a {
		b.WriteString(row[one(len(row))] + "\n")
	}
	return b.String()
}

// failures returns variants of a configuration that cannot be used, with the fault of each.
func (s *loadTest) failures(good string) []struct{ yaml, fault string } {
	return []struct{ yaml, fault string }{
		{good + "- {name: new, file: {path: " + s.dir + "/new.1}}\n- {name: bad, filter: 'mesage', stdout: {}}\n", "unknown name mesage"},
		{strings.Replace(good, "listen:", "listen: '"+s.inUse+"'}\n#", 1) + "- {name: new, stdout: {}}\n", "http.listen"},
		{good + "- {name: new, file: {path: " + s.dir + "/new.1}}\n- {name: blocked, stdout: {}}\n", "sink blocked: "},
		{good + "- {name: new, webhook: {url: 'https://localhost/', tls: {ca: " + s.dir + "/none.pem}}}\n", "webhook.tls.ca"},
		{good + "- {name: new, envelope: template, template: '{{.None}}', stdout: {}}\n", "template"},
		{good + "- {name: steady, stdout: {}}\n", "steady"},
		{good + "}", "test.yaml:"},
	}
}
