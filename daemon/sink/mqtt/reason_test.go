// SPDX-License-Identifier: Apache-2.0

package mqtt

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/genltestd/genltestd/daemon/sink"
)

func TestDocumentationContainsTheTableOfReasons(t *testing.T) {
	page, err := os.ReadFile("../../../docs/sinks/mqtt.md")
	if err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	for _, row := range reasons {
		fmt.Fprintf(&want, "| 0x%02x %s | %s | %s |\n", row.code, row.name, row.verdict, row.remedy)
	}
	if !strings.Contains(string(page), "| --- | --- | --- |\n"+want.String()+"\n") {
		t.Errorf("docs/sinks/mqtt.md lacks this table:\n%s", want.String())
	}
}

func TestVerdicts(t *testing.T) {
	known := map[byte]verdict{0x00: accepted, 0x10: accepted, 0x90: permanent, 0x95: permanent, 0x99: permanent}
	for code := range 256 {
		want := known[byte(code)]
		if want == "" {
			want = retry
		}
		r := refused(byte(code), "")
		if r == nil {
			r = &refusal{verdict: accepted}
		}
		if r.verdict != want {
			t.Errorf("0x%02x: got %s, want %s", code, r.verdict, want)
		}
	}
}

func TestReasonsAreInOrder(t *testing.T) {
	for i, row := range reasons {
		if row.name == "" || row.remedy == "" || i > 0 && row.code <= reasons[i-1].code {
			t.Errorf("row %#v", row)
		}
	}
}

func TestRefusalsKeepTheirClass(t *testing.T) {
	for _, tt := range []struct {
		code     byte
		n        int
		poisoned int
		kind     sink.RefusalKind
	}{
		{0x97, 5, 0, sink.RefusedOther},
		{0x90, 1, 1, sink.RefusedByBroker},
		{0x99, 5, 5, sink.RefusedByBroker},
		{0x95, 3, 3, sink.RefusedTooLarge},
		{0x95, 0, 0, sink.RefusedOther}, // no event can be the reason
	} {
		r := refused(tt.code, "text of the broker")
		err := r.classify(tt.n, failed(nil, "publish", r))
		if got := sink.Poisoned(err); got != tt.poisoned {
			t.Errorf("0x%02x: poisoned %d, want %d", tt.code, got, tt.poisoned)
		}
		if got := sink.RefusalOf(err).Kind; got != tt.kind {
			t.Errorf("0x%02x: kind %s, want %s", tt.code, got, tt.kind)
		}
		if !hasCode(err, tt.code) || hasCode(errors.Join(err), 0x8e) || !strings.Contains(err.Error(), `"text of the broker"`) {
			t.Errorf("0x%02x: %v", tt.code, err)
		}
	}
}
