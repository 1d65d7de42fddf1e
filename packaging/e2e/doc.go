// SPDX-License-Identifier: Apache-2.0

// Package e2e tests the installed daemon in a VM: see packaging/vm. Without the tag "e2e"
// it has no tests.
package e2e
