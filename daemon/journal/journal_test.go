// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"
)

func numbered(i uint64, size int) []byte {
	return binary.NativeEndian.AppendUint64(make([]byte, 0, size), i)[:max(8, size)]
}

func TestReadersSeeEveryRecordInOrder(t *testing.T) {
	j := New(1 << 30)
	at := time.Unix(1700000000, 123456789)
	var readers sync.WaitGroup
	const records = 20000
	for range 3 {
		r := j.NewReader()
		readers.Go(func() {
			buf := make([]Record, 100)
			for want := uint64(1); want <= records; {
				n, skipped, err := r.Read(t.Context(), buf)
				if err != nil || skipped != 0 {
					t.Errorf("Read: skipped %d, %v", skipped, err)
					return
				}
				for _, rec := range buf[:n] {
					if rec.Seq != want || binary.NativeEndian.Uint64(rec.Data) != want || !rec.Time.Equal(at) {
						t.Errorf("record %d at %v, want %d", rec.Seq, rec.Time, want)
						return
					}
					want++
				}
				r.Commit(want - 1)
			}
		})
	}
	for i := uint64(1); i <= records; i += 2 {
		if err := j.Append(at, [][]byte{numbered(i, int(i%300)), numbered(i+1, 8)}); err != nil {
			t.Fatal(err)
		}
	}
	readers.Wait()
	if j.Bytes() > 2*chunkBytes {
		t.Errorf("%d bytes are held although all was read", j.Bytes())
	}
}

func TestAReaderThatIsTooLateLearnsHowMuchItMissed(t *testing.T) {
	j := New(3 * chunkBytes)
	r := j.NewReader()
	const records, size = 4000, 4096
	for i := uint64(1); i <= records; i++ {
		if err := j.Append(time.Now(), [][]byte{numbered(i, size)}); err != nil {
			t.Fatal(err)
		}
	}
	if limit := int64(4 * chunkBytes); j.Bytes() > limit {
		t.Errorf("the journal holds %d bytes, more than %d", j.Bytes(), limit)
	}
	buf := make([]Record, records)
	n, skipped, err := r.Read(t.Context(), buf)
	if err != nil {
		t.Fatal(err)
	}
	if skipped == 0 || uint64(n)+skipped != records {
		t.Errorf("read %d + skipped %d != %d", n, skipped, records)
	}
	if buf[0].Seq != skipped+1 || buf[n-1].Seq != records {
		t.Errorf("records %d to %d after %d skipped", buf[0].Seq, buf[n-1].Seq, skipped)
	}
}

func TestSkippingInTheMiddleOfAChunk(t *testing.T) {
	j := New(chunkBytes)
	r := j.NewReader()
	const size = 1024
	buf := make([]Record, 10)
	seen := uint64(0)
	for i := range uint64(20000) {
		if err := j.Append(time.Now(), [][]byte{numbered(i+1, size)}); err != nil {
			t.Fatal(err)
		}
		if i%700 != 0 {
			continue
		}
		n, skipped, err := r.Read(t.Context(), buf)
		if err != nil {
			t.Fatal(err)
		}
		seen += skipped
		for _, rec := range buf[:n] {
			if seen++; rec.Seq != seen || binary.NativeEndian.Uint64(rec.Data) != seen {
				t.Fatalf("record %d holding %d, want %d", rec.Seq, binary.NativeEndian.Uint64(rec.Data), seen)
			}
		}
	}
}

func TestUncommittedRecordsAreKept(t *testing.T) {
	j := New(1 << 30)
	r := j.NewReader()
	data := bytes.Repeat([]byte{'x'}, 100<<10)
	for range 50 {
		if err := j.Append(time.Now(), [][]byte{data}); err != nil {
			t.Fatal(err)
		}
	}
	held := j.Bytes()
	buf := make([]Record, 50)
	if n, _, err := r.Read(t.Context(), buf); n != 50 || err != nil {
		t.Fatal(n, err)
	}
	if j.Bytes() != held {
		t.Error("reading alone freed memory")
	}
	r.Commit(50)
	if j.Bytes() >= held {
		t.Error("committing freed nothing")
	}
}

func TestARecordLargerThanAChunk(t *testing.T) {
	j := New(1 << 30)
	r := j.NewReader()
	large := bytes.Repeat([]byte{'x'}, 3*chunkBytes)
	if err := j.Append(time.Now(), [][]byte{[]byte("a"), large, []byte("b")}); err != nil {
		t.Fatal(err)
	}
	buf := make([]Record, 5)
	n, _, err := r.Read(t.Context(), buf)
	if err != nil || n != 3 || len(buf[1].Data) != len(large) || string(buf[2].Data) != "b" {
		t.Errorf("read %d records, %v", n, err)
	}
}

func TestSealEndsReadersAfterTheLastRecord(t *testing.T) {
	j := New(1 << 20)
	r := j.NewReader()
	if err := j.Append(time.Now(), [][]byte{[]byte("last")}); err != nil {
		t.Fatal(err)
	}
	buf := make([]Record, 5)
	time.AfterFunc(20*time.Millisecond, j.Seal)
	if n, _, err := r.Read(t.Context(), buf); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	if _, _, err := r.Read(t.Context(), buf); !errors.Is(err, io.EOF) {
		t.Errorf("after the end: %v, want io.EOF", err)
	}
	if err := j.Append(time.Now(), [][]byte{nil}); !errors.Is(err, ErrSealed) {
		t.Errorf("Append after Seal: %v", err)
	}
}

func TestReadEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, _, err := New(1<<20).NewReader().Read(ctx, make([]Record, 1))
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
}

func TestJournalsHaveDifferentIDs(t *testing.T) {
	if a, b := New(1).ID(), New(1).ID(); a == b || len(a) != 16 {
		t.Errorf("ids %q and %q", a, b)
	}
}

func TestAppendAllocatesPerChunkOnly(t *testing.T) {
	j := New(1 << 20)
	batch := [][]byte{numbered(1, 100), numbered(2, 100)}
	now := time.Now()
	if n := testing.AllocsPerRun(1000, func() {
		if err := j.Append(now, batch); err != nil {
			t.Fatal(err)
		}
	}); n >= 1 {
		t.Errorf("%v allocations per batch", n)
	}
}

func BenchmarkAppend(b *testing.B) {
	for _, size := range []int{64, 512} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			j := New(64 << 20)
			batch := make([][]byte, 64)
			for i := range batch {
				batch[i] = make([]byte, size)
			}
			now := time.Now()
			b.ReportAllocs()
			for b.Loop() {
				if err := j.Append(now, batch); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
