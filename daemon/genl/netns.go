// SPDX-License-Identifier: Apache-2.0

package genl

import "os"

// AbsenceHint returns advice about the family of an absent target.
func AbsenceHint(t Target) string {
	if !t.IsGenltest() {
		return "load the module or the driver that registers it; " +
			"genltestctl family list shows the families that this network namespace has"
	}
	own, err := os.Readlink("/proc/self/ns/net")
	if err == nil {
		// An unprivileged process cannot read this link.
		if initial, err := os.Readlink("/proc/1/ns/net"); err == nil && own != initial {
			return "this process is not in the network namespace of process 1; the family is visible in the initial one only"
		}
	}
	return "modprobe genltest; the family is visible in the initial network namespace only"
}
