// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"errors"
	"time"

	"github.com/genltestd/genltestd/daemon/event"
)

var errNoTime = errors.New("the time is not known")

// An Instant is a time that a template writes as RFC 3339 with nanoseconds. It is a nil
// pointer if the time is not known, which is false in a condition and writes nothing.
//
// It does not embed a time.Time, because some methods of that type can double a text at
// each call.
type Instant struct{ t time.Time }

func instant(t time.Time) *Instant {
	if t.IsZero() {
		return nil
	}
	return &Instant{t.UTC()}
}

func (i *Instant) String() string {
	if i == nil {
		return ""
	}
	return string(event.AppendTime(nil, i.t))
}

// UTC returns the time in UTC for Format. Times are in UTC by default.
func (i *Instant) UTC() *Instant {
	if i == nil {
		return nil
	}
	return &Instant{i.t.UTC()}
}

// Local returns the time in the machine's time zone for Format.
func (i *Instant) Local() *Instant {
	if i == nil {
		return nil
	}
	return &Instant{i.t.Local()}
}

// Format returns the time in a layout of package time.
func (i *Instant) Format(layout string) (string, error) {
	switch {
	case i == nil:
		return "", errNoTime
	case len(layout) > maxLayout:
		return "", errLayout
	}
	return i.t.Format(layout), nil
}

const maxLayout = 1 << 10

var errLayout = errors.New("the layout is longer than 1024 bytes")

// Unix returns the whole seconds since 1970.
func (i *Instant) Unix() (int64, error) { return number(i, time.Time.Unix) }

// UnixMilli returns the milliseconds since 1970.
func (i *Instant) UnixMilli() (int64, error) { return number(i, time.Time.UnixMilli) }

// UnixMicro returns the microseconds since 1970.
func (i *Instant) UnixMicro() (int64, error) { return number(i, time.Time.UnixMicro) }

// UnixNano returns the nanoseconds since 1970.
func (i *Instant) UnixNano() (int64, error) { return number(i, time.Time.UnixNano) }

// Year returns the year.
func (i *Instant) Year() (int, error) { return number(i, time.Time.Year) }

// Month returns the month, which a template writes as its name.
func (i *Instant) Month() (time.Month, error) { return number(i, time.Time.Month) }

// Day returns the day of the month.
func (i *Instant) Day() (int, error) { return number(i, time.Time.Day) }

// YearDay returns the day of the year.
func (i *Instant) YearDay() (int, error) { return number(i, time.Time.YearDay) }

// Weekday returns the day of the week, which a template writes as its name.
func (i *Instant) Weekday() (time.Weekday, error) { return number(i, time.Time.Weekday) }

// Hour returns the hour of the day.
func (i *Instant) Hour() (int, error) { return number(i, time.Time.Hour) }

// Minute returns the minute of the hour.
func (i *Instant) Minute() (int, error) { return number(i, time.Time.Minute) }

// Second returns the second of the minute.
func (i *Instant) Second() (int, error) { return number(i, time.Time.Second) }

// Nanosecond returns the nanoseconds within the second.
func (i *Instant) Nanosecond() (int, error) { return number(i, time.Time.Nanosecond) }

// Sub returns the duration since another time.
func (i *Instant) Sub(other *Instant) (time.Duration, error) {
	if i == nil || other == nil {
		return 0, errNoTime
	}
	return i.t.Sub(other.t), nil
}

func number[T any](i *Instant, f func(time.Time) T) (T, error) {
	if i == nil {
		var zero T
		return zero, errNoTime
	}
	return f(i.t), nil
}
