// SPDX-License-Identifier: Apache-2.0

package config

import (
	"cmp"
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// One check method a struct, for what its tags cannot say.
var _ = []checker{
	(*Echo)(nil), (*Event)(nil), (*HTTP)(nil), (*Journal)(nil), (*Reload)(nil),
	(*Sink)(nil), (*CloudEvents)(nil), (*RFC5424)(nil), (*File)(nil),
}

// checkSinks applies the rules about the sinks of all files.
func (s source) checkSinks(sinks []Sink) {
	if len(sinks) == 0 {
		s.checkSome()
	}
	names, paths, sockets := make(map[string]section), make(map[string]section), make(map[string]section)
	for i, sink := range sinks {
		at := s.section(i)
		at.unique(names, "name", sink.Name, "give each sink its own name")
		if sink.File != nil && sink.File.Path != "" {
			at.unique(paths, "file.path", filepath.Clean(sink.File.Path), "two writers garble a file: give each sink its own")
		}
		if sink.Socket != nil && sink.Socket.Mode == SocketListen {
			at.unique(sockets, "socket.address", sink.Socket.Address, "one listens at a socket: give each sink its own")
		}
	}
}

// checkSome is for a configuration without sinks. They may be behind a fault that is
// known already.
func (s source) checkSome() {
	at := section{s[0], ""}
	for _, r := range s {
		if r.failed[""] || r.odd[""] || r.failed["sinks"] {
			return
		}
		if _, ok := r.keys["sinks"]; ok && !at.given("sinks") {
			at.report = r
		}
	}
	at.errorf("sinks", "is empty, so events would go nowhere; give at least one sink, or leave the key out for the default")
}

// unique reports a value that an earlier section has.
func (s section) unique(first map[string]section, key, value, advice string) {
	if value == "" || !s.read(key) {
		return
	}
	if before, ok := first[value]; ok {
		s.errorf(key, "%s is taken by %s; %s", quote(value), before.seenFrom(s, key), advice)
		return
	}
	first[value] = s
}

// seenFrom points to a key of a sink, from that of another, which may be in another
// file.
func (s section) seenFrom(other section, key string) string {
	of := ""
	if s.report != other.report {
		of = " of " + s.file
	}
	return s.path + of + s.line(key)
}

func (e *Echo) check(s section) {
	if e.Interval == 0 || e.Timeout <= e.Interval || !s.read("interval", "timeout") {
		return
	}
	s.errorf(s.culprit("timeout", "interval"), "the timeout %v is longer than the interval %v; make it no longer, or switch the checks off with interval: 0", e.Timeout, e.Interval)
}

// culprit picks the key of a pair that the file has: not the default is wrong.
func (s section) culprit(key, other string) string {
	if !s.given(key) && s.given(other) {
		return other
	}
	return key
}

func (j *Journal) check(s section) {
	switch {
	case j.Path == "":
	case !filepath.IsAbs(j.Path):
		s.errorf("path", "%s is not absolute; begin it with /", quote(j.Path))
	case strings.ContainsFunc(j.Path, unicode.IsControl):
		s.errorf("path", "%s has a control character; leave it out", quote(j.Path))
	}
}

var hostName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9_.-]{0,252})$`)

func (h *HTTP) check(s section) {
	if h.Listen == "" {
		return
	}
	switch fault := listenFault(h.Listen); {
	case fault == "":
	case isOff(h.Listen):
		s.errorf("listen", `%s; write "" for no server`, fault)
	case likelyListen(h.Listen) != "":
		s.errorf("listen", "%s; write %s", fault, quote(likelyListen(h.Listen)))
	default:
		s.errorf("listen", "%s; %s", fault, listenAdvice)
	}
}

// isHost does not resolve a name: there may be no resolver yet. Nothing stands
// for all addresses, and what looks like an IPv4 address must be one.
func isHost(s string) bool {
	if _, err := netip.ParseAddr(s); err == nil || s == "" {
		return true
	}
	return hostName.MatchString(s) && strings.Trim(s, "0123456789.") != ""
}

var sinkName = regexp.MustCompile(`^[a-z0-9]([a-z0-9_.-]{0,62})$`)

func (k *Sink) check(s section) {
	if k.Name != "" && !sinkName.MatchString(k.Name) {
		s.errorf("name", `%s is not a valid name; write %sat most 63 of a-z, 0-9, "_", "." and "-", beginning with a letter or digit`, quote(k.Name), likelyName(k.Name))
	}
	if k.RetryMax < k.RetryMin && s.read("retry_min", "retry_max") {
		s.errorf(s.culprit("retry_max", "retry_min"), "retry_max %v is less than retry_min %v; make it at least as long", k.RetryMax, k.RetryMin)
	}
	if why := k.oneWriter(); k.Workers > 1 && why != "" && s.read("workers") {
		s.errorf("workers", "%s; leave it at 1", why)
	}
	for key, text := range map[string]string{"filter": k.Filter, "extract": k.Extract} {
		if strings.Contains(text, "\b") {
			s.errorf(key, `has a backspace, because \b is one in double quotes; put the whole value into single quotes`)
		}
	}
	if isOldBool(k.Filter) {
		s.errorf("filter", "%s is not an expression; write %s, or leave the key out for all events", quote(k.Filter), quote(strconv.FormatBool(isOn(k.Filter))))
	}
	k.checkEnvelope(s)
	k.checkKind(s)
	k.checkExec(s)
}

// likelyName proposes a valid name.
func likelyName(name string) string {
	likely := strings.Trim(notInNames.ReplaceAllString(strings.ToLower(name), "-"), "-_.")
	if !sinkName.MatchString(likely) {
		return ""
	}
	return quote(likely) + ", or "
}

var notInNames = regexp.MustCompile(`[^a-z0-9_.-]+`)

// oneWriter says why a sink of this kind cannot have several workers; empty when it
// can.
func (k *Sink) oneWriter() string {
	switch {
	case k.Stdout != nil:
		return "lines of several writers would mix on standard output"
	case k.File != nil:
		return "a file has one writer"
	case k.Socket != nil && k.Socket.Mode == SocketListen:
		return "a socket that others connect to is one"
	}
	return ""
}

func (k *Sink) checkKind(s section) {
	given := k.kinds()
	if len(given) == 0 && !s.odd[s.path] {
		s.add(s.values[s.path], s.path, "has no kind; add one of %s", strings.Join(sinkKinds(), ", "))
	}
	slices.SortStableFunc(given, func(a, b string) int {
		x, y := s.keys[join(s.path, a)], s.keys[join(s.path, b)]
		return cmp.Or(cmp.Compare(x.line, y.line), cmp.Compare(x.column, y.column))
	})
	for i, kind := range given {
		if i > 0 {
			s.add(s.keys[join(s.path, kind)], join(s.path, kind), "is a second kind beside %q%s; make it a sink of its own", given[0], s.line(given[0]))
		}
	}
}
