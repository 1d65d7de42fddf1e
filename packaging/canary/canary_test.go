// SPDX-License-Identifier: Apache-2.0

package canary

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
)

// Each case is a way in which a program may show a secret or a part of it.
func TestFindsCanariesInEveryEncoding(t *testing.T) {
	c := New("token")
	text := c.Text()
	quoted, err := json.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequest(http.MethodGet, "http://u:"+url.PathEscape(text)+"@example.org/", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.SetBasicAuth("user", text)
	utf16 := "\xff\xfe"
	for _, c := range []byte(text) {
		utf16 += string([]byte{c, 0})
	}
	shown := map[string]string{
		"as it is":         text,
		"word":             c.Word(),
		"in capitals":      strings.ToUpper(text),
		"%q":               fmt.Sprintf("%q", text),
		"+%q":              strconv.QuoteToASCII(text),
		"JSON":             string(quoted),
		"JSON within JSON": strconv.Quote(string(quoted)),
		"HTML":             html.EscapeString(text),
		"query":            url.QueryEscape(text),
		"path":             url.PathEscape(text),
		"query in a query": url.QueryEscape(url.QueryEscape(text)),
		"URL":              r.URL.String(),
		"Basic":            r.Header.Get("Authorization"),
		"base64 for URLs":  base64.RawURLEncoding.EncodeToString([]byte("x" + text)),
		"base64 in a URL":  url.QueryEscape(base64.StdEncoding.EncodeToString([]byte("xx" + text))),
		"%x":               fmt.Sprintf("%x", text),
		"% X":              fmt.Sprintf("% X", text),
		"%d":               fmt.Sprintf("%d", []byte(text)),
		"list in JSON":     strings.ReplaceAll(fmt.Sprintf("%d", []byte(text)), " ", ","),
		"hexdump":          hex.Dump([]byte(text)),
		"every byte as %":  percent(text),
		"UTF-16":           utf16,
		"beginning":        text[:8],
		"end":              text[len(text)-8:],
		"middle":           c.head[2:10],
		"half, in base64":  base64.StdEncoding.EncodeToString([]byte("beginning: " + text[:12])),
	}
	f := NewFinder(New("another"), c)
	for name, text := range shown {
		leaks := f.Find([]byte("\x00\x00noise " + text + " noise"))
		if len(leaks) == 0 || leaks[0].Name != "token" {
			t.Errorf("%s: %q is not found: %v", name, text, leaks)
		}
	}
}

func percent(text string) string {
	var b strings.Builder
	for _, c := range []byte(text) {
		fmt.Fprintf(&b, "%%%02X", c)
	}
	return b.String()
}

func TestFindsNoFalsePositives(t *testing.T) {
	c := New("token")
	f := NewFinder(c)
	for _, text := range []string{
		"", c.Text()[:7], New("another").Text(), "<secret>", "token", strings.Repeat("\x00", 100),
		fmt.Sprintf("%x", c.head[:5]), base64.StdEncoding.EncodeToString([]byte(c.head[:7])),
	} {
		if leaks := f.Find([]byte(text)); leaks != nil {
			t.Errorf("%q: found %v", text, leaks)
		}
	}
}

func TestLeakContainsTheTextAround(t *testing.T) {
	c := New("token")
	leaks := NewFinder(c).Find([]byte("level=ERROR msg=" + c.Word() + " sink=hook"))
	if len(leaks) != 1 || leaks[0].Form != "plain" || !strings.Contains(leaks[0].String(), "sink=hook") {
		t.Errorf("found %v", leaks)
	}
}
