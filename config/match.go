// SPDX-License-Identifier: Apache-2.0

package config

import (
	"github.com/genltestd/genltestd/config/strict"
	"github.com/genltestd/genltestd/config/value"
)

// RateLimit limits the events that a sink receives.
type RateLimit struct {
	// Events is the limit for each period Per; 0 means no limit.
	Events int            `yaml:"events" default:"0" min:"0" max:"1000000000" unit:"events"`
	Per    value.Duration `yaml:"per" default:"1s" min:"1ms" max:"24h"`
	// Burst limits the events at once after a pause; 0 means the value of Events.
	Burst int `yaml:"burst" default:"0" min:"0" max:"1000000000" unit:"events"`
}

// Dedup is about events that repeat an earlier event.
type Dedup struct {
	// Window is the time for which repetitions are suppressed; 0 means not at all.
	Window value.Duration `yaml:"window" default:"0" min:"0" max:"24h"`
	// Key is an expression: events with the same value are repetitions.
	Key string `yaml:"key" default:"message"`
}

var (
	_ strict.Checker = (*Dedup)(nil)
	_                = []strict.Conditional{(*RateLimit)(nil), (*Dedup)(nil)}
)

// Ineffective implements strict.Conditional.
func (l *RateLimit) Ineffective() []strict.Ineffective {
	if l.Events > 0 {
		return nil
	}
	const why = "without a limit; write how many events may pass, like events: 10"
	beside := []string{"events"}
	return []strict.Ineffective{{Key: "per", Why: why, Beside: beside}, {Key: "burst", Why: why, Beside: beside}}
}

// Check implements strict.Checker.
func (d *Dedup) Check(s strict.Section) {
	if d.Key == "" {
		s.Errorf("key", "is empty; write an expression that returns a text, such as message")
	}
}

// Ineffective implements strict.Conditional.
func (d *Dedup) Ineffective() []strict.Ineffective {
	if d.Window > 0 {
		return nil
	}
	return []strict.Ineffective{{
		Key: "key", Why: "without a window; write how long repetitions are suppressed, like window: 1m", Beside: []string{"window"},
	}}
}
