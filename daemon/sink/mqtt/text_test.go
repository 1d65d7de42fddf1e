// SPDX-License-Identifier: Apache-2.0

package mqtt

import (
	"strings"
	"testing"
)

func TestValuesInTopics(t *testing.T) {
	for value, want := range map[string]string{
		"":                 "_",
		"web-1":            "web-1",
		"a/b":              "a_b",
		"+":                "_",
		"#":                "_",
		"a+b#c/d":          "a_b_c_d",
		"$SYS":             "_SYS",
		"\x00":             "_",
		"a\nb\x7f\u0085":   "a_b__",
		"caf\u00e9 \u65e5": "caf\u00e9 \u65e5",
		"\xff\xfe":         "__",
		"\ufffe\ufdd0":     "__",
		"\U0001ffff":       "_",
		"\xed\xa0\x80":     "___", // a surrogate
		"..":               "..",
	} {
		if got := string(replaceInTopic([]byte("x/"), []byte(value))); got != "x/"+want {
			t.Errorf("%q is %q, want %q", value, got, "x/"+want)
		}
	}
}

func TestValuesInProperties(t *testing.T) {
	for value, want := range map[string]string{"": "", "a/b+#$": "a/b+#$", "a\x00b": "a\ufffdb", "\xff": "\ufffd", "\ufffd": "\ufffd"} {
		if got := string(replaceInText(nil, []byte(value))); got != want {
			t.Errorf("%q is %q, want %q", value, got, want)
		}
	}
}

func TestInvalidTopicsAreRejected(t *testing.T) {
	for topic, want := range map[string]string{
		"a/b":                       "",
		"/":                         "",
		strings.Repeat("x", 65535):  "",
		"":                          "is empty",
		"a/+/b":                     "must not contain + or #",
		"a/#":                       "must not contain + or #",
		"$SYS/x":                    "belong to the broker",
		"a\x00":                     "control character",
		"a\xff":                     "not UTF-8",
		strings.Repeat("x", 65536):  "65536 bytes",
		"a" + string(rune(0x1fffe)): "control character",
	} {
		err := acceptTopic([]byte(topic))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%.20q: got %v, want %q", topic, err, want)
		}
	}
}

// A value cannot make a topic invalid, add a level to it or leave a level empty.
func FuzzValueInTopic(f *testing.F) {
	for _, seed := range []string{"", "a", "+/#", "\x00\x80\xff", "\ufffe", "$"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		if len(value) > maxText/3 {
			return
		}
		topic := replaceInTopic(nil, value)
		if err := acceptTopic(topic); err != nil || strings.Contains(string(topic), "/") {
			t.Errorf("%q is %q: %v", value, topic, err)
		}
		if again := replaceInTopic(nil, topic); string(again) != string(topic) {
			t.Errorf("%q is replaced again, by %q", topic, again)
		}
		if err := acceptText(replaceInText(nil, value)); err != nil {
			t.Errorf("%q: %v", value, err)
		}
	})
}
