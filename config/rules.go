// SPDX-License-Identifier: Apache-2.0

package config

import (
	"strconv"
	"strings"

	"github.com/genltestd/genltestd/config/strict"
	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/sink"
)

var _ = []strict.Checker{(*Control)(nil), (*Echo)(nil), (*Event)(nil), (*HTTP)(nil), (*Journal)(nil), (*Reload)(nil)}

// checkSinks applies the rules about the sinks of all files.
func (s sourceFiles) checkSinks(sinks []Sink) {
	if len(sinks) == 0 {
		s.checkEmpty()
	}
	names, claims := make(map[string]strict.Section), make(map[string]map[string]strict.Section)
	for i := range sinks {
		at := s.section(i)
		at.Unique(names, "name", sinks[i].Name, "give each sink its own name")
		claimer, ok := sinks[i].Config.(sink.Claimer)
		if !ok {
			continue
		}
		for _, claim := range claimer.Claims() {
			key := sinks[i].Kind + "." + claim.Key
			if claims[key] == nil {
				claims[key] = make(map[string]strict.Section)
			}
			at.Unique(claims[key], key, claim.Name, claim.Advice)
		}
	}
}

// checkEmpty is for a configuration without sinks, unless another fault can be the reason.
func (s sourceFiles) checkEmpty() {
	at := s[0].Section("")
	for _, f := range s {
		root := f.Section("")
		if root.Misread() || root.HasUnknownKey() || !root.Read(dropInKey) {
			return
		}
		if root.Given(dropInKey) && !at.Given(dropInKey) {
			at = root
		}
	}
	at.Errorf(dropInKey, "is empty, so events would go nowhere; give at least one sink, or leave the key out for the default")
}

// Check implements strict.Checker.
func (e *Echo) Check(s strict.Section) {
	if e.Interval == 0 || e.Timeout <= e.Interval || !s.Read("interval", "timeout") {
		return
	}
	s.Errorf(s.Blamed("timeout", "interval"),
		"the timeout %v is longer than the interval %v; make it no longer, or switch the checks off with interval: 0",
		e.Timeout, e.Interval)
}

// Check implements strict.Checker.
func (j *Journal) Check(s strict.Section) { value.CheckPath(s, "path", j.Path) }

// Check implements strict.Checker.
func (h *HTTP) Check(s strict.Section) {
	value.CheckPath(s, "web_config", h.WebConfig)
	if h.Listen == "" {
		return
	}
	switch fault := listenFault(h.Listen); {
	case fault == "":
	case strict.IsOff(h.Listen) || h.Listen == "0":
		s.Errorf("listen", `%s; write "" for no server`, fault)
	case likelyListen(h.Listen) != "":
		s.Errorf("listen", "%s; write %s", fault, strict.Quote(likelyListen(h.Listen)))
	default:
		s.Errorf("listen", "%s; %s", fault, listenAdvice)
	}
}

// Check implements strict.Checker.
func (k *Sink) Check(s strict.Section) {
	if k.Name != "" && !strict.IsName(k.Name) {
		s.Errorf("name", `%s is not a valid name; write %sat most 63 of a-z, 0-9, "_", "." and "-", beginning with a letter or digit`,
			strict.Quote(k.Name), strict.LikelyName(k.Name))
	}
	if k.RetryMax < k.RetryMin && s.Read("retry_min", "retry_max") {
		s.Errorf(s.Blamed("retry_max", "retry_min"), "retry_max %v is less than retry_min %v; make it at least as long", k.RetryMax, k.RetryMin)
	}
	if single, ok := k.Config.(sink.SingleWorker); ok && k.Workers > 1 && single.WhyOneWorker() != "" && s.Read("workers") {
		s.Errorf("workers", "%s; leave it at 1", single.WhyOneWorker())
	}
	k.checkRules(s)
	k.checkEnvelope(s)
	k.checkAttempt(s)
}

func (k *Sink) checkRules(s strict.Section) {
	for key, text := range map[string]string{"filter": k.Filter, "extract": k.Extract} {
		if strings.Contains(text, "\b") {
			s.Errorf(key, `has a backspace, because \b is one in double quotes; put the whole value into single quotes`)
		}
	}
	if strict.IsOldBool(k.Filter) {
		s.Errorf("filter", "%s is not an expression; write %s, or leave the key out for all events",
			strict.Quote(k.Filter), strict.Quote(strconv.FormatBool(strict.IsOn(k.Filter))))
	}
}

// checkAttempt rejects an attempt that is too short for the kind of sink.
func (k *Sink) checkAttempt(s strict.Section) {
	slow, ok := k.Config.(sink.SlowSink)
	if !ok {
		return
	}
	rule := slow.AttemptRule()
	for _, key := range append(rule.Reads, rule.Key) {
		if !s.Read(k.Kind + "." + key) {
			return
		}
	}
	if rule.Least > k.AttemptTimeout && s.Read("attempt_timeout") {
		s.Errorf(s.Blamed(k.Kind+"."+rule.Key, "attempt_timeout"), "%s %v is longer than attempt_timeout %v; make it no longer",
			rule.What, rule.Least, k.AttemptTimeout)
	}
}
