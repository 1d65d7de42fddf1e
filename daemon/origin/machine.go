// SPDX-License-Identifier: Apache-2.0

package origin

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"

	"golang.org/x/sys/unix"
)

// A Machine identifies the running machine. Unknown fields are empty.
type Machine struct {
	ID   string // machine-id(5)
	Boot Boot
}

// BootIDVariable is the environment variable in which the unit passes the boot id, because
// the kernel's file does not exist in the /proc of the unit.
const BootIDVariable = "GENLTESTD_BOOT_ID"

// ThisMachine identifies the running machine. The error contains the reasons for unknown
// fields.
func ThisMachine() (Machine, error) {
	machineID, machineErr := readID("/etc/machine-id")
	bootID, bootErr := readBootID("/proc/sys/kernel/random/boot_id")
	release, releaseErr := kernelRelease()
	return Machine{machineID, Boot{bootID, release}}, errors.Join(machineErr, bootErr, releaseErr)
}

func readBootID(path string) (string, error) {
	id, err := readID(path)
	if given := os.Getenv(BootIDVariable); err != nil && isID(given) {
		return given, nil
	}
	return id, err
}

// readID reads 128 bits in hexadecimal digits. It ignores the dashes of a boot id.
func readID(path string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	id := strings.ReplaceAll(strings.TrimSuffix(string(text), "\n"), "-", "")
	if !isID(id) {
		return "", fmt.Errorf("%s does not contain an id", path)
	}
	return id, nil
}

var hexID = regexp.MustCompile(`^[0-9a-f]{32}$`)

func isID(text string) bool { return hexID.MatchString(text) }

func kernelRelease() (string, error) {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return "", fmt.Errorf("uname: %w", err)
	}
	release, _, _ := bytes.Cut(name.Release[:], []byte{0})
	if !releaseForm.Match(release) {
		return "", fmt.Errorf("uname: unexpected form of the release %q", release)
	}
	return string(release), nil
}

var releaseForm = regexp.MustCompile(`^[!-~]{1,64}$`)
