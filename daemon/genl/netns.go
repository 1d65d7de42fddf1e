// SPDX-License-Identifier: Apache-2.0

package genl

import "os"

// AbsenceHint says why the family may be out of sight although its module is
// loaded, as far as the process can tell.
func AbsenceHint() string {
	own, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		return "cannot tell the network namespace: " + err.Error()
	}
	initial, err := os.Readlink("/proc/1/ns/net")
	if err != nil {
		return "if the module is loaded: the family is visible in the initial network namespace only"
	}
	if own != initial {
		return "this process is in another network namespace than process 1; the family is visible in the initial one only"
	}
	return "modprobe genltest"
}
