// SPDX-License-Identifier: Apache-2.0

package httpclient

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// ParseURL parses an absolute URL of one of the schemes. Unlike those of package url, its
// errors contain no part of the text, which may be secret.
func ParseURL(text string, schemes ...string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, fmt.Errorf("is not a URL; write one like %s://example.org/path", schemes[0])
	case !slices.Contains(schemes, u.Scheme):
		return nil, fmt.Errorf("does not begin with %s://; write one like %s://example.org/path", strings.Join(schemes, ":// or "), schemes[0])
	case u.Hostname() == "":
		return nil, fmt.Errorf("lacks a host; write one like %s://example.org/path", schemes[0])
	case u.Port() != "" && !isPort(u.Port()):
		return nil, errors.New("has an invalid port; write 1 to 65535")
	case u.User == nil && u.Port() != "" && strings.Contains(text, "@"):
		// The part that resembles host and port is the beginning of a user and password.
		return nil, errors.New("has an @ after the port; " +
			"if it ends a password, write %2F, %3F and %23 for /, ? and # in that, else %40 for the @")
	case u.Fragment != "":
		return nil, errors.New("has a fragment (#), which is never sent; leave it out")
	}
	return u, nil
}

func isPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0
}
