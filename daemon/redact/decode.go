// SPDX-License-Identifier: Apache-2.0

package redact

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A derived text is a decoded form of another text. Byte i is the decoded form
// of the bytes from from[i] to to[i] of the other text.
type derived struct {
	text     []byte
	from, to []int
}

func (d *derived) add(text string, from, to int) {
	for i := range len(text) {
		d.text = append(d.text, text[i])
		d.from, d.to = append(d.from, from), append(d.to, to)
	}
}

// whole returns text as a derived text of itself.
func whole(text string) *derived {
	d := newDerived(len(text))
	d.text = append(d.text, text...)
	for i := range len(text) {
		d.from, d.to = append(d.from, i), append(d.to, i+1)
	}
	return d
}

func newDerived(size int) *derived {
	return &derived{make([]byte, 0, size), make([]int, 0, size), make([]int, 0, size)}
}

// through returns a decoded form of d. The function next returns the beginning of a text
// decoded, and its length; a length of 0 leaves one byte as it is.
func (d *derived) through(next func(text string) (decoded string, length int)) *derived {
	result := newDerived(len(d.text))
	text := string(d.text)
	for i := 0; i < len(text); {
		decoded, n := next(text[i:])
		if n == 0 {
			decoded, n = text[i:i+1], 1
		}
		result.add(decoded, d.from[i], d.to[i+n-1])
		i += n
	}
	return result
}

var (
	hexEscape     = regexp.MustCompile(`(?i)^(?:%|\\x|\\u\{?|%u|&#x|=)([0-9a-f]{2,8})[;}]?`)
	decimalEscape = regexp.MustCompile(`^(?:&#)([0-9]{2,7});?`)
	octalEscape   = regexp.MustCompile(`^\\([0-3][0-7]{2})`)
	plainEscape   = regexp.MustCompile(`^\\([^0-9A-Za-z])`)
	namedEscapes  = strings.NewReplacer("&amp;", "&", "&lt;", "<", "&gt;", ">", "&quot;", `"`, "&apos;", "'")
)

// digitsOf are the numbers of hexadecimal digits after each mark; 0 for any.
var digitsOf = map[string]int{"%": 2, `\x`: 2, "=": 2, `\u`: 4, "%u": 4}

// unescape decodes one escape of URLs, HTML, JSON, C, quoted-printable and others.
func unescape(text string) (decoded string, length int) {
	if strings.IndexByte(escapeMarks, text[0]) < 0 {
		return "", 0
	}
	if m := hexEscape.FindStringSubmatchIndex(text); m != nil {
		mark := strings.ToLower(text[:m[2]])
		end := m[1]
		if n := digitsOf[mark]; n > 0 {
			if m[3]-m[2] < n {
				return "", 0
			}
			m[3], end = m[2]+n, m[2]+n
		}
		return character(text[m[2]:m[3]], 16), end
	}
	if m := decimalEscape.FindStringSubmatchIndex(text); m != nil {
		return character(text[m[2]:m[3]], 10), m[1]
	}
	if m := octalEscape.FindStringSubmatchIndex(text); m != nil {
		return character(text[m[2]:m[3]], 8), m[1]
	}
	if m := plainEscape.FindStringSubmatchIndex(text); m != nil {
		return text[m[2]:m[3]], m[1]
	}
	if text[0] == '&' {
		if end := strings.IndexByte(text, ';'); end > 0 && end < len("&quot;") {
			if decoded := namedEscapes.Replace(text[:end+1]); len(decoded) == 1 {
				return decoded, end + 1
			}
		}
	}
	return "", 0
}

func character(digits string, base int) string {
	n, err := strconv.ParseUint(digits, base, 32)
	if err != nil || n > utf8.MaxRune {
		return "?"
	}
	if n < 0x100 {
		return string([]byte{byte(n)})
	}
	return string(rune(n))
}

// dump matches the bytes of a text as numbers with separators, such as 73:33:63 or
// [115, 51, 99].
var (
	hexDump     = regexp.MustCompile(`(?i)^(?:(?:0x)?[0-9a-f]{2}[ ,:;_-]{1,2}){5,}(?:0x)?[0-9a-f]{2}`)
	decimalDump = regexp.MustCompile(`^(?:[0-9]{2,3}[ ,:;_-]{1,2}){5,}[0-9]{2,3}`)
	anyDump     = regexp.MustCompile(`(?i)(?:[0-9a-f]{2,3}[ ,:;_-]{1,2}(?:0x)?){5}`)
	dumped      = regexp.MustCompile(`(?i)^(?:0x)?([0-9a-f]{2,3})[ ,:;_-]{0,2}`)
)

// undump returns a function that decodes the numbers of a dump, one at a time.
func undump(dump *regexp.Regexp, base int) func(text string) (string, int) {
	left := 0 // bytes of the present dump
	return func(text string) (string, int) {
		if left <= 0 && mayBeNumber(text) {
			left = len(dump.FindString(text))
		}
		if left <= 0 {
			return "", 0
		}
		m := dumped.FindStringSubmatchIndex(text)
		if m == nil {
			left = 0
			return "", 0
		}
		left -= m[1]
		return character(text[m[2]:m[3]], base), m[1]
	}
}

// mayBeNumber reports whether a text can begin with a number of a dump.
func mayBeNumber(text string) bool {
	return len(text) > 3 && (text[0] <= 'f' && text[0] >= '0') && strings.ContainsAny(text[2:4], " ,:;_-") || strings.HasPrefix(text, "0x")
}

// derive returns the decoded forms of a text in which secrets are searched.
func derive(text string) (all []*derived) {
	plain := whole(text)
	all = append(all, plain)
	if anyDump.MatchString(text) {
		all = append(all, plain.through(undump(hexDump, 16)), plain.through(undump(decimalDump, 10)))
	}
	// A proxy may escape the answer of a server, which has escaped a secret.
	for range 3 {
		if !bytes.ContainsAny(plain.text, escapeMarks) {
			break
		}
		plain = plain.through(unescape)
		all = append(all, plain)
	}
	return all
}

// escapeMarks are the first characters of escapes.
const escapeMarks = `%\&=`

// spelled is the number of consecutive letters and digits of a secret that are masked even
// with other characters between them.
const spelled = 10

// letters returns the letters and digits of d.
func (d *derived) letters() *derived {
	result := newDerived(len(d.text))
	for i, c := range d.text {
		if c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' {
			result.text = append(result.text, c)
			result.from, result.to = append(result.from, d.from[i]), append(result.to, d.to[i])
		}
	}
	return result
}
