// SPDX-License-Identifier: Apache-2.0

package redact

import (
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
)

func TestCleanMasksSecrets(t *testing.T) {
	var secrets Texts
	u, err := url.Parse("https://alice:s3cr3t@example.org/services/T0000/B0000/abcdefgh?key=q-value&v=1")
	if err != nil {
		t.Fatal(err)
	}
	secrets.AddURL(u)
	secrets.Add("token/1", "yes", "", " p/ad ", "correct horse battery")
	m := new(Mask)
	m.NewOwner().Set(secrets)
	tests := []struct{ text, want string }{
		{"", ""},
		{"no secret here", "no secret here"},
		{"bad token/1!", "bad <secret>!"},
		{`bad token\/1!`, "bad <secret>!"},
		{"bad token%2F1!", "bad <secret>!"},
		{"p/ad", "<secret>"},
		{"yes, v1 and /api stay", "yes, v1 and /api stay"},
		{"/services/T0000/B0000/abcdefgh?key=q-value&v=1 not found", "<secret> not found"},
		{"incorrect horse, batt", "in<secret>"},
		{"abcdefgh, q-value, s3cr3t", "<secret>, <secret>, <secret>"},
		{"Basic YWxpY2U6czNjcjN0", "Basic <secret>"},
		{" \x1b[2J\r\n\u202e \xff ", `\x1b[2J\r\n\u202e \xff`},
		{strings.Repeat("é", 60), strings.Repeat("é", 20) + "…"},
		{"x" + strings.Repeat("é", 60), "x" + strings.Repeat("é", 19) + "…"},
		{strings.Repeat("token/1 ", 60), "<secret> <secret> <secret> <secret> <sec…"},
		{"cut off: correct ho", "cut off: <secret>"},
		{"BAD TOKEN/1", "BAD <secret>"},
		{"bad dG9rZW4vMQ==, /dG9rZW4vMS", "bad <secret>Q==, /<secret>S"},
		{"bad 746f6b656e2f31", "bad <secret>"},
		{"caf\u00e9 token/1\u0301", "caf\u00e9 <secret>\u0301"},
	}
	for _, tt := range tests {
		if got := m.Clean(tt.text, 40); got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.text, got, tt.want)
		}
	}
}

// A server may encode the secret that it repeats, and separate its characters.
func TestEncodedSecretsAreMasked(t *testing.T) {
	const secret = "S3cr3t-T0ken-qwert"
	m := new(Mask)
	m.NewOwner().Set(Texts{secret})
	each := func(format, between string) string {
		var all []string
		for _, c := range []byte(secret) {
			all = append(all, fmt.Sprintf(format, c))
		}
		return strings.Join(all, between)
	}
	for name, text := range map[string]string{
		"percent":            each("%%%02x", ""),
		"percent, twice":     each("%%25%02X", ""),
		"decimal HTML":       each("&#%d;", ""),
		"hexadecimal HTML":   each("&#x%x;", ""),
		"JSON":               each(`\u%04x`, ""),
		"JSON, twice":        each(`\\u%04x`, ""),
		"C":                  each(`\x%02x`, ""),
		"octal":              each(`\%03o`, ""),
		"Unicode in braces":  each(`\u{%x}`, ""),
		"quoted-printable":   each("=%02X", ""),
		"bytes":              each("%02x", " "),
		"bytes with colons":  each("%02X", ":"),
		"bytes of C":         each("0x%02x", ", "),
		"decimal":            each("%d", " "),
		"decimal list":       each("%d", ", "),
		"spelled":            each("%c", " "),
		"spelled by dashes":  each("%c", "-"),
		"zero width":         each("%c", "\u200b"),
		"UTF-16":             each("%c\x00", ""),
		"two lines":          secret[:9] + "\n    " + secret[9:],
		"two parts":          secret[:9] + `" + "` + secret[9:],
		"reversed":           "trewq-nek0T-t3rc3S",
		"exchanged capitals": "s3CR3T-t0KEN-QWERT",
	} {
		got := m.Clean("bad: "+text+" end", 1<<10)
		if !strings.HasPrefix(got, "bad: <secret>") || !strings.HasSuffix(got, "end") || len(got) > len("bad: <secret>")+12 {
			t.Errorf("%s: %s", name, got)
		}
	}
	for _, text := range []string{
		"2026-11-30 06:31:18 503 trace-73:33:63:72 at 127.0.0.1:65000", `50%, \x1b and &amp; stay, 10 20 30 40 50 60 70`, "S3cr: 3t",
	} {
		if !shows(m, text) && !strings.Contains(text, `\x1b`) || strings.Contains(m.Clean(text, 1<<10), "<secret>") {
			t.Errorf("%s: %s", text, m.Clean(text, 1<<10))
		}
	}
}

func BenchmarkClean(b *testing.B) {
	m := new(Mask)
	m.NewOwner().Set(Texts{"S3cr3t-T0ken-qwert"})
	text := strings.Repeat(`{"error": "no such index", "id": 4711} `, 10)
	for b.Loop() {
		m.Clean(text, 300)
	}
}

func shows(m *Mask, text string) bool { return m.Clean(text, 1<<10) == text }

// A server that receives from two sinks can repeat the secret of one to the other.
func TestSecretOfAnotherOwnerIsMasked(t *testing.T) {
	m := new(Mask)
	a, b := m.NewOwner(), m.NewOwner()
	a.Set(Texts{"token-of-a"})
	b.Set(Texts{"the-key-of-b"})
	const want = "<secret> and <secret> are wrong"
	if got := m.Clean("token-of-a and the-key-of-b are wrong", 100); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// The server may still accept or repeat the old secrets for some time.
func TestReplacedAndRemovedSecretsStayMasked(t *testing.T) {
	m := new(Mask)
	o := m.NewOwner()
	for _, token := range []string{"first-token", "SECOND_TOKEN", "3rd.token"} {
		o.Set(Texts{token, "password"})
		if shows(m, token) { // creates the matcher, which the next Set must replace
			t.Errorf("%s is shown while it is used", token)
		}
	}
	o.Close()
	o.Close()
	for _, text := range []string{"first-token", "SECOND_TOKEN", "3rd.token", "password"} {
		if shows(m, text) {
			t.Errorf("%s is shown", text)
		}
	}
	if len(m.owners) != 0 {
		t.Errorf("%d owners after the only one was closed", len(m.owners))
	}
}

func TestRetiredSecretsAreBounded(t *testing.T) {
	m := new(Mask)
	token := func(i int) string { return fmt.Sprintf("%d-%s", i, strings.Repeat("x", 1000)) }
	for i := range 100 { // sinks are added, removed and rotated
		o := m.NewOwner()
		o.Set(Texts{token(2 * i)})
		o.Set(Texts{token(2*i + 1)})
		o.Close()
	}
	size := 0
	for _, s := range m.retired {
		size += len(s)
	}
	if size > maxRetiredBytes || size < maxRetiredBytes/2 {
		t.Errorf("%d bytes of replaced secrets are kept, limit %d", size, maxRetiredBytes)
	}
	if shows(m, token(199)) || len(m.owners) != 0 {
		t.Errorf("the newest secret is not masked, or %d owners are left", len(m.owners))
	}
}

// Two secrets that alternate are retired once each.
func TestRepeatedSecretIsRetiredOnce(t *testing.T) {
	m := new(Mask)
	o := m.NewOwner()
	for i := range 100 {
		o.Set(Texts{[]string{"token-one", "token-two"}[i%2]})
	}
	if len(m.retired) > 2 {
		t.Errorf("%q", m.retired)
	}
}

func TestUnchangedSecretsKeepTheMatcher(t *testing.T) {
	m := new(Mask)
	o := m.NewOwner()
	o.Set(Texts{"token-one", "token-two"})
	before := m.current()
	o.Set(Texts{"token-two", "token-one", "token-two"})
	if m.current() != before {
		t.Error("the same secrets create a new matcher")
	}
}

func TestNilMaskMakesTextVisible(t *testing.T) {
	if got := (*Mask)(nil).Clean("a\x1bb", 100); got != `a\x1bb` {
		t.Errorf("got %q", got)
	}
}

// Sinks read secrets and fail concurrently while a reload replaces them.
func TestMaskIsSafeForConcurrentUse(t *testing.T) {
	m := new(Mask)
	var running sync.WaitGroup
	for i := range 8 {
		running.Go(func() {
			for n := range 50 {
				token := fmt.Sprintf("token-%d-%d", i, n)
				o := m.NewOwner()
				o.Set(Texts{token})
				if shows(m, token) {
					t.Errorf("%s is shown", token)
				}
				o.Close()
			}
		})
	}
	running.Wait()
}

func FuzzClean(f *testing.F) {
	f.Add("the token hunter2 is bad", 40)
	f.Add("\xffhunter2hunter2\x1b", 3)
	m := new(Mask)
	m.NewOwner().Set(Texts{"hunter2"})
	f.Fuzz(func(t *testing.T, text string, limit int) {
		got := m.Clean(text, max(limit, 0))
		if strings.Contains(got, "hunter2") || len(got) > max(limit, 0)+len("…") {
			t.Errorf("%q: %q", text, got)
		}
	})
}
