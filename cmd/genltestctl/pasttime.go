// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"time"
)

// A pastTime is the value of an option: a time, or a duration before now. The zero time is that of
// an option that is not used.
type pastTime struct{ time.Time }

// String implements pflag.Value.
func (p *pastTime) String() string {
	if p.IsZero() {
		return ""
	}
	return p.Format(time.RFC3339)
}

// Type implements pflag.Value.
func (*pastTime) Type() string { return "time" }

// Set implements pflag.Value.
func (p *pastTime) Set(text string) error { return p.parse(text, time.Now()) }

func (p *pastTime) parse(text string, now time.Time) error {
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		p.Time = now.Add(-d)
		return nil
	}
	for _, layout := range []string{time.RFC3339Nano, time.DateTime, "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, text, now.Location()); err == nil {
			p.Time = t
			return nil
		}
	}
	return errors.New(`neither a time nor a duration; write 90s, 1h, 2026-01-02, "2026-01-02 15:04:05" or 2026-01-02T15:04:05Z`)
}
