// SPDX-License-Identifier: Apache-2.0

// Package hosttest tests the daemon on the kernel of this machine, at its speed: it receives
// events of the families ethtool, netdev and mptcp_pm in a network namespace. Most tests
// compare the daemon's account with a listener that is independent of it. Two tests run a real
// Prometheus that scrapes the daemon, with the rules and the dashboard of packaging/observability.
package hosttest
