// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"fmt"
	"math/rand"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/journal/segment"
	"github.com/genltestd/genltestd/daemon/journal/vfs/memfs"
)

// TestConcurrentAppendsGetTheirGenerations: some of the calls fail, and are repeated.
func TestConcurrentAppendsGetTheirGenerations(t *testing.T) {
	const appenders, batches = 8, 200
	fs := memfs.New()
	j := open(t, "/j", manualOptions(fs))
	fs.Fail = func(o memfs.Op) error {
		if o.Kind <= memfs.Truncate && rand.Intn(10) == 0 {
			return unix.EIO
		}
		return nil
	}
	var mu sync.Mutex
	appended := map[uint64][]string{} // texts by generation
	var wg sync.WaitGroup
	for a := range appenders {
		wg.Go(func() {
			var generation atomic.Uint64
			for i := range batches {
				texts := []string{fmt.Sprintf("%d: %d", a, i), "x"}
				for j.Append(&generation, epoch, batchOf(texts...)) != nil {
					if g := generation.Load(); g != 0 {
						t.Errorf("generation %d after a failure", g)
					}
				}
				mu.Lock()
				appended[generation.Load()] = texts
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	fs.Fail = nil
	abandon(j)
	j = open(t, "/j", manualOptions(fs))
	if got := j.Recovered(); got != appenders*batches || len(appended) != appenders*batches {
		t.Errorf("generation %d recovered, %d distinct; want %d", got, len(appended), appenders*batches)
	}
	var want []string
	for generation := range uint64(appenders * batches) {
		want = append(want, appended[generation+1]...)
	}
	var got []string
	all, _ := drain(t, reader(t, j, "r", FromOldest))
	for _, r := range all {
		got = append(got, r.text)
	}
	if !slices.Equal(got, want) {
		t.Errorf("the records are not in the order of their generations: %q", got)
	}
}

// TestFailedAppendOfOneUserThenSuccessOfAnother: the second gets the generation of the first.
// A kill at any step must not make the first look journaled.
func TestFailedAppendOfOneUserThenSuccessOfAnother(t *testing.T) {
	for _, policy := range []Fsync{FsyncInterval, FsyncAlways} {
		for _, kinds := range [][]memfs.Kind{
			{memfs.Write}, {memfs.Sync}, {memfs.Create}, {memfs.Write, memfs.Truncate}, {memfs.Sync, memfs.Truncate},
		} {
			for _, size := range []int{10, 900} { // the second needs a new segment
				t.Run(fmt.Sprint(policy, kinds, size), func(t *testing.T) {
					failThenSucceed(t, policy, kinds, size)
				})
			}
		}
	}
}

func failThenSucceed(t *testing.T, policy Fsync, kinds []memfs.Kind, size int) {
	fs := memfs.New()
	opts := manualOptions(fs)
	opts.Fsync = policy
	j := open(t, "/j", opts)
	reader(t, j, "r", FromOldest)
	fill(t, j, 2)
	var a, b atomic.Uint64
	type moment struct {
		steps int
		a, b  uint64
	}
	moments := []moment{}
	failing := true
	fs.Fail = func(o memfs.Op) error {
		moments = append(moments, moment{len(fs.Ops), a.Load(), b.Load()})
		if failing && slices.Contains(kinds, o.Kind) {
			return unix.EIO
		}
		return nil
	}
	textA, textB := fmt.Sprintf("a%0*d", size, 0), "b"
	failed := j.Append(&a, epoch, batchOf(textA)) != nil
	failing = false
	if err := j.Append(&b, epoch, batchOf(textB)); err != nil {
		t.Fatal(err)
	}
	if failed != (a.Load() == 0) || b.Load() == 0 || failed && b.Load() != 3 {
		t.Errorf("the first has failed: %v, generations %d and %d", failed, a.Load(), b.Load())
	}
	fs.Fail = nil
	moments = append(moments, moment{len(fs.Ops), a.Load(), b.Load()})
	for _, m := range moments {
		opts.FS = memfs.Killed(fs.Ops, m.steps, segment.Suffix, rand.New(rand.NewSource(1)))
		again := open(t, "/j", opts)
		all, _ := drain(t, reader(t, again, "r", FromOldest))
		for name, c := range map[string]struct {
			generation uint64
			text       string
		}{"first": {m.a, textA}, "second": {m.b, textB}} {
			exists := slices.ContainsFunc(all, func(r textRecord) bool { return r.text == c.text })
			if looks := c.generation != 0 && c.generation <= again.Recovered(); looks != exists {
				t.Errorf("killed at step %d: the %s is in the journal: %v; by its generation %d of %d: %v",
					m.steps, name, exists, c.generation, again.Recovered(), looks)
			}
		}
		abandon(again)
	}
}
