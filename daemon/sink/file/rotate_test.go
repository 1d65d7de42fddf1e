// SPDX-License-Identifier: Apache-2.0

package file

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/sink"
	"github.com/genltestd/genltestd/internal/poll"
)

var day = time.Date(2026, 5, 17, 10, 0, 0, 0, time.UTC)

// rotating returns a sink whose time is day until the test moves it.
func rotating(t *testing.T, r Rotate) (s *Sink, path string, now *time.Time) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "events.jsonl")
	s = openWith(t, Config{Path: path, Rotate: r}, sink.Env{Position: path + "-position"})
	now = new(time.Time)
	*now = day
	s.now = func() time.Time { return *now }
	return s, path, now
}

// files returns the names in path's directory that belong to it, and their contents.
func files(t *testing.T, path string) (names []string, text string) {
	t.Helper()
	var lines strings.Builder
	all, err := listRotated(path)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range all {
		if r.temp || i+1 < len(all) && all[i+1].packed && all[i+1].at.Equal(r.at) {
			continue // the compressed file is the next one
		}
		b := []byte(read(t, r.path))
		if r.packed {
			reader, err := gzip.NewReader(bytes.NewReader(b))
			if err != nil {
				t.Fatal(err)
			}
			if b, err = io.ReadAll(reader); err != nil {
				t.Fatal(err)
			}
		}
		names = append(names, strings.TrimPrefix(r.path, path))
		lines.Write(b)
	}
	return names, lines.String() + read(t, path)
}

func seqs(from, to int) (list []int) {
	for i := from; i <= to; i++ {
		list = append(list, i)
	}
	return list
}

func TestRotatesBeforeTheSizeLimit(t *testing.T) {
	s, path, now := rotating(t, Rotate{MaxBytes: 1000})
	for i := 1; i <= 30; i++ {
		deliver(t, s, events(i, i))
		*now = now.Add(time.Second)
	}
	names, text := files(t, path)
	for _, name := range names {
		if info, err := os.Stat(path + name); err != nil || info.Size() > 1000 || info.Size() < 700 {
			t.Errorf("%s has %v, %v", name, info, err)
		}
	}
	if len(names) < 3 {
		t.Errorf("rotated to %v", names)
	}
	all := filepath.Join(t.TempDir(), "all")
	if err := os.WriteFile(all, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	wantIDs(t, all, seqs(1, 30)...)
}

func TestBatchLargerThanTheLimitHasItsOwnFile(t *testing.T) {
	s, path, _ := rotating(t, Rotate{MaxBytes: 300})
	deliver(t, s, events(1, 10))
	deliver(t, s, events(11, 20))
	wantIDs(t, path, seqs(11, 20)...)
	if names, _ := files(t, path); len(names) != 1 {
		t.Errorf("rotated to %v", names)
	}
}

func TestRotatesAtTheAgeLimit(t *testing.T) {
	s, path, now := rotating(t, Rotate{MaxAge: value.Duration(time.Hour)})
	*now = time.Now() // the file system uses this clock
	deliver(t, s, events(1, 1))
	*now = now.Add(59 * time.Minute)
	deliver(t, s, events(2, 2))
	*now = now.Add(2 * time.Minute)
	deliver(t, s, events(3, 3))
	wantIDs(t, path, 3)
	if names, _ := files(t, path); len(names) != 1 {
		t.Errorf("rotated to %v", names)
	}
}

// The age is that of the file, not of the process.
func TestFileAgeSurvivesARestart(t *testing.T) {
	s, path, _ := rotating(t, Rotate{MaxAge: value.Duration(time.Hour)})
	deliver(t, s, events(1, 1))
	began := s.target.began
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openWith(t, Config{Path: path, Rotate: s.config.Rotate}, sink.Env{})
	s.now = func() time.Time { return began.Add(2 * time.Hour) }
	deliver(t, s, events(2, 2))
	if !began.Before(time.Now().Add(-time.Hour)) { // the time of the file system
		wantIDs(t, path, 2)
	}
}

func TestNamesAscendWhenTheClockIsSetBack(t *testing.T) {
	s, path, now := rotating(t, Rotate{MaxBytes: 1})
	for i := 1; i <= 4; i++ {
		deliver(t, s, events(i, i))
		*now = day.Add(-time.Duration(i) * time.Hour)
	}
	names, text := files(t, path)
	want := []string{".20260517T090000.000000000Z", ".20260517T090000.000000001Z", ".20260517T090000.000000002Z"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	if i, j := strings.Index(text, "j-1"), strings.Index(text, "j-3"); i > j {
		t.Error("the names do not have the order of the events")
	}
}

func TestFailedRotationDoesNotStopWriting(t *testing.T) {
	dir := t.TempDir()
	var log bytes.Buffer
	path := filepath.Join(dir, "link")
	if err := os.Symlink(filepath.Join(dir, "events"), path); err != nil {
		t.Fatal(err)
	}
	s := openWith(t, Config{Path: path, Rotate: Rotate{MaxBytes: 1}}, sink.Env{Log: slog.New(slog.NewTextHandler(&log, nil))})
	for i := 1; i <= 3; i++ {
		deliver(t, s, events(i, i))
	}
	wantIDs(t, path, 1, 2, 3)
	if n := strings.Count(log.String(), "cannot rotate"); n != 1 {
		t.Errorf("%d lines in the log: %s", n, &log)
	}
}

// remainingFiles returns the remaining files, at noon, after the packer has handled rotated files with
// these names and 1,000 bytes each.
func remainingFiles(t *testing.T, r Rotate, names ...string) []string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "events.jsonl")
	for _, name := range append(names, "", "x", ".20260517T100000.000000000Z.bak", "-20260517") {
		text := bytes.Repeat([]byte("0123456789"), 100)
		if strings.HasSuffix(name, packedSuffix) {
			var b bytes.Buffer
			writer := gzip.NewWriter(&b)
			if _, err := writer.Write(text); err != nil {
				t.Fatal(err)
			}
			writer.Close()
			text = b.Bytes()
		}
		if err := os.WriteFile(path+name, text, 0o640); err != nil {
			t.Fatal(err)
		}
	}
	p := &packer{config: &Config{Path: path, Rotate: r}, age: func(t time.Time) time.Duration { return day.Add(2 * time.Hour).Sub(t) }}
	if err := p.tidy(t.Context()); err != nil {
		t.Error(err)
	}
	left, _ := files(t, path)
	if list, err := os.ReadDir(filepath.Dir(path)); err != nil || len(list) != len(left)+4 {
		t.Errorf("other than %v the directory has %v, %v", left, list, err)
	}
	return left
}

func TestRetentionOfRotatedFiles(t *testing.T) {
	name := func(hour int) string { return fmt.Sprintf(".20260517T%02d0000.000000000Z", hour) }
	for what, c := range map[string]struct {
		rotate      Rotate
		names, want []string
	}{
		"no limit": {Rotate{}, []string{name(8), name(9)}, []string{name(8), name(9)}},
		"compress": {
			Rotate{Compress: compressGzip},
			[]string{name(8), name(9) + ".gz"},
			[]string{name(8) + ".gz", name(9) + ".gz"},
		},
		"a compression cut": {Rotate{Compress: compressGzip}, []string{name(8), name(8) + ".gz.tmp"}, []string{name(8) + ".gz"}},
		"a removal cut": {
			Rotate{Compress: compressGzip},
			[]string{name(8), name(8) + ".gz", name(9)},
			[]string{name(8) + ".gz", name(9) + ".gz"},
		},
		"both, no longer compressed": {
			Rotate{},
			[]string{name(8), name(8) + ".gz", name(9) + ".gz.tmp", name(9)},
			[]string{name(8) + ".gz", name(9)},
		},
		"files": {Rotate{KeepFiles: 2}, []string{name(7), name(8), name(9)}, []string{name(8), name(9)}},
		"bytes": {Rotate{KeepBytes: 2500}, []string{name(7), name(8), name(9)}, []string{name(8), name(9)}},
		"bytes after compression": {
			Rotate{KeepBytes: 2500, Compress: compressGzip},
			[]string{name(7) + ".gz", name(8), name(9)},
			[]string{name(7) + ".gz", name(8) + ".gz", name(9) + ".gz"},
		},
		"age": {
			Rotate{KeepAge: value.Duration(4 * time.Hour)},
			[]string{name(7), name(8), name(9)},
			[]string{name(8), name(9)},
		},
		"nothing": {Rotate{KeepBytes: 1}, []string{name(7), name(8)}, nil},
	} {
		t.Run(what, func(t *testing.T) {
			if diff := cmp.Diff(c.want, remainingFiles(t, c.rotate, c.names...)); diff != "" {
				t.Errorf("left (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCompressesInTheBackground(t *testing.T) {
	s, path, now := rotating(t, Rotate{MaxBytes: 1000, Compress: compressGzip, KeepFiles: 5})
	for i := 1; i <= 100; i++ {
		deliver(t, s, events(i, i))
		*now = now.Add(time.Second)
	}
	poll.Until(t, "five compressed files", func() bool {
		all, err := listRotated(path)
		if err != nil {
			t.Fatal(err)
		}
		if len(all) != 5 || slices.ContainsFunc(all, func(r rotated) bool { return !r.packed }) {
			return false
		}
		_, text := files(t, path)
		return strings.Count(text, "\n") >= 15
	})
}

func TestCloseCancelsCompression(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "big")
	if err := os.WriteFile(path, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := compress(ctx, path); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if list, err := os.ReadDir(dir); err != nil || len(list) != 1 || list[0].Name() != "big" {
		t.Errorf("left %v, %v", list, err)
	}
}

func FuzzParseRotated(f *testing.F) {
	f.Add("events.20260517T100000.000000000Z.gz.tmp")
	f.Fuzz(func(t *testing.T, name string) {
		r, ok := parseRotated("events", name)
		if !ok {
			return
		}
		again := "events." + r.at.Format(stampLayout)
		if r.packed || r.temp {
			again += packedSuffix
		}
		if r.temp {
			again += tempSuffix
		}
		if again != name {
			t.Errorf("%q is read as %q", name, again)
		}
	})
}
