// SPDX-License-Identifier: Apache-2.0

package nats

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/genltestd/genltestd/config/strict"
)

var (
	streamName    = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)
	streamSubject = regexp.MustCompile(`^[^.*>$\s][^.*>\s]*(\.([^.*>\s]+|\*))*(\.>)?$`)
)

const maxStreamName = 200 // bytes

func (c *Config) checkStream(s strict.Section) {
	switch {
	case c.Stream.Name == "":
	case len(c.Stream.Name) > maxStreamName || !streamName.MatchString(c.Stream.Name):
		s.Errorf("stream.name", "%s is not a valid name of a stream; write letters, digits, - and _", strict.Quote(c.Stream.Name))
	case len(c.Stream.Subjects) == 0 && fixedSubject(c.Subject) == "":
		s.Errorf("stream.subjects", "is required, because the subject does not begin with a fixed word; add subjects")
	}
	for i, subject := range c.Stream.Subjects {
		if !streamSubject.MatchString(subject) {
			s.Errorf(fmt.Sprintf("stream.subjects[%d]", i), "%s is not a subject of a stream; write one like genltestd.>", strict.Quote(subject))
		}
	}
}

// Ineffective implements strict.Conditional.
func (r *Stream) Ineffective() (keys []strict.Ineffective) {
	if r.Name != "" {
		return nil
	}
	for _, key := range []string{"subjects", "replicas", "storage", "max_bytes", "max_age", "duplicates", "discard"} {
		keys = append(keys, strict.Ineffective{
			Key: key, Why: "without a name, because the sink does not create a stream then; add name", Beside: []string{"name"},
		})
	}
	return keys
}

// A streamConfig is the request that creates a stream, in the form of the server's interface.
type streamConfig struct {
	Name       string        `json:"name"`
	Subjects   []string      `json:"subjects"`
	Retention  string        `json:"retention"`
	Storage    string        `json:"storage"`
	Discard    string        `json:"discard"`
	Replicas   int           `json:"num_replicas"`
	MaxBytes   int64         `json:"max_bytes"`
	MaxAge     time.Duration `json:"max_age"`
	Duplicates time.Duration `json:"duplicate_window"`
	Direct     bool          `json:"allow_direct"`
	Batched    bool          `json:"allow_batched,omitempty"`
}

func (c *Config) streamConfig(batched bool) *streamConfig {
	r := &streamConfig{
		Name: c.Stream.Name, Subjects: c.Stream.Subjects, Retention: "limits", Storage: c.Stream.Storage, Discard: c.Stream.Discard,
		Replicas: c.Stream.Replicas, MaxBytes: cmp.Or(int64(c.Stream.MaxBytes), -1), MaxAge: time.Duration(c.Stream.MaxAge),
		Duplicates: time.Duration(c.Stream.Duplicates), Direct: true, Batched: batched,
	}
	if len(r.Subjects) == 0 {
		r.Subjects = []string{fixedSubject(c.Subject)}
	}
	if r.MaxAge > 0 {
		r.Duplicates = min(r.Duplicates, r.MaxAge) // the server accepts no other
	}
	return r
}

// createTimeout bounds the creation of a stream, so that it does not use up the attempt.
const createTimeout = 3 * time.Second

// createStream creates the configured stream. A stream with the same name and settings that
// exists already is not an error.
func (l *link) createStream(ctx context.Context, c *Config) error {
	ctx, cancel := context.WithTimeout(ctx, createTimeout)
	defer cancel()
	request, err := json.Marshal(c.streamConfig(atLeast(l.conn.ConnectedServerVersion(), 2, 14)))
	if err != nil {
		return err
	}
	answer, err := l.conn.RequestMsgWithContext(ctx, &nats.Msg{Subject: "$JS.API.STREAM.CREATE." + c.Stream.Name, Data: request})
	if err != nil {
		return err
	}
	var r reply
	if err := json.Unmarshal(answer.Data, &r); err != nil {
		return fmt.Errorf("the answer is not JSON: %w", err)
	}
	if r.Error != nil {
		return r.Error.fault()
	}
	return nil
}

// atLeast reports whether a version such as 2.14.1 is at least major.minor.
func atLeast(version string, major, minor int) bool {
	var have, below int
	if _, err := fmt.Sscanf(strings.TrimPrefix(version, "v"), "%d.%d", &have, &below); err != nil {
		return false
	}
	return have > major || have == major && below >= minor
}
