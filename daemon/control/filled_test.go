// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"
	"time"

	"github.com/genltestd/genltestd/daemon/control/api"
)

// filled answers each request with all members set. With an error, each request that can fail
// fails with it.
type filled struct{ err error }

var _ Operations = filled{}

const filledEvent = `{"id":"j-1","seq":1,"kind":"event","time":"2026-01-02T03:04:05.000000006Z","host":"h","family":"genltest",` +
	`"group":"mcgrp","message":"hello"}`

// fill sets each field below v to a value other than zero. Lists have one element, down to the
// maximum depth.
func fill(v reflect.Value, depth int) {
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)))
		return
	case json.RawMessage:
		v.SetBytes([]byte(filledEvent))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("text")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(7)
	case reflect.Uint64:
		v.SetUint(7)
	case reflect.Float64:
		v.SetFloat(7.5)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), depth)
	case reflect.Slice:
		n := min(1, depth)
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			fill(v.Index(i), depth-1)
		}
	case reflect.Map:
		element := reflect.New(v.Type().Elem()).Elem()
		fill(element, depth)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf("key"), element)
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Field(i); f.Kind() != reflect.Pointer || depth > 0 {
				fill(f, depth-1)
			}
		}
	default:
		panic("unknown kind " + v.Kind().String())
	}
}

func filledValue[T any]() *T {
	v := new(T)
	fill(reflect.ValueOf(v).Elem(), 8)
	return v
}

func filledLetter() *api.Letter {
	l := filledValue[api.Letter]()
	l.Kind = "http_status"
	return l
}

func (filled) Boxes() []api.Box { return []api.Box{*filledValue[api.Box](), {Sink: "b"}} }

func (f filled) Letters(sink string, visit func(*api.Letter) error) error {
	if sink != "s" {
		return UnknownSink(sink)
	}
	return errors.Join(f.err, visit(filledLetter()))
}

func (f filled) Letter(sink, _ string) (*api.Letter, error) {
	if sink != "s" {
		return nil, UnknownSink(sink)
	}
	return filledLetter(), f.err
}

func (f filled) Replay(sink string, s api.Selection) (int, error) {
	if sink != "s" {
		return 0, UnknownSink(sink)
	}
	return len(s.IDs), f.err
}

func (f filled) Drop(sink string, s api.Selection) (int, error) { return f.Replay(sink, s) }

func (f filled) RequestCanary() (*api.Canary, error) { return filledValue[api.Canary](), f.err }

func (f filled) LastCanary() (*api.Canary, error) { return f.RequestCanary() }

func (f filled) Pause(sink string) (*api.Pause, error) {
	if sink != "s" {
		return nil, UnknownSink(sink)
	}
	return filledValue[api.Pause](), f.err
}

func (f filled) Resume(sink string) (*api.Pause, error) { return f.Pause(sink) }

func (f filled) Retry(sink string) error { _, err := f.Pause(sink); return err }

func (f filled) Test(_ context.Context, sink string) (*api.SinkTest, error) {
	_, err := f.Pause(sink)
	t := filledValue[api.SinkTest]()
	t.Outcome = api.TestRefused
	return t, err
}

func (f filled) Skip(_ context.Context, sink string, _ *api.Skip) (*api.Skipped, error) {
	_, err := f.Pause(sink)
	return filledValue[api.Skipped](), err
}

func (f filled) Tail(ctx context.Context, q api.EventsQuery, to EventWriter) error {
	if q.From == "gone" {
		return &api.Error{Status: http.StatusNotFound, Message: "unknown event"}
	}
	if f.err != nil && q.Sink == "" {
		return f.err
	}
	lines := filledEvent + "\n" +
		`{"id":"j-2","seq":2,"time":"2026-01-02T03:04:05Z","error":"no event","record_base64":"AA=="}` + "\n" +
		`{"kind":"missed","count":2}` + "\n"
	if _, err := to.Write([]byte(lines)); err != nil {
		return err
	}
	if q.Follow {
		if err := to.Flush(); err != nil {
			return err
		}
		<-ctx.Done()
	}
	return f.err
}

func (f filled) Explain(id, _ string) (*api.Explanation, error) {
	if id != "j-1" {
		return nil, &api.Error{Status: http.StatusNotFound, Message: "unknown event"}
	}
	x := filledValue[api.Explanation]()
	s := &x.Sinks[0]
	s.Outcome, s.DeadLetter.Kind, s.DeadLetter.Event = api.OutcomeDeadLettered, "other", json.RawMessage("null")
	s.Rules[0].Rule, s.Rules[0].Result = "filter", "passes"
	return x, f.err
}

func (f filled) Reload(context.Context) (*api.Reload, error) { return filledValue[api.Reload](), f.err }

func (f filled) Config(w io.Writer) error {
	_, err := io.WriteString(w, "log:\n  level: info\n")
	return errors.Join(err, f.err)
}

func (f filled) Files(w io.Writer) error {
	if f.err != nil {
		return f.err
	}
	return f.Config(w)
}

func (filled) LogLevel() api.LogLevel { return api.LogLevel{Level: "debug", Configured: "info"} }

func (filled) SetLogLevel(level string) error { return ten{}.SetLogLevel(level) }

func (f filled) Metrics() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if f.err != nil {
			http.Error(w, f.err.Error(), http.StatusInternalServerError)
			return
		}
		ten{}.Metrics().ServeHTTP(w, r)
	})
}

func (filled) Operators() string { return "" }

func (filled) Status() *api.Status {
	s := filledValue[api.Status]()
	s.LogLevel, s.Parts[0].Name, s.Sinks[0].State = filled{}.LogLevel(), "delivery/s", api.SinkPaused
	s.Journal.Fsync = "interval"
	return s
}
