// SPDX-License-Identifier: Apache-2.0

// Package brokers tests the sinks for brokers against real brokers: each is killed, cut off, slow,
// silent, full, or refuses the sink, while the process that delivers is killed at random. See
// broker_test.go for how a kind of broker is added.
package brokers
