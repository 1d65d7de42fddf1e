// SPDX-License-Identifier: Apache-2.0

package value

import (
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/genltestd/genltestd/config/strict"
)

// An Address is SCHEME://PLACE. The place is the path of a unix socket if the scheme
// begins with "unix", and HOST:PORT otherwise.
type Address string

// Split returns the scheme and the place.
func (a Address) Split() (scheme, place string) {
	scheme, place, _ = strings.Cut(string(a), "://")
	return scheme, place
}

// SocketPath returns the path of a unix socket; empty for another address.
func (a Address) SocketPath() string {
	if scheme, place := a.Split(); strings.HasPrefix(scheme, "unix") {
		return place
	}
	return ""
}

// maxSocketPath is the limit of the address of a unix socket, less its NUL.
const maxSocketPath = 107

// Check notes the fault of an address at a key of s, unless it has one of the schemes and a
// valid place. It accepts an empty address.
func (a Address) Check(s strict.Section, key string, schemes ...string) {
	scheme, place := a.Split()
	switch {
	case a == "": // another rule reports it, if it is required
	case strings.Contains(place, "@") && !strings.HasPrefix(scheme, "unix"): // the text may contain a password
		s.Errorf(key, "contains an @; write only the scheme, the host and the port, and a user and a password below their own keys")
	case !slices.Contains(schemes, scheme) || !strings.Contains(string(a), "://"):
		s.Errorf(key, "%s does not begin with a known scheme; write %s", strict.Quote(string(a)), examples(schemes))
	case strings.HasPrefix(scheme, "unix"):
		checkSocketPath(s, key, place)
	default:
		checkHostPort(s, key, place, scheme)
	}
}

func examples(schemes []string) string {
	list := make([]string, len(schemes))
	for i, scheme := range schemes {
		list[i] = scheme + "://HOST:PORT"
		if strings.HasPrefix(scheme, "unix") {
			list[i] = scheme + ":///PATH"
		}
	}
	return strings.Join(list, ", ")
}

func checkSocketPath(s strict.Section, key, path string) {
	switch {
	case !filepath.IsAbs(path):
		s.Errorf(key, "the path %s is not absolute; begin it with a third /", strict.Quote(path))
	case strings.HasSuffix(path, "/"):
		s.Errorf(key, "%s is a directory; add the name of a socket", strict.Quote(path))
	case len(path) > maxSocketPath:
		s.Errorf(key, "the path has %d bytes, and that of a socket has room for %d; write a shorter one", len(path), maxSocketPath)
	case strings.ContainsFunc(path, unicode.IsControl):
		s.Errorf(key, "%s has a control character; leave it out", strict.Quote(path))
	}
}

func checkHostPort(s strict.Section, key, place, scheme string) {
	host, port, err := net.SplitHostPort(place)
	if err != nil {
		s.Errorf(key, "%s is not host:port; write one like %s://logs.example.com:%d or %s://[::1]:%d",
			strict.Quote(place), scheme, examplePort(scheme), scheme, examplePort(scheme))
		return
	}
	if host == "" || !IsHost(host) {
		s.Errorf(key, "%s is not a host; write a name or an address", strict.Quote(host))
		return
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		s.Errorf(key, "%s is not a port; write a number from 1 to 65535", strict.Quote(port))
	}
}

// examplePort returns the usual port of a scheme, for an error.
func examplePort(scheme string) int {
	switch scheme {
	case "amqp":
		return 5672
	case "amqps":
		return 5671
	case "mqtt":
		return 1883
	case "mqtts":
		return 8883
	case "nats":
		return 4222
	case "redis", "rediss":
		return 6379
	}
	return 6514
}

// A large number of repetitions in the expression would need milliseconds at each start.
var hostName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]*$`)

const maxHostName = 253 // bytes

// IsHost reports whether a text is the name of a host or an IP address; it does not resolve
// a name. The empty text is valid: it means all addresses. A text of digits and dots must be
// an IPv4 address.
func IsHost(s string) bool {
	if _, err := netip.ParseAddr(s); err == nil || s == "" {
		return true
	}
	return len(s) <= maxHostName && hostName.MatchString(s) && strings.Trim(s, "0123456789.") != ""
}

// CheckPath notes the fault of a key of s, unless the path is absolute or empty.
func CheckPath(s strict.Section, key, path string) {
	switch {
	case path == "":
	case !filepath.IsAbs(path):
		s.Errorf(key, "%s is not absolute; begin it with /", strict.Quote(path))
	case strings.ContainsFunc(path, unicode.IsControl):
		s.Errorf(key, "%s has a control character; leave it out", strict.Quote(path))
	}
}

// HostPort returns the place of a server over TCP; empty for a unix socket and for UDP.
func (a Address) HostPort() string {
	scheme, place := a.Split()
	if strings.HasPrefix(scheme, "unix") || scheme == "udp" {
		return ""
	}
	return place
}

// CheckAddresses notes the faults of a list, the key addresses of s: the servers of one cluster, with
// one scheme, which is plain or secure.
func CheckAddresses(s strict.Section, list []Address, plain, secure string) {
	first := make(map[Address]int)
	for i, a := range list {
		key := fmt.Sprintf("addresses[%d]", i)
		a.Check(s, key, plain, secure)
		j, twice := first[a]
		switch {
		case a == "":
			s.Errorf(key, "is empty; write %s", examples([]string{plain, secure}))
		case twice:
			s.Errorf(key, "is addresses[%d] already; leave one of them out", j)
		default:
			first[a] = i
		}
	}
	if i := slices.IndexFunc(list, func(a Address) bool { return a.HasScheme(secure) != list[0].HasScheme(secure) }); i > 0 &&
		!s.FaultyWithin("addresses") {
		s.Errorf(fmt.Sprintf("addresses[%d]", i),
			"has another scheme than addresses[0]; write the same for all, so that no server receives events without TLS")
	}
}

// AnyScheme reports whether one of the addresses begins with a scheme.
func AnyScheme(list []Address, scheme string) bool {
	return slices.ContainsFunc(list, func(a Address) bool { return a.HasScheme(scheme) })
}

// HasScheme reports whether the address begins with a scheme.
func (a Address) HasScheme(scheme string) bool { return strings.HasPrefix(string(a), scheme+"://") }
