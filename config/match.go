// SPDX-License-Identifier: Apache-2.0

package config

// RateLimit is how many events a sink gets at most.
type RateLimit struct {
	// Events may pass in each time Per; 0 is no limit.
	Events int      `yaml:"events" default:"0" min:"0" max:"1000000000" unit:"events"`
	Per    Duration `yaml:"per" default:"1s" min:"1ms" max:"24h"`
	// Burst is how many may pass at once after a pause; 0 is as many as Events.
	Burst int `yaml:"burst" default:"0" min:"0" max:"1000000000" unit:"events"`
}

// Dedup is about events that a sink has got already.
type Dedup struct {
	// Window is how long an event's repetitions are suppressed; 0 is not at all.
	Window Duration `yaml:"window" default:"0" min:"0" max:"24h"`
	// Key is an expression: what has the same value is the same event.
	Key string `yaml:"key" default:"message"`
}

var (
	_ checker = (*Dedup)(nil)
	_         = []conditional{(*RateLimit)(nil), (*Dedup)(nil)}
)

func (l *RateLimit) ineffective() []ineffective {
	if l.Events > 0 {
		return nil
	}
	const why = "without a limit; say how many events may pass, like events: 10"
	return []ineffective{{"per", why, []string{"events"}}, {"burst", why, []string{"events"}}}
}

func (d *Dedup) check(s section) {
	if d.Key == "" {
		s.errorf("key", "is empty; write an expression that gives text, such as message")
	}
}

func (d *Dedup) ineffective() []ineffective {
	if d.Window > 0 {
		return nil
	}
	return []ineffective{{"key", "without a window; say how long repetitions are suppressed, like window: 1m", []string{"window"}}}
}
