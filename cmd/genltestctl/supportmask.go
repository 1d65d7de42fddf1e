// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"github.com/genltestd/genltestd/daemon/control/api"
)

// secretSetting matches a setting of a unit that can contain a secret, also as a comment.
var secretSetting = regexp.MustCompile(`^[\s#;]*(Environment|SetCredential|SetCredentialEncrypted)\s*=`)

// bootSetting is the setting of the unit itself, which systemd expands to the id of the boot.
const bootSetting = "Environment=GENLTESTD_BOOT_ID=%b"

// maskUnit masks the values in the files of a unit that can be secrets. A value ends at the end of a line
// without a backslash; comments and empty lines may be between its lines.
func maskUnit(text []byte) []byte {
	var out []string
	inside := false
	for _, line := range textLines(text) {
		comment := strings.HasPrefix(strings.TrimSpace(line), "#") || strings.HasPrefix(strings.TrimSpace(line), ";")
		name := secretSetting.FindString(line)
		switch {
		case inside && comment:
			continue
		case inside:
			inside = continues(line)
			continue
		case name != "" && line != bootSetting:
			inside = continues(line)
			line = strings.TrimSpace(name) + "<omitted>"
		}
		out = append(out, visible(line))
	}
	return []byte(strings.Join(append(out, ""), "\n"))
}

// continues reports whether a setting continues on the next line.
func continues(line string) bool { return strings.HasSuffix(strings.TrimSpace(line), `\`) }

func maskFaults(faults []api.Fault) {
	for i := range faults {
		faults[i].Text = maskQuotes(faults[i].Text)
	}
}

// maskQuotes replaces a text that may quote an event, such as the answer of a server. It names the known errors
// that the text contains.
func maskQuotes(text string) string {
	if text == "" {
		return ""
	}
	var found []string
	for _, known := range knownErrors() {
		if strings.Contains(text, known) {
			found = append(found, known)
		}
	}
	if len(found) == 0 {
		return "(omitted: may quote an event)"
	}
	return fmt.Sprintf("(omitted: may quote an event; contains: %s)", strings.Join(found, ", "))
}

// knownErrors returns texts of errors of HTTP, of the kernel and of Go's libraries.
func knownErrors() (all []string) {
	for status := range 600 {
		if text := http.StatusText(status); text != "" {
			all = append(all, fmt.Sprintf("%d %s", status, text))
		}
	}
	for errno := syscall.Errno(1); errno < 134; errno++ {
		if text := errno.Error(); !strings.HasPrefix(text, "errno ") && !slices.Contains(all, text) {
			all = append(all, text)
		}
	}
	return append(all, "EOF", "i/o timeout", "deadline exceeded", "no such host", "x509", "certificate", "tls:", "exit status", "signal:")
}
