// SPDX-License-Identifier: Apache-2.0

package httpclient

import (
	"strings"
	"testing"
)

func FuzzParseURL(f *testing.F) {
	for _, seed := range []string{
		"https://example.org/a?b=c", "http://u:p@[::1]:80", "socks5://host", "http://ho st", "http:///x",
		"http://h:0/", "http://h/#f", "//h", "\x7f",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		u, err := ParseURL(text, "http", "https")
		switch {
		case err != nil && len(text) > 8 && strings.Contains(err.Error(), text):
			t.Errorf("%q: the error repeats it: %v", text, err)
		case err == nil && (u.Host == "" || u.Scheme != "http" && u.Scheme != "https"):
			t.Errorf("%q is parsed as %q", text, u)
		}
	})
}
