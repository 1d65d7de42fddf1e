// SPDX-License-Identifier: Apache-2.0

package exec

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
)

const id = "6a9155caa46c7dcc-" // of sinktest's events

func TestStreamAnswers(t *testing.T) {
	const each = `while read -r line; do n=$((n + 1)); `
	tests := []struct {
		name, script string
		accepted     int
		poisoned     int
		want         string // in the error
	}{
		{"each event by its id", each + `echo "ok ` + id + `$n"; done`, 5, 0, ""},
		{"each event as the oldest", each + `echo "ok -"; done`, 5, 0, ""},
		{"all events by the last id", each + `[ $n != 5 ] || echo "ok ` + id + `5"; done`, 5, 0, ""},
		{
			"all events but one by the last id",
			each + `[ $n != 3 ] || echo "reject ` + id + `3 bad"; [ $n != 5 ] || echo "ok ` + id + `5"; done`, 2,
			1, "rejects the event: bad",
		},
		{"one event twice", each + `echo "ok ` + id + `$n"; echo "ok ` + id + `1"; done`, 5, 0, ""},
		{
			"temporary failure", each + `[ $n = 3 ] && echo "retry - the disk is full" || echo "ok -"; done`, 2, 0,
			"asks to try again: the disk is full",
		},
		{"a reason with control characters", each + `printf 'reject - \033[2J\n'; done`, 0, 1, `rejects the event: \x1b[2J`},
		{"exits", each + `[ $n != 3 ] || { echo why >&2; exit 7; }; echo "ok -"; done`, 2, 0, "/bin/sh: has exited: exit status 7: why"},
		{
			"incomplete answer", each + `[ $n != 3 ] || { printf 'ok -'; exit 0; }; echo "ok -"; done`, 2, 0,
			"has exited: exit status 0",
		},
		{"closes its output", `exec cat >/dev/null`, 0, 0, "has closed its standard output"},
		{"does not answer", `exec 3>&1; exec cat >/dev/null`, 0, 0, "answered 0 of 5 events in time"},
		{"prints an invalid answer", each + `echo "ok -"; echo 'hello'; done`, 1, 0, `printed "hello", which is not a valid answer`},
		{"prints an endless line", `exec 3<&0; exec tr '\0' x </dev/zero`, 0, 0, `printed "xxx`},
		{"answers for another event", each + `echo 'ok 0-0'; done`, 0, 0, "answered for the event 0-0, which it did not receive"},
		{"answers twice", each + `echo 'ok -'; echo "retry ` + id + `1"; done`, 1, 0, "answered twice for the event"},
		{"answers with an empty line", each + `echo; done`, 0, 0, `printed "", which is not a valid answer`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newStream(t, shell("n=0; "+tt.script))
			limit := time.Minute // only catches a hang
			if strings.Contains(tt.want, "in time") {
				limit = time.Second
			}
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			n, err := s.Deliver(ctx, sinktest.Events(1, 5))
			if n != tt.accepted || sink.Poisoned(err) != tt.poisoned || (err == nil) != (tt.want == "") {
				t.Errorf("accepted %d events, %d poisoned: %v", n, sink.Poisoned(err), err)
			}
			if got := sink.RefusalOf(err).Kind; tt.poisoned > 0 && got != sink.RefusedByProgram {
				t.Errorf("refusal %q of %v", got, err)
			}
			if err != nil && (!strings.Contains(err.Error(), tt.want) || !event.IsVisible([]byte(err.Error()))) {
				t.Errorf("error %q, want %q", err, tt.want)
			}
		})
	}
}

func TestProgramThatDoesNotReadIsTerminated(t *testing.T) {
	for script, want := range map[string]error{
		`exec sleep 1000`:      context.DeadlineExceeded,
		`exec <&-; sleep 1000`: unix.EPIPE,
	} {
		s := newStream(t, shell(script))
		limit := time.Minute // only catches a hang
		if errors.Is(want, context.DeadlineExceeded) {
			limit = time.Second
		}
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		events := sinktest.Events(1, 5000) // more than fits in a pipe
		if n, err := s.Deliver(ctx, events); n != 0 || !errors.Is(err, want) {
			t.Errorf("%s: accepted %d events: %v", script, n, err)
		}
		cancel()
	}
}

// The program answers retry for event 2 and ok for all others.
func TestEventsConfirmedOutOfOrderAreNotSentAgain(t *testing.T) {
	p := newDestination(t)
	s := newStream(t, shell(`while IFS= read -r line; do echo "$line" >>"$2"
		case $line in *-2\"*) [ -e "$1" ] && { echo "retry - early"; continue; } ;; esac; echo "ok -"; done`, p.broken(), p.file()))
	p.Break(t)
	events := sinktest.Events(1, 4)
	n, err := s.Deliver(t.Context(), events)
	if n != 1 || err == nil {
		t.Fatalf("accepted %d events: %v", n, err)
	}
	p.Repair(t)
	if n, err = s.Deliver(t.Context(), events[1:]); n != 3 || err != nil {
		t.Fatalf("accepted %d events: %v", n, err)
	}
	var got []string
	for _, stored := range p.Stored(t) {
		got = append(got, strings.TrimPrefix(stored.ID, id))
	}
	if diff := cmp.Diff([]string{"1", "2", "3", "4", "2"}, got); diff != "" {
		t.Errorf("events that the program received (-want +got):\n%s", diff)
	}
	if len(s.early) != 0 {
		t.Errorf("still stores %v", s.early)
	}
}

func TestUnsolicitedAnswerConfirmsNothing(t *testing.T) {
	p := newDestination(t)
	s := newStream(t, shell(`read -r line; echo "ok -"; while [ ! -e "$1" ]; do sleep 0.01; done; echo "ok -"; read -r line; sleep 1000`,
		p.file()))
	if n, err := s.Deliver(t.Context(), sinktest.Events(1, 1)); n != 1 {
		t.Fatalf("accepted %d events: %v", n, err)
	}
	writeFile(t, p.file(), "")
	for len(s.program.answers) == 0 {
		time.Sleep(time.Millisecond)
	}
	if n, err := s.Deliver(t.Context(), sinktest.Events(2, 1)); n != 0 || !errors.Is(err, errUnasked) {
		t.Errorf("accepted %d events: %v", n, err)
	}
}

// The sink detects the exit at the end of the attempt that the program has answered, or in the
// next attempt, which then fails.
func TestProgramThatExitsBetweenBatchesIsRestarted(t *testing.T) {
	s := newStream(t, shell(`read -r line; echo "ok -"; exit 3`))
	for i := range 6 {
		event := sinktest.Events(i+1, 1)
		n, err := s.Deliver(t.Context(), event)
		if n == 0 {
			if err == nil || !strings.Contains(err.Error(), "has exited: exit status 3") {
				t.Errorf("accepted nothing: %v", err)
			}
			n, err = s.Deliver(t.Context(), event)
		}
		if n != 1 {
			t.Fatalf("accepted %d events: %v", n, err)
		}
		if p := s.program; p != nil && i%2 == 0 {
			<-p.exited
		}
	}
}

func TestStreamReusesOneProgram(t *testing.T) {
	p := newDestination(t)
	s := newStream(t, shell(`echo $$ >>"$1"; while read -r line; do echo "ok -"; done`, p.file()))
	for i := range 10 {
		if n, err := s.Deliver(t.Context(), sinktest.Events(i*100, 100)); n != 100 {
			t.Fatalf("accepted %d events: %v", n, err)
		}
	}
	if text, err := os.ReadFile(p.file()); err != nil || bytes.Count(text, []byte("\n")) != 1 {
		t.Errorf("programs %q: %v", text, err)
	}
}

func TestCloseEndsProgram(t *testing.T) {
	for name, script := range map[string]string{
		"at the end of input": `sleep 1000 & echo $! >"$1"; while read -r line; do echo "ok -"; done`,
		"ignores everything":  `trap '' TERM; sleep 1000 & echo $! >"$1"; read -r line; echo "ok -"; wait; wait`,
	} {
		t.Run(name, func(t *testing.T) {
			p := newDestination(t)
			s := newStream(t, shell(script, p.file()))
			if n, err := s.Deliver(t.Context(), sinktest.Events(1, 1)); n != 1 {
				t.Fatalf("accepted %d events: %v", n, err)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			p.awaitExit(t)
		})
	}
}

func FuzzAnswers(f *testing.F) {
	for _, s := range []string{
		"ok -\n", "ok a-1\nretry a-2 why not\nreject - \xff\x1b\n", "\n", "ok", "ok \n", " ok -\n", "OK -\n",
		"ok - -\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, output []byte) {
		answers := make(chan answer, bytes.Count(output, []byte("\n"))+1)
		readAnswers(bytes.NewReader(output), nil, answers, nil)
		r := newRound(sinktest.Events(1, 3), nil)
		for a := range answers {
			if a.err == nil && (a.id == "" || strings.ContainsAny(a.id, " \n")) {
				t.Errorf("an answer for the event %q", a.id)
			}
			before := r.next
			if err := r.take(a); err != nil {
				if !event.IsVisible([]byte(err.Error())) {
					t.Errorf("the error could act on a terminal: %q", err)
				}
				return
			}
			if r.next < before {
				t.Errorf("%v removed an answer", a)
			}
		}
	})
}
