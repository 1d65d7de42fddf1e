// SPDX-License-Identifier: Apache-2.0

// Package fleet simulates the hosts of a fleet that deliver to a NATS cluster: an outage of the
// cluster, and the catch-up afterwards. make fleet runs it with 200 hosts, and docs/fleet.md has
// the results.
//
// Some processes run many hosts each. Everything that a host shares with others in production, the
// network and the brokers, is shared here. Everything else is its own: journal, worker, connection
// and back-off. A process for each host would only add the memory of 200 runtimes of Go, which
// would compete with the brokers for the same machine.
package fleet
