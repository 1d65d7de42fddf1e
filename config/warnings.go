// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/genltestd/genltestd/config/strict"
	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/sink"
)

// Warnings returns faults that do not prevent operation: a secret in a file that every user
// of the machine may read, a value that is most likely a mistake, and sinks that conflict. It is empty for a
// Config that is not from a file.
func (c *Config) Warnings() Errors {
	if c.files == nil {
		return nil
	}
	var all Errors
	for _, f := range c.files {
		all = append(all, f.Warnings...)
	}
	c.EachSecret(func(path string, s value.Secret) {
		file, _ := c.files.locate(path)
		if text, ok := s.Inline(); ok && file.mode&0o004 != 0 && !isPublicURL(text) {
			all = append(all, c.Fault(path, "is a secret in a file that every user may read; "+
				"take the right from others (chmod o-r), or write the place of the secret: credential, file or env"))
		}
	})
	for i := range c.Sinks {
		all = append(all, c.neighborWarnings(i)...)
	}
	return all
}

// neighborWarnings returns the conflicts of a sink with those before it. Two sinks with different filters
// are regarded as separated by them.
func (c *Config) neighborWarnings(i int) (all Errors) {
	neighbor, ok := c.Sinks[i].Config.(sink.Neighbor)
	if !ok {
		return nil
	}
	for _, other := range c.Sinks[:i] {
		if filter := c.Sinks[i].Filter; filter != "" && other.Filter != "" && filter != other.Filter {
			continue
		}
		if key, why := neighbor.Conflict(other.Config); why != "" {
			all = append(all, c.Fault(fmt.Sprintf("sinks[%d].%s.%s", i, c.Sinks[i].Kind, key), "%s: %s", strict.Quote(other.Name), why))
		}
	}
	return all
}

// isPublicURL reports whether a text is a URL without a part that looks secret. The last part
// of a path may be a token, as with many chat services.
func isPublicURL(text string) bool {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" {
		return false
	}
	longest := 0
	for part := range strings.SplitSeq(u.Path, "/") {
		longest = max(longest, len(part))
	}
	return longest < 16
}

// EachSecret calls do for every secret of the configuration, with its path.
func (c *Config) EachSecret(do func(path string, s value.Secret)) {
	strict.Each(c, func(path string, s *value.Secret) { do(path, *s) })
}

// EachTLS calls do for the TLS settings of every sink, with their path.
func (c *Config) EachTLS(do func(path string, t *value.TLS)) { strict.Each(c, do) }
