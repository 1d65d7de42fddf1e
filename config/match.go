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

var _ = []checker{(*RateLimit)(nil), (*Dedup)(nil)}

func (l *RateLimit) check(s section) {
	if l.Events == 0 && l.Burst > 0 && s.read("events", "burst") {
		s.errorf("burst", "has no effect without a limit; say how many events may pass, like events: 10")
	}
}

func (d *Dedup) check(s section) {
	switch {
	case d.Key == "":
		s.errorf("key", "is empty; write an expression that gives text, such as message")
	case d.Window == 0 && d.Key != "message" && s.read("window"):
		s.errorf("key", "has no effect without a window; say how long repetitions are suppressed, like window: 1m")
	}
}
