// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/redact"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
)

// Every field for a secret has a secret that contains the canary. It contains characters that
// servers escape in different ways.
const canary = `-cAnArY"/&<é=+ `

// containsCanary reports whether text contains a part of a canary, in any form.
func containsCanary(text string) bool {
	if strings.Contains(strings.ToLower(text), "canary") {
		return true
	}
	for i := range 3 { // at any alignment within the encoded text
		encoded := base64.StdEncoding.EncodeToString([]byte(strings.Repeat(" ", i) + "cAnArY"))
		if strings.Contains(text, encoded[2*i:len(encoded)-4]) {
			return true
		}
	}
	return strings.Contains(text, fmt.Sprintf("%x", "cAnArY"))
}

// repeatRequest answers with everything that it received, in the forms that servers use.
func repeatRequest(code int) fault {
	return func(f *faultServer, c net.Conn, req *http.Request) bool {
		var b strings.Builder
		fmt.Fprintf(&b, "no: %s %s %q\n", req.RequestURI, req.URL.Path, req.URL.Query())
		for name, values := range req.Header {
			for _, v := range values {
				fmt.Fprintf(&b, "%s %q %s %s\n", v, v, url.QueryEscape(v), strings.ReplaceAll(v, "/", `\/`))
				fmt.Fprintf(&b, "%s %x %s\n", v[:len(v)-len(v)/4], v, base64.StdEncoding.EncodeToString([]byte(name+v)))
			}
		}
		header := []string{"Location: " + req.RequestURI, "Retry-After: " + req.URL.Path, "X-Told: " + req.Header.Get("X-Api-Key")}
		return status(code, b.String(), header...)(f, c, req)
	}
}

// repeatInHeader repeats the request in a header that package http quotes when it cannot parse
// it.
func repeatInHeader(f *faultServer, c net.Conn, req *http.Request) bool {
	f.recordRequest(req)
	fmt.Fprintf(c, "HTTP/1.1 200 OK\r\n%s %s\r\n\r\n", req.Header.Get("Authorization"), req.RequestURI)
	return false
}

func repeatInStatus(f *faultServer, c net.Conn, req *http.Request) bool {
	f.recordRequest(req)
	fmt.Fprintf(c, "HTTP/1.1 %s%s\r\n\r\n", req.Header.Get("X-Api-Key"), req.RequestURI)
	return false
}

func repeatInLength(f *faultServer, c net.Conn, req *http.Request) bool {
	f.recordRequest(req)
	fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %s\r\n\r\n", req.Header.Get("X-Api-Key"))
	return false
}

func repeatInEncoding(f *faultServer, c net.Conn, req *http.Request) bool {
	f.recordRequest(req)
	fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: %s\r\n\r\n", req.Header.Get("X-Api-Key"))
	return false
}

func TestErrorsContainNoSecret(t *testing.T) {
	faults := map[string]fault{
		"echo": echo, "reset": reset, "reset late": resetLate, "drop": drop, "half-close": halfClose, "hang": hang,
		"header": repeatInHeader, "status": repeatInStatus, "length": repeatInLength, "encoding": repeatInEncoding,
	}
	for _, row := range statuses[1 : len(statuses)-1] {
		for _, code := range []int{row.from, row.to} {
			faults[fmt.Sprint(code)] = repeatRequest(code)
		}
	}
	escaped := url.PathEscape(canary)
	user := url.UserPassword("user"+canary, "password"+canary).String()
	for name, f := range faults {
		t.Run(name, func(t *testing.T) {
			f := newFaultServer(t, f, f, f)
			host := strings.TrimPrefix(f.URL, "http://")
			for _, config := range []Config{
				{URL: value.Inline("http://" + user + "@" + host + "/a/path-" + escaped + "?token=" + url.QueryEscape("query"+canary))},
				{URL: value.Inline(f.URL), Bearer: value.Inline("bearer-" + canary)},
				{URL: value.Inline(f.URL + "/" + escaped), Basic: BasicAuth{User: "user", Password: value.Inline("password-" + canary)}},
			} {
				config.Headers = []Header{{Name: "X-Api-Key", Value: value.Inline("header-" + canary)}}
				config.SigningSecrets = []value.Secret{value.Inline("whsec_" +
					base64.StdEncoding.EncodeToString([]byte("signing"+canary+canary)))}
				s := newSink(t, config)
				limit := attemptTimeout
				if name == "hang" {
					limit = 100 * time.Millisecond
				}
				n, err := attempt(t, s, sinktest.Events(1, 2), limit)
				if n != 0 || err == nil {
					t.Fatalf("accepted %d", n)
				}
				if !strings.HasPrefix(err.Error(), "POST "+f.URL+": ") {
					t.Fatalf("not a response of the server: %v", err)
				}
				if text := fmt.Sprintf("%v %+v %#v", err, err, err); containsCanary(text) {
					t.Errorf("the error contains a secret: %s", text)
				}
				if text := fmt.Sprintf("%v %+v %#v", config, config, config); containsCanary(text) {
					t.Errorf("the configuration prints a secret: %s", text)
				}
			}
		})
	}
}

// A secret cannot be found in text that is compressed or in UTF-16.
func TestErrorsContainOnlyPlainText(t *testing.T) {
	for name, tt := range map[string]struct {
		f    fault
		want string
	}{
		"plain":      {status(500, "oops"), ": oops"},
		"UTF-16":     {status(500, "o\x00o\x00p\x00s\x00"), ""},
		"compressed": {status(500, "oops", "Content-Encoding: br"), ""},
	} {
		f := newFaultServer(t, tt.f)
		_, err := attempt(t, newSink(t, Config{URL: value.Inline(f.URL)}), sinktest.Events(1, 1), attemptTimeout)
		if want := "POST " + f.URL + ": 500 Internal Server Error" + tt.want; err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", name, err, want)
		}
	}
}

// A secret that cannot be used, or whose server cannot be reached, does not appear either.
func TestErrorsContainNoUnusableSecret(t *testing.T) {
	f := newFaultServer(t)
	dir := t.TempDir()
	file := func(name, text string) string {
		write(t, dir+"/"+name, text)
		return dir + "/" + name
	}
	good := value.Inline(f.URL)
	closed := newFaultServer(t)
	closed.listener.Close()
	unreachable := "http://u:" + "canary@" + strings.TrimPrefix(closed.URL, "http://")
	ca := sinktest.NewCA(t)
	cert, key := ca.Issue(t, "client", time.Hour)
	badKey := file("key", "-----BEGIN PRIVATE KEY-----\ncanary\n-----END PRIVATE KEY-----\n")
	tests := map[string]Config{
		"no URL":                      {URL: value.Inline("canary")},
		"scheme":                      {URL: value.Inline("canary://canary")},
		"control character":           {URL: value.Inline("http://canary/\x01")},
		"percent":                     {URL: value.Inline("http://canary%zz/")},
		"no host":                     {URL: value.Inline("http:///canary")},
		"port":                        {URL: value.Inline("http://u:canary@host:99999/")},
		"port is a password":          {URL: value.Inline("http://u:canary:/@host/")},
		"/ in a password":             {URL: value.Inline("http://canary:1/canary@host/")},
		"? in a password":             {URL: value.Inline("http://canary:1?canary@host/")},
		"fragment":                    {URL: value.Inline("http://host/#canary")},
		"refused":                     {URL: value.Inline(unreachable + "/canary?canary")},
		"no such host":                {URL: value.Inline("http://u:canary@no.such.invalid/canary?canary")},
		"no TLS there":                {URL: value.Inline(strings.Replace(f.URL, "http://", "https://u:canary@", 1) + "/canary?canary")},
		"bearer, two lines":           {URL: good, Bearer: value.Secret{File: file("token", "canary\ncanary")}},
		"header, a NUL":               {URL: good, Headers: []Header{{Name: "X-Key", Value: value.Inline("canary\x00")}}},
		"no signing secret":           {URL: good, SigningSecrets: []value.Secret{value.Inline("canary")}},
		"no base64":                   {URL: good, SigningSecrets: []value.Secret{value.Inline("whsec_canary!")}},
		"unknown scheme of the proxy": {URL: good, Proxy: value.Inline("ftp://u:canary@host")},
		"invalid URL of the proxy":    {URL: good, Proxy: value.Inline("http://u:canary@ho st")},
		"proxy refuses":               {URL: good, Proxy: value.Inline(unreachable)},
		"proxy is unknown":            {URL: good, Proxy: value.Inline("socks5://u:canary@no.such.invalid:1")},
		"proxy, no SOCKS":             {URL: good, Proxy: value.Inline(strings.Replace(f.URL, "http://", "socks5://u:canary@", 1))},
		"invalid key":                 {URL: good, TLS: sinktest.TLS("", cert, badKey)},
		"CA is a key":                 {URL: good, TLS: sinktest.TLS(badKey, "", "")},
		"key is the CA's":             {URL: good, TLS: sinktest.TLS("", ca.File, key)},
	}
	for name, config := range tests {
		t.Run(name, func(t *testing.T) {
			s := newSink(t, config)
			limit := attemptTimeout
			if name == "proxy, no SOCKS" { // each side waits for the other
				limit = 100 * time.Millisecond
			}
			n, err := attempt(t, s, sinktest.Events(1, 2), limit)
			if n != 0 || err == nil || containsCanary(fmt.Sprintf("%v %+v %#v", err, err, err)) {
				t.Errorf("accepted %d, %v", n, err)
			}
			if err := s.config.Verify(event.JSON{}); err != nil && containsCanary(fmt.Sprintf("%v %+v %#v", err, err, err)) {
				t.Errorf("Verify: %v", err)
			}
		})
	}
}

// A server of two sinks repeats the secrets of one in its answer to the other. This
// includes secrets that it received from an earlier process, and a secret that was rotated
// since.
func TestErrorsContainNoSecretOfAnotherSink(t *testing.T) {
	file := t.TempDir() + "/token"
	write(t, file, "Rotating-Token-1")
	f := newFaultServer(t, status(200, ""), status(200, ""), status(500, "bad Rotating-Token-2, Rotating-Token-1 and never-sent-Key"))
	env := sink.Env{Mask: new(redact.Mask)}
	sends := newSinkOf(t, Config{URL: value.Inline(f.URL), Bearer: value.Secret{File: file}}, env)
	newSinkOf(t, Config{ // has sent nothing yet
		URL: value.Secret{File: t.TempDir() + "/missing"}, Headers: []Header{{Name: "X-Api-Key", Value: value.Inline("never-sent-Key")}},
	}, env)
	for _, token := range []string{"Rotating-Token-1", "Rotating-Token-2"} {
		write(t, file, token)
		if _, err := attempt(t, sends, sinktest.Events(1, 1), attemptTimeout); err != nil {
			t.Fatal(err)
		}
	}
	_, err := attempt(t, newSinkOf(t, Config{URL: value.Inline(f.URL)}, env), sinktest.Events(1, 1), attemptTimeout)
	if want := "POST " + f.URL + ": 500 Internal Server Error: bad <secret>, <secret> and <secret>"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
