// SPDX-License-Identifier: Apache-2.0

// Package e2e tests the installed daemon in a VM; see packaging/vm. All its tests need the
// build tag e2e.
package e2e
