// SPDX-License-Identifier: Apache-2.0

package config

import (
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// maxSocketPath is what fits into an address of a unix socket, with its NUL.
const maxSocketPath = 107

// SplitAddress takes an address of a sink, SCHEME://PLACE, apart. The place is the
// path of a unix socket, or HOST:PORT.
func SplitAddress(address string) (scheme, place string) {
	scheme, place, _ = strings.Cut(address, "://")
	return scheme, place
}

// checkAddress wants one of the schemes, and a place that fits it. The scheme of a
// local socket begins with unix.
func (s section) checkAddress(key, address string, schemes ...string) {
	scheme, place := SplitAddress(address)
	switch {
	case address == "": // missing, or wrong in itself
	case !slices.Contains(schemes, scheme) || !strings.Contains(address, "://"):
		s.errorf(key, "%s does not begin with a known scheme; write %s", quote(address), examples(schemes))
	case strings.HasPrefix(scheme, "unix"):
		s.checkSocketPath(key, place)
	default:
		s.checkHostPort(key, place, scheme)
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

func (s section) checkSocketPath(key, path string) {
	switch {
	case !filepath.IsAbs(path):
		s.errorf(key, "the path %s is not absolute; begin it with a third /", quote(path))
	case strings.HasSuffix(path, "/"):
		s.errorf(key, "%s is a directory; add the name of a socket", quote(path))
	case len(path) > maxSocketPath:
		s.errorf(key, "the path has %d bytes, and that of a socket has room for %d; write a shorter one", len(path), maxSocketPath)
	case strings.ContainsFunc(path, unicode.IsControl):
		s.errorf(key, "%s has a control character; leave it out", quote(path))
	}
}

func (s section) checkHostPort(key, place, scheme string) {
	host, port, err := net.SplitHostPort(place)
	if err != nil {
		s.errorf(key, "%s is not host:port; write one like %s://logs.example.com:6514 or %s://[::1]:6514", quote(place), scheme, scheme)
		return
	}
	if host == "" || !isHost(host) {
		s.errorf(key, "%s is no host; write a name or an address", quote(host))
		return
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		s.errorf(key, "%s is no port; write a number from 1 to 65535", quote(port))
	}
}
