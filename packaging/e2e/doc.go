// SPDX-License-Identifier: Apache-2.0

// Package e2e tests the installed daemon as a systemd unit with the real module, in the VM of
// packaging/vm. It starts and stops units as root, and overwrites /etc/genltestd.yaml. All
// its tests need the build tag e2e.
package e2e
