// SPDX-License-Identifier: Apache-2.0

package event

import (
	"encoding/base64"
	"strconv"
	"time"
	"unicode/utf8"
)

// AppendJSON appends the event as one JSON object without a newline and
// returns the extended buffer. It allocates only when dst must grow.
//
// It does not use encoding/json, which costs several times as much per event and sink.
// That package also writes DEL, C1 controls and bidirectional overrides unescaped,
// which a terminal obeys.
func (e *Event) AppendJSON(dst []byte) []byte {
	var received [len("2006-01-02T15:04:05.000000000Z")]byte
	return e.AppendJSONWithTime(dst, AppendTime(received[:0], e.Time))
}

// AppendJSONWithTime is AppendJSON for a caller that already has the output of
// AppendTime for e.Time, which may be a part of dst.
func (e *Event) AppendJSONWithTime(dst, received []byte) []byte {
	dst = append(dst, `{"id":"`...)
	dst = e.AppendID(dst)
	dst = append(dst, `","seq":`...)
	dst = strconv.AppendUint(dst, e.Seq, 10)
	dst = append(append(dst, `,"kind":"`...), e.Kind()...)
	dst = append(append(dst, `","time":"`...), received...)
	dst = append(dst, '"')
	if !e.KernelTime.IsZero() {
		dst = append(appendName(dst, "kernel_time"), '"')
		dst = append(appendTimeNear(dst, e.KernelTime, e.Time, received), '"')
	}
	if e.KernelSeq != 0 {
		dst = appendNumber(dst, "kernel_seq", e.KernelSeq)
	}
	dst = appendLoadID(dst, e.LoadID)
	dst = appendField(dst, "host", e.Host)
	dst = appendField(dst, "family", e.Family)
	dst = appendField(dst, "group", e.Group)
	dst = e.Origin.appendJSON(dst)
	switch {
	case e.Gap != nil:
		return append(e.Gap.AppendJSON(appendName(dst, "gap")), '}')
	case e.Suppressed != nil:
		return append(e.Suppressed.AppendJSON(appendName(dst, "suppressed")), '}')
	case e.Test != nil:
		dst = AppendJSONText(append(dst, `,"test":{"sink":"`...), e.Test.Sink)
		return append(dst, `"}}`...)
	case e.Content != nil:
		return append(e.Content.appendJSON(dst), '}')
	}
	dst = append(dst, `,"message":"`...)
	dst = AppendJSONText(dst, e.Message)
	dst = append(dst, '"')
	if !utf8.Valid(e.Message) {
		dst = append(dst, `,"message_base64":"`...)
		dst = base64.StdEncoding.AppendEncode(dst, e.Message)
		dst = append(dst, '"')
	}
	return append(dst, '}')
}

func (o *Origin) appendJSON(dst []byte) []byte {
	if o == nil {
		return dst
	}
	for _, f := range [...]Label{{"machine_id", o.MachineID}, {"boot_id", o.BootID}, {"kernel_release", o.KernelRelease}} {
		if f.Value != "" {
			dst = appendField(dst, f.Name, f.Value)
		}
	}
	for i, l := range o.Labels {
		if i == 0 {
			dst = append(dst, `,"labels":{"`...)
		} else {
			dst = append(dst, `,"`...)
		}
		dst = append(AppendJSONText(dst, l.Name), `":"`...)
		dst = append(AppendJSONText(dst, l.Value), '"')
	}
	if len(o.Labels) > 0 {
		dst = append(dst, '}')
	}
	return dst
}

// AppendJSON appends s as AppendJSON of an Event writes it.
func (s *Suppressed) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"count":`...)
	dst = strconv.AppendUint(dst, s.Count, 10)
	dst = appendField(dst, "reason", s.Reason)
	dst = appendTime(dst, "from", s.From)
	return append(appendTime(dst, "to", s.To), '}')
}

// AppendJSON appends what AppendJSON of an Event writes as "gap".
func (g *Gap) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"count":`...)
	dst = strconv.AppendUint(dst, g.Count, 10)
	dst = appendField(dst, "reason", g.Reason)
	dst = appendTime(dst, "from", g.From)
	dst = appendTime(dst, "to", g.To)
	if g.First != 0 {
		dst = appendNumber(dst, "first_kernel_seq", g.First)
		dst = appendNumber(dst, "last_kernel_seq", g.Last)
	}
	return append(appendLoadID(dst, g.LoadID), '}')
}

// AppendTime appends RFC 3339 in UTC with nine decimals, so that texts sort like times.
func AppendTime(dst []byte, t time.Time) []byte {
	t = t.UTC()
	// A layout with decimals is several times slower: package time has a fast path for
	// this layout.
	dst = t.AppendFormat(dst, time.RFC3339)
	return appendDecimals(dst[:len(dst)-len("Z")], t)
}

// appendDecimals appends the part of AppendTime after the whole seconds.
func appendDecimals(dst []byte, t time.Time) []byte {
	dst = append(dst, ".000000000Z"...)
	digits, ns := dst[len(dst)-len("000000000Z"):], t.Nanosecond()
	for i, n := range [...]int{ns / 1e6, ns / 1e3 % 1e3, ns % 1e3} {
		digits[3*i], digits[3*i+1], digits[3*i+2] = byte('0'+n/100), byte('0'+n/10%10), byte('0'+n%10)
	}
	return dst
}

// appendTimeNear is AppendTime with the help of the output for another time, which usually is in
// the same second.
func appendTimeNear(dst []byte, t, other time.Time, text []byte) []byte {
	if t.Unix() != other.Unix() {
		return AppendTime(dst, t)
	}
	return appendDecimals(append(dst, text[:len(text)-len(".000000000Z")]...), t)
}

func appendTime(dst []byte, name string, t time.Time) []byte {
	dst = append(appendName(dst, name), '"')
	return append(AppendTime(dst, t), '"')
}

func appendNumber(dst []byte, name string, v uint64) []byte {
	return strconv.AppendUint(appendName(dst, name), v, 10)
}

// appendLoadID writes a text: a reader that stores JSON numbers as floats would change
// a random 64-bit number.
func appendLoadID(dst []byte, id uint64) []byte {
	if id == 0 {
		return dst
	}
	dst = append(appendName(dst, "load_id"), '"')
	return append(AppendLoadID(dst, id), '"')
}

func appendName(dst []byte, name string) []byte {
	dst = append(dst, `,"`...)
	dst = append(dst, name...)
	return append(dst, `":`...)
}

func appendField(dst []byte, name, value string) []byte {
	dst = append(appendName(dst, name), '"')
	return append(AppendJSONText(dst, value), '"')
}

const hex = "0123456789abcdef"

// AppendLoadID appends a load id as sixteen hexadecimal digits.
func AppendLoadID(dst []byte, v uint64) []byte {
	for shift := 60; shift >= 0; shift -= 4 {
		dst = append(dst, hex[v>>shift&0xf])
	}
	return dst
}

// AppendJSONText appends s as the content of a JSON string. Bytes that are not UTF-8
// become U+FFFD. Characters that control a terminal or reorder text are escaped.
func AppendJSONText[T string | []byte](dst []byte, s T) []byte {
	plain := 0 // start of the run not yet copied
	for i := 0; i < len(s); {
		if i+8 <= len(s) && isPlainJSON(word(s, i)) {
			i += 8
			continue
		}
		if c := s[i]; c < utf8.RuneSelf {
			i++
			if c >= 0x20 && c != '"' && c != '\\' && c != 0x7f {
				continue
			}
			dst = append(dst, s[plain:i-1]...)
			dst = appendEscape(dst, rune(c))
			plain = i
			continue
		}
		if i+2 <= len(s) && isPlainPair(s[i], s[i+1]) {
			i += 2
			continue
		}
		// Four bytes are enough for any rune, and keep the conversion off the heap.
		r, size := utf8.DecodeRuneInString(string(s[i:min(i+utf8.UTFMax, len(s))]))
		if (r != utf8.RuneError || size != 1) && !IsUnsafe(r) {
			i += size
			continue
		}
		dst = append(dst, s[plain:i]...)
		dst = appendEscape(dst, r)
		i += size
		plain = i
	}
	return append(dst, s[plain:]...)
}

// AppendVisibleJSON appends valid JSON of one line, and escapes the characters that
// control a terminal. In valid JSON these occur only in strings.
func AppendVisibleJSON(dst, text []byte) []byte {
	for {
		n := visiblePrefix(text)
		dst = append(dst, text[:n]...)
		if n == len(text) {
			return dst
		}
		r, size := utf8.DecodeRune(text[n:])
		dst = appendEscape(dst, r)
		text = text[n+size:]
	}
}

func appendEscape(dst []byte, r rune) []byte {
	switch r {
	case '"', '\\':
		return append(dst, '\\', byte(r))
	case '\n':
		return append(dst, `\n`...)
	case '\r':
		return append(dst, `\r`...)
	case '\t':
		return append(dst, `\t`...)
	}
	if r > 0xffff { // JSON escapes are UTF-16
		r -= 0x10000
		dst = appendUnit(dst, 0xd800+r>>10)
		return appendUnit(dst, 0xdc00+r&0x3ff)
	}
	return appendUnit(dst, r)
}

func appendUnit(dst []byte, u rune) []byte {
	return append(dst, '\\', 'u', hex[u>>12&0xf], hex[u>>8&0xf], hex[u>>4&0xf], hex[u&0xf])
}
