// SPDX-License-Identifier: Apache-2.0

package match

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/genltestd/genltestd/daemon/event"
)

// For any rules and any event: no panic, an end within seconds, and errors that are
// safe to print.
func FuzzRules(f *testing.F) {
	f.Add(`message contains "x"`, `(?P<a>x+)`, `message`, []byte("xx"))
	f.Add(`captures.a == "x" and labels.site in ["a"]`, `(?P<a>x)`, `captures.a + host`, []byte("\xff\x00\x1b"))
	f.Add(`seq in 1..999999999 or 1 % (seq-1) == 0 or int(message) ** 99 > 1`,
		`(?P<a>(x+x+)+y)`, `split(message, "")[9]`, []byte("xxxxxxxxxxxxxxxxxxxxxxxx"))
	f.Add(`let a = message + message; a == nil ?? $env`, `(?P<a>.{1000})`, `upper(message)[1:-1]`, []byte("é"))
	f.Add(`all(1..9, all(1..9, # > 1))`, `(?P<`, `string(time)`, []byte(""))
	f.Add(`date(message) > time and time.Format(message) != ""`, `(?P<a>)`, `time.Format(message)`, []byte("2006-01-02"))
	f.Add(`time.Format(message) == ""`, `(?P<a>a)`, `[time.Format][0](message)`, []byte("1111"))
	f.Add(strings.Repeat("string(split(", 200)+"message"+strings.Repeat(`, ""))`, 200)+` == ""`,
		"", "upper(lower(upper(message)))", []byte("1111"))
	f.Add(strings.Repeat("message + ", 50)+`"" == ""`, "", strings.Repeat("message + ", 900)+"host", bytes.Repeat([]byte("x"), 4124))
	f.Add(`message matches "(`+strings.Repeat("a?b?", 490)+`)$"`, `(?P<a>(.?){400})x`, `string(1..9999)`, bytes.Repeat([]byte("ab"), 200))
	f.Add(`attributes.header.dev_name matches "e" and 5 in attributes.many and "caps" in attributes or attributes.unclear > 5`,
		"(?P<a>dev-name)", `string(attributes.caps) + attributes["9"] + attributes.ports[0].dev_name`, []byte("eth0"))
	f.Add("((((((((((not not -+1", "", "[1,{a:1}].a?.b[:]", []byte("b"))
	attributes := linkVocabulary(f)
	attributes.Fields, attributes.Labels = nil, nil
	f.Fuzz(func(t *testing.T, filter, extract, key string, message []byte) {
		watchdog := time.AfterFunc(20*time.Second, func() { panic("the rules hang") })
		defer watchdog.Stop()
		r, err := NewCompiler(attributes).Compile(Options{Filter: filter, Extract: extract, Dedup: Dedup{Window: time.Second, Key: key}})
		checkError(t, err)
		for seq := range uint64(4) {
			e := newEvent(seq, 0, string(message[:min(len(message), 4124)]))
			if seq == 3 {
				e = linkEvent(func(b *event.ObjectBuilder) {
					b.Text("caps", message)
					b.Text("unclear", message)
				})
			}
			v, err := r.Evaluate(e)
			checkError(t, err)
			if err != nil && v != Pass {
				t.Errorf("verdict %d with error %v", v, err)
			}
		}
	})
}

func checkError(t *testing.T, err error) {
	t.Helper()
	joined, ok := err.(interface{ Unwrap() []error })
	if ok {
		for _, err := range joined.Unwrap() {
			checkError(t, err)
		}
		return
	}
	var fault *Error
	if err != nil && (!errors.As(err, &fault) || len(err.Error()) > maxShown+100 || !event.IsVisible([]byte(err.Error()))) {
		t.Errorf("%T %q", err, err)
	}
}
