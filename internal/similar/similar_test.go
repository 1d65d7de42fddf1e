// SPDX-License-Identifier: Apache-2.0

package similar

import "testing"

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
