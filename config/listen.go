// SPDX-License-Identifier: Apache-2.0

package config

import (
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"

	"github.com/genltestd/genltestd/config/strict"
	"github.com/genltestd/genltestd/config/value"
)

// ListenSystemd is the address of the socket that systemd passes to the daemon.
const ListenSystemd = "systemd"

const defaultPort = ":9941"

const listenAdvice = `write one like 127.0.0.1:9941 or [::1]:9941, systemd for the socket of a socket unit, or "" for no server`

// listenFault returns what is wrong with an address to listen at; "" for a valid one.
func listenFault(address string) string {
	if address == ListenSystemd {
		return ""
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return strict.Quote(address) + " is not host:port"
	}
	if !value.IsHost(host) {
		return strict.Quote(host) + " is not a host"
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return strict.Quote(port) + " is not a port from 0 to 65535"
	}
	return ""
}

var (
	portOnly = regexp.MustCompile(`^:?[0-9]{1,5}$`)
	urlParts = regexp.MustCompile(`^https?://([^/]+)(/.*)?$`)
	starHost = regexp.MustCompile(`^\*(:[0-9]+)$`)
)

// likelyListen returns the valid address that the author likely intended; "" without one.
func likelyListen(address string) string {
	if address == "0" {
		return "" // most likely for no server
	}
	likely := address
	if m := urlParts.FindStringSubmatch(address); m != nil {
		likely = m[1]
	}
	ip, err := netip.ParseAddr(strings.Trim(likely, "[]"))
	last := max(strings.LastIndex(likely, ":"), 0)
	before, beforeErr := netip.ParseAddr(likely[:last])
	switch {
	case beforeErr == nil && before.Is6() && portOnly.MatchString(likely[last:]):
		likely = "[" + before.String() + "]" + likely[last:]
	case portOnly.MatchString(likely):
		likely = "127.0.0.1:" + strings.TrimPrefix(likely, ":")
	case starHost.MatchString(likely):
		likely = likely[1:]
	case err == nil && ip.Is6():
		likely = "[" + ip.String() + "]" + defaultPort
	case !strings.Contains(likely, ":"):
		likely += defaultPort
	}
	if likely == address || listenFault(likely) != "" {
		return ""
	}
	return likely
}
