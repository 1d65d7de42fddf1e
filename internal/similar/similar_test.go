// SPDX-License-Identifier: Apache-2.0

package similar

import (
	"strings"
	"testing"
)

func TestClosest(t *testing.T) {
	words := []string{"ethtool", "netdev", "mptcp_pm", "nlctrl", "ab"}
	for name, want := range map[string]string{
		"ethtol":   "ethtool",
		"ehttool":  "ethtool",
		"MPTCP-PM": "mptcp_pm",
		"mptcpPm":  "mptcp_pm",
		"netdve":   "netdev",
		"net":      "", // three differences
		"a":        "", // a different word of two letters
		"devlink":  "",
		"":         "",
	} {
		if got := Closest(name, words); got != want {
			t.Errorf("Closest(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestFold(t *testing.T) {
	for name, want := range map[string]string{
		"maxBytes": "max_bytes", "MAX-BYTES": "max_bytes", "max.bytes": "max_bytes", "max bytes": "max_bytes", "é": "é",
	} {
		if got := Fold(name); got != want {
			t.Errorf("Fold(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestListShortensManyWords(t *testing.T) {
	few, many := []string{"a", "b"}, strings.Split("a b c d e f g h i j k l m n", " ")
	for want, words := range map[string][]string{"": nil, "a, b": few, "a, b, c, d, e, f, g, h, i, j, k, l and 2 more": many} {
		if got := List(words); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
