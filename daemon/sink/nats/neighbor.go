// SPDX-License-Identifier: Apache-2.0

package nats

import (
	"slices"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/sink"
)

var _ sink.Neighbor = (*Config)(nil)

// Conflict implements sink.Neighbor. Two sinks send the same Nats-Msg-Id for an event, so one stream
// stores it only for the sink that sends first. Which stream captures a subject is known only to the
// server: two sinks of one user are regarded as sinks of one stream unless they name two.
func (c *Config) Conflict(other sink.Config) (key, why string) {
	o, ok := other.(*Config)
	sameServer := func(a value.Address) bool {
		return slices.ContainsFunc(o.Addresses, func(b value.Address) bool { return a.HostPort() == b.HostPort() })
	}
	switch {
	case !ok, c.Mode != modeJetStream, o.Mode != modeJetStream, !slices.ContainsFunc(c.Addresses, sameServer):
		return "", ""
	case c.Stream.Name != "" && o.Stream.Name != "" && c.Stream.Name != o.Stream.Name:
		return "", ""
	case c.Credentials != o.Credentials || c.Nkey != o.Nkey || c.Token != o.Token || c.User != o.User: // perhaps of another account
		return "", ""
	}
	return "stream.name", "this sink and that one can publish to the same stream, which then stores each event only once, " +
		"for the sink that sends first; give each its own subject and stream.name, or a filter, so that no event passes both"
}
