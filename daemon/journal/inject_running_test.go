// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"errors"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/journal/vfs/memfs"
)

// TestFaultAtRunTimeLosesNoRecords: all appended records are delivered after a fault of
// any call, by the same process or by the next one.
func TestFaultAtRunTimeLosesNoRecords(t *testing.T) {
	for _, policy := range []Fsync{FsyncInterval, FsyncAlways} {
		for _, killed := range []bool{false, true} {
			eachFault(t, func(t *testing.T, label string, i *injector) {
				fs := memfs.New()
				opts := manualOptions(fs)
				opts.Fsync = policy
				j := open(t, "/j", opts)
				r := reader(t, j, "r", FromOldest)
				put(t, j, "first")
				firstUse(t, j)
				fs.Fail = i.fail
				appended, got := runWorkload(j, r, 12)
				if !i.forever || !killed {
					fs.Fail = nil
				}
				if killed {
					abandon(j)
					fs.Fail = nil
					j = open(t, "/j", opts)
					r = reader(t, j, "r", FromOldest)
				}
				defer abandon(j)
				rest, skipped := drain(t, r)
				for _, rec := range rest {
					got = append(got, rec.text)
				}
				if missing := missingFrom(append(appended, "first"), got); len(missing) > 0 || skipped > 0 {
					t.Errorf("policy %d, killed %v: %s: %d skipped, never delivered: %q", policy, killed, label, skipped, missing)
				}
				if !killed {
					maintain(t, j)
					put(t, j, "after the fault")
				}
			})
		}
	}
}

// runWorkload appends, reads, commits and runs the maintainer. It returns the texts that were
// appended and that were read.
func runWorkload(j *Journal, r *Reader, batches int) (appended, got []string) {
	for n := range batches {
		texts := []string{text(3 * n), text(3*n + 1), text(3*n + 2)}
		if j.Append(nil, epoch, batchOf(texts...)) == nil {
			appended = append(appended, texts...)
		}
		if n%3 == 2 {
			var records [4]Record
			k, _, _ := r.TryRead(records[:])
			for _, rec := range records[:k] {
				got = append(got, string(rec.Data))
			}
			if k > 0 {
				_ = r.Commit(records[k-1]) // either call may fail
			}
			_ = j.syncer.maintain()
		}
	}
	return appended, got
}

func missingFrom(all, found []string) (missing []string) {
	for _, s := range all {
		if !slices.Contains(found, s) {
			missing = append(missing, s)
		}
	}
	return missing
}

// TestStartOnFullDiskDeliversRecords: existing records can be delivered although no write of
// the start succeeds. Delivery may be the only way to free space.
func TestStartOnFullDiskDeliversRecords(t *testing.T) {
	for _, clean := range []bool{true, false} {
		fs, texts := partlyRead(t, clean)
		fs.Fail = func(o memfs.Op) error {
			if o.Kind == memfs.Write || o.Kind == memfs.Create || o.Kind == memfs.Truncate || o.Kind == memfs.Rename {
				return unix.ENOSPC
			}
			return nil
		}
		before := len(segmentsIn(fs))
		u, err := newUser(open(t, "/j", manualOptions(fs)))
		if err != nil {
			t.Fatal(err)
		}
		defer abandon(u.j)
		extra := reader(t, u.j, "new", FromOldest)
		for range 10 {
			u.round(t)
		}
		if u.appended || !errors.Is(u.j.Stats().Fault, unix.ENOSPC) {
			t.Errorf("appended %v, fault %v", u.appended, u.j.Stats().Fault)
		}
		if got, skipped := drain(t, extra); len(got) != healthyRecords || skipped > 0 {
			t.Errorf("a new reader got %d records, %d skipped", len(got), skipped)
		}
		if n := len(u.got["r"]); n != healthyRecords*2/3 {
			t.Errorf("%d records delivered", n)
		}
		_ = extra.cursor.Move(u.readers["r"].Position) // it cannot be written
		u.round(t)
		if after := len(segmentsIn(fs)); after >= before {
			t.Errorf("%d of %d segments are left although all readers have committed them", after, before)
		}
		fs.Fail = nil
		u.finish(t, "disk free again", texts, healthyRecords/3)
	}
}
