// SPDX-License-Identifier: Apache-2.0

package event

import (
	"strings"
	"testing"
	"time"
)

// benchTexts returns a text of the usual kind, and texts that cost more, all of about
// the same length.
func benchTexts() map[string][]byte {
	return map[string][]byte{
		"ascii":   []byte(strings.Repeat("disk sda failed, ", 12)),
		"utf8":    []byte(strings.Repeat("Gerät läuft über ", 11)),
		"hostile": []byte(strings.Repeat("\x1b[2J\u202e\xff ", 25)),
	}
}

func BenchmarkVisible(b *testing.B) {
	for name, text := range benchTexts() {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				IsVisible(text)
			}
		})
	}
}

func BenchmarkAppendVisible(b *testing.B) {
	for name, text := range benchTexts() {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(text)))
			var dst []byte
			for b.Loop() {
				dst = AppendVisible(dst[:0], text)
			}
		})
	}
}

func BenchmarkJSON(b *testing.B) {
	for name, text := range benchTexts() {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(text)))
			now := time.Now()
			e := Event{
				JournalID: "6a9155caa46c7dcc", Seq: 123_456, Host: "web-1", Family: "genltest", Group: "mcgrp", Message: text,
				Time: now, KernelTime: now.Add(-time.Microsecond), KernelSeq: 123_456, LoadID: 7,
			}
			var dst []byte
			for b.Loop() {
				dst = e.AppendJSON(dst[:0])
			}
		})
	}
}

func BenchmarkTime(b *testing.B) {
	at, dst := time.Now(), []byte(nil)
	b.ReportAllocs()
	for b.Loop() {
		dst = AppendTime(dst[:0], at)
	}
}
