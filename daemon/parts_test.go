// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/control/api"
	"github.com/genltestd/genltestd/daemon/delivery"
	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/journal/vfs"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/internal/poll"
)

// shortLimits are limits that a test can wait for.
func shortLimits() limits {
	return limits{receiver: time.Second, journal: time.Second, state: time.Second, reload: time.Second}
}

// hangingDisk is a disk that makes nothing durable from the time at which armed is set, until hang
// is closed.
type hangingDisk struct {
	vfs.Disk
	hang  chan struct{}
	armed *atomic.Bool
}

func (d hangingDisk) Open(path string, flags int) (vfs.File, error) {
	f, err := d.Disk.Open(path, flags)
	if err != nil {
		return nil, err
	}
	return hangingFile{f, d}, nil
}

type hangingFile struct {
	vfs.File
	disk hangingDisk
}

func (f hangingFile) Sync() error {
	if f.disk.armed.Load() {
		<-f.disk.hang
	}
	return f.File.Sync()
}

// hangingSink ignores its context.
type hangingSink struct{ hang chan struct{} }

func (s hangingSink) Deliver(_ context.Context, events []event.Event) (int, error) {
	<-s.hang
	return len(events), nil
}

func (hangingSink) Close() error { return nil }

// hangingSource does not answer.
type hangingSource struct{ hang chan struct{} }

func (s hangingSource) Load() (*config.Config, error) {
	<-s.hang
	return nil, errors.New("released")
}

func (hangingSource) Fingerprint() string { return "" }

// TestEachPartThatHangsIsNamed stops one part at a time. The process must be reported as dead,
// with the name of the part, on /healthz, to the watchdog and in the status.
func TestEachPartThatHangsIsNamed(t *testing.T) {
	hang := make(map[string]chan struct{})
	for name, test := range map[string]struct {
		options func(o *Options, hang chan struct{})
		before  func(f *fixture, hang chan struct{})
		after   func(t *testing.T, f fixture)
	}{
		"receiver/genltest": {
			before: func(f *fixture, hang chan struct{}) {
				held := make(chan struct{})
				go f.kernel.Socket().Set(func() { close(held); <-hang }) // the socket answers nothing meanwhile
				<-held
			},
		},
		"journal": {
			options: func(o *Options, hang chan struct{}) { o.journalFS = hangingDisk{hang: hang, armed: &atomic.Bool{}} },
			after: func(_ *testing.T, f fixture) {
				f.opts.journalFS.(hangingDisk).armed.Store(true)
				f.kernel.event("one")
			},
		},
		"delivery/out": {
			before: func(f *fixture, hang chan struct{}) {
				w := f.pipelines.Of("out")
				w.Options.AttemptTimeout = time.Second - time.Minute // the limit is a minute longer
				w.Sinks = []sink.Sink{hangingSink{hang}}
				w.Worker = delivery.NewWorker(w.Config)
			},
			after: func(_ *testing.T, f fixture) { f.kernel.event("one") },
		},
		"state": {
			options: func(o *Options, hang chan struct{}) {
				o.Host = hangAfterFirst(hang)
			},
		},
		"config": {
			options: func(o *Options, hang chan struct{}) { o.Source = hangingSource{hang} },
			after: func(t *testing.T, f fixture) {
				go func() { _, _ = f.Reload(context.WithoutCancel(t.Context())) }()
			},
		},
	} {
		hang[name] = make(chan struct{})
		t.Run(name, func(t *testing.T) {
			k := newKernel()
			o := Options{Kernel: k, Echo: prober{}}
			if test.options != nil {
				test.options(&o, hang[name])
			}
			f := create(t, parse(t, listenAnywhere+"shutdown: {drain: 0}\nsinks: [{name: out, stdout: {}}]\n"), o)
			f.kernel, f.limits = k, shortLimits()
			if test.before != nil {
				test.before(&f, hang[name])
			}
			f.run(t)
			defer close(hang[name])
			if test.after != nil {
				test.after(t, f)
			}
			isDead := func(parts []api.Part) bool {
				return slices.ContainsFunc(parts, func(p api.Part) bool { return p.Name == name && !p.Alive && len(p.Faults) > 0 })
			}
			poll.Until(t, "/healthz names "+name, func() bool {
				code, text := f.get(t, "/healthz")
				return code == http.StatusServiceUnavailable && strings.Contains(text, name+": ")
			})
			poll.Until(t, "the watchdog is not fed", func() bool {
				return slices.ContainsFunc(f.alive(), func(line string) bool { return strings.HasPrefix(line, name+": ") })
			})
			poll.Until(t, "the status names "+name, func() bool { return isDead(f.statusOver(t).Parts) })
		})
	}
}

// hangAfterFirst returns the name of the machine once, and then hangs.
func hangAfterFirst(hang chan struct{}) func() (string, error) {
	first := make(chan struct{}, 1)
	first <- struct{}{}
	return func() (string, error) {
		select {
		case <-first:
		default:
			<-hang
		}
		return "host", nil
	}
}

// A part that waits for something that a restart does not bring back is alive.
func TestPartsThatWaitAreAlive(t *testing.T) {
	k := &fakeKernel{} // without the family
	f := create(t, parse(t, listenAnywhere+"shutdown: {drain: 0}\nsinks:\n- {name: down, webhook: {url: 'http://127.0.0.1:1/'}}\n"+
		"- {name: out, file: {path: "+filepath.Join(t.TempDir(), "none", "out")+"}}\n"), Options{Kernel: k, Echo: prober{fs.ErrNotExist}})
	f.kernel = k
	f.run(t)
	poll.Until(t, "the parts have faults", func() bool {
		h := f.readiness()
		return !h.OK && len(partOf(t, h.Parts, "receiver/genltest").Faults) > 0
	})
	if h := f.liveness(); !h.OK || len(h.Faults) > 0 || !partOf(t, h.Parts, "receiver/genltest").Alive {
		t.Errorf("health %+v", h)
	}
	since := partOf(t, f.liveness().Parts, "receiver/genltest").Faults[0].Since
	if again := partOf(t, f.liveness().Parts, "receiver/genltest").Faults[0].Since; since == nil || !again.Equal(*since) {
		t.Errorf("the fault exists since %v, and later since %v", since, again)
	}
}
