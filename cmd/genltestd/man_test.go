// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

var (
	usageOption = regexp.MustCompile(`(?m)^  --([a-z-]+)`)
	usageAction = regexp.MustCompile(`(?m)^  ([a-z]+) DIR  `)
	exitStatus  = regexp.MustCompile(`\b\d+\b`)
)

// The usage texts are short; what they name is explained in the manual page.
func TestTheManualExplainsWhatTheUsageNames(t *testing.T) {
	text, err := os.ReadFile("../../packaging/man/genltestd.8")
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	var items []string
	for _, m := range usageOption.FindAllStringSubmatch(usage, -1) {
		items = append(items, "Fl "+strings.ReplaceAll("-"+m[1], "-", `\-`))
	}
	for _, m := range usageAction.FindAllStringSubmatch(journalUsage, -1) {
		items = append(items, "Cm journal "+m[1])
	}
	for _, all := range []string{usage, journalUsage} {
		_, statuses, _ := strings.Cut(all, "\nExit status: ")
		items = append(items, exitStatus.FindAllString(statuses, -1)...)
	}
	if len(items) < 13 {
		t.Fatalf("the usage names %q", items)
	}
	for _, item := range items {
		if !strings.Contains(page, "\n.It "+item+"\n") && !strings.Contains(page, "\n.It "+item+" Ar ") && !strings.Contains(page, "\n.It "+item+" Op Ar ") {
			t.Errorf("genltestd(8) does not explain %s", item)
		}
	}
	for _, signal := range []string{"HUP", "TERM", "INT"} {
		if !strings.Contains(usage, signal) || !strings.Contains(page, "SIG"+signal) {
			t.Errorf("%s is not in the usage and the page", signal)
		}
	}
}
