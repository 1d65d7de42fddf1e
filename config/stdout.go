// SPDX-License-Identifier: Apache-2.0

package config

// Stdout writes events to standard output, one a line.
type Stdout struct{}
