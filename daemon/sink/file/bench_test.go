// SPDX-License-Identifier: Apache-2.0

package file

import (
	"bytes"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/daemon/sink/lines"
)

func benchEvents(n int) []event.Event {
	list := make([]event.Event, n)
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	for i := range list {
		list[i] = event.Event{
			JournalID: "6a9155caa46c7dcc", Seq: uint64(1_000_000 + i), Time: at, KernelTime: at, KernelSeq: uint64(i), LoadID: 7,
			Host: "web-1", Family: "genltest", Group: "mcgrp", Message: bytes.Repeat([]byte("x"), 64),
		}
	}
	return list
}

func BenchmarkDeliver(b *testing.B) {
	for _, batch := range []int{1, 256, 1000, 4000} {
		for _, fsync := range []string{fsyncNever, fsyncBatch} {
			for _, position := range []bool{false, true} {
				b.Run(fmt.Sprintf("batch=%d/fsync=%s/position=%v", batch, fsync, position), func(b *testing.B) {
					dir := b.TempDir()
					config := &Config{
						Path: filepath.Join(dir, "events"), Mode: 0o600, Fsync: fsync,
						Rotate: Rotate{MaxBytes: 256 << 20, KeepFiles: 1},
					}
					env := sink.Env{Encoder: event.JSON{}}
					if position {
						env.Position = filepath.Join(dir, "position")
					}
					s := New(config, env)
					defer s.Close()
					list := benchEvents(batch)
					before := cpuTime(b)
					for b.Loop() {
						if _, err := s.Deliver(b.Context(), list); err != nil {
							b.Fatal(err)
						}
					}
					report(b, batch, before)
				})
			}
		}
	}
}

// BenchmarkEncode measures the part of Deliver that does not depend on the file system.
func BenchmarkEncode(b *testing.B) {
	list, l := benchEvents(256), lines.NewBuffer(event.JSON{})
	before := cpuTime(b)
	for b.Loop() {
		if err := l.Encode(list); err != nil {
			b.Fatal(err)
		}
	}
	report(b, len(list), before)
}

// report also reports CPU time, which other processes on the machine affect less.
func report(b *testing.B, batch int, before time.Duration) {
	events := float64(batch * b.N)
	b.ReportMetric(events/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64(cpuTime(b)-before)/events, "cpu-ns/event")
}

func cpuTime(b *testing.B) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
