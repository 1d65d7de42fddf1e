// SPDX-License-Identifier: Apache-2.0

package sinktest_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/sinktest"
)

// A memoryDestination is a destination in memory.
type memoryDestination struct {
	mu     sync.Mutex
	stored []sinktest.StoredEvent
	broken bool
	hung   chan struct{} // closed by Repair; nil while it works
}

func (p *memoryDestination) Stored(*testing.T) []sinktest.StoredEvent {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]sinktest.StoredEvent(nil), p.stored...)
}

func (p *memoryDestination) Break(*testing.T) { p.set(true, nil) }
func (p *memoryDestination) Hang(*testing.T)  { p.set(false, make(chan struct{})) }

func (p *memoryDestination) Repair(*testing.T) {
	p.mu.Lock()
	hung := p.hung
	p.mu.Unlock()
	p.set(false, nil)
	if hung != nil {
		close(hung)
	}
}

func (p *memoryDestination) set(broken bool, hung chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.broken, p.hung = broken, hung
}

var errUnavailable = errors.New("the destination is unavailable")

func (p *memoryDestination) put(ctx context.Context, e *event.Event) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.hung != nil {
		hung := p.hung
		p.mu.Unlock()
		select {
		case <-hung:
		case <-ctx.Done():
		}
		p.mu.Lock()
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if p.broken {
		return errUnavailable
	}
	p.stored = append(p.stored, sinktest.StoredEvent{ID: e.ID(), Message: string(e.Message)})
	return nil
}

// A memorySink is a correct sink, except for the parts that a test replaces.
type memorySink struct {
	*memoryDestination
	deliver func(ctx context.Context, events []event.Event) (int, error)
	close   func() error
}

func (s *memorySink) Deliver(ctx context.Context, events []event.Event) (int, error) {
	return s.deliver(ctx, events)
}
func (s *memorySink) Close() error { return s.close() }

func (s *memorySink) correctDeliver(ctx context.Context, events []event.Event) (int, error) {
	for i := range events {
		if err := s.put(ctx, &events[i]); err != nil {
			return i, err
		}
	}
	return len(events), nil
}

func kind(defect string) sinktest.Kind {
	return sinktest.Kind{
		Secrets: []string{"hunter2"}, Hostile: 2000, Once: true,
		New: func(*testing.T) (sink.Sink, sinktest.Destination) {
			s := &memorySink{memoryDestination: &memoryDestination{}, close: func() error { return nil }}
			s.deliver = s.correctDeliver
			if d, ok := defects[defect]; ok {
				d.breakSink(s)
			}
			return s, s.memoryDestination
		},
	}
}

func TestCorrectSinkPasses(t *testing.T) { sinktest.Run(t, kind("")) }

// Each defect runs in a process of its own, because a test cannot expect its own failure. The
// processes run concurrently, because most of them wait.
func TestEachDefectIsDetected(t *testing.T) {
	type child struct {
		*exec.Cmd
		out bytes.Buffer
	}
	children := make(map[string]*child)
	for name, d := range defects {
		c := &child{Cmd: exec.Command("/proc/self/exe", "-test.run", "^TestDefect$/^"+d.test+"$", "-test.timeout", "1m")}
		c.Env, c.Stdout, c.Stderr = append(os.Environ(), "SINKTEST_DEFECT="+name), &c.out, &c.out
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		children[name] = c
	}
	for name, c := range children {
		err := c.Wait()
		t.Run(name, func(t *testing.T) {
			var status *exec.ExitError
			if !errors.As(err, &status) {
				t.Fatalf("the kit has not failed: %v\n%s", err, &c.out)
			}
			for _, want := range []string{"--- FAIL: TestDefect/" + defects[name].test, defects[name].want} {
				if !strings.Contains(c.out.String(), want) {
					t.Errorf("the output of the kit does not contain %q:\n%s", want, &c.out)
				}
			}
		})
	}
}

func TestDefect(t *testing.T) {
	defect := os.Getenv("SINKTEST_DEFECT")
	if defect == "" {
		t.Skip("only as a child of TestEachDefectIsDetected")
	}
	sinktest.Run(t, kind(defect))
}
