// SPDX-License-Identifier: Apache-2.0

package observability

import (
	"os"
	"regexp"
	"testing"
	"time"
)

// causes are the failures that an alert must name within a minute. found is the longest time until a
// metric shows the failure, and may be a part of the expression. packaging/e2e injects each.
var causes = []struct {
	cause, alert string
	found        time.Duration
}{
	{"a destination refuses events", "GenltestdSinkFailing", 0},
	{"a destination hangs", "GenltestdSinkFailing", 10 * time.Second}, // attempt_timeout
	{"a destination is slow", "GenltestdSinkSlow", 30 * time.Second},  // in the expression
	{"the disk is full", "GenltestdJournalNotAccepting", 0},
	{"the module is gone", "GenltestdFamilyAbsent", 0},
	{"the receive buffer overflows", "GenltestdEventsLost", 0},
	{"a reload is rejected", "GenltestdReloadFailed", 0},
	{"a certificate has expired", "GenltestdSinkFailing", 0},
	{"the journal cannot be read", "GenltestdJournalUnreadable", 0},
	{"the clock is stepped", "GenltestdClockStepped", 0},
}

// interval returns an interval of the scrape configuration that the page recommends.
func interval(t *testing.T, key string) time.Duration {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(key + `: (\d+s)`).FindSubmatch(text)
	if m == nil {
		t.Fatalf("%s contains no %s", page, key)
	}
	return duration(t, string(m[1]))
}

func duration(t *testing.T, text string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestAnAlertNamesEachCauseWithinAMinute(t *testing.T) {
	wait := interval(t, "scrape_interval") + interval(t, "evaluation_interval")
	after := map[string]time.Duration{}
	for _, a := range alerts(t) {
		if after[a.Alert] = 0; a.For != "" {
			after[a.Alert] = duration(t, a.For)
		}
	}
	for _, c := range causes {
		held, ok := after[c.alert]
		if sum := c.found + wait + held; !ok || sum > time.Minute {
			t.Errorf("%s: %s fires after up to %s", c.cause, c.alert, sum)
		}
	}
}
