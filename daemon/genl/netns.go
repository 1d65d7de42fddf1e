// SPDX-License-Identifier: Apache-2.0

package genl

import "os"

// AbsenceHint says what to do about an absent family, as far as the process can
// tell.
func AbsenceHint() string {
	own, err := os.Readlink("/proc/self/ns/net")
	if err == nil {
		// Fails for an unprivileged process, which then cannot tell.
		if initial, err := os.Readlink("/proc/1/ns/net"); err == nil && own != initial {
			return "this process is in another network namespace than process 1; the family is visible in the initial one only"
		}
	}
	return "modprobe genltest; the family is visible in the initial network namespace only"
}
