// SPDX-License-Identifier: Apache-2.0

// Package powercut cuts the power of a VM under load and checks the events on its disk.
//
// Killing QEMU is not like a power cut: data that the guest wrote and did not flush is
// in the host's memory, and survives. Therefore QEMU logs all writes and flushes of the
// disk, in the format of the kernel's dm-log-writes. The test rebuilds the disk from
// the log, with all flushed blocks and a random selection of the others.
package powercut

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

const (
	logMagic   = 0x6a736677736872
	flagFlush  = 1 << 0
	flagNoData = 1<<2 | 1<<3 // a discard, a mark
	sectorLen  = 512

	// A disk writes a block completely or not at all, as current disks do. File systems
	// depend on it: ext4's superblock has 1 KiB, and a checksum.
	blockLen = 4096
)

var errLog = errors.New("this is not a log of writes")

// An entry is one write or flush.
type entry struct {
	at    int64 // on the disk
	data  int64 // offset of the data in the log
	size  int64
	flush bool
}

// readLog returns the entries of a log: a superblock, and for each entry a sector that
// describes it, followed by its data.
func readLog(log io.ReaderAt) ([]entry, error) {
	b := make([]byte, sectorLen)
	if _, err := log.ReadAt(b, 0); err != nil {
		return nil, err
	}
	le := binary.LittleEndian
	if le.Uint64(b) != logMagic || le.Uint64(b[8:]) != 1 || le.Uint32(b[24:]) != sectorLen {
		return nil, errLog
	}
	entries := make([]entry, le.Uint64(b[16:]))
	off := int64(sectorLen)
	for i := range entries {
		if _, err := log.ReadAt(b, off); err != nil {
			return nil, fmt.Errorf("entry %d of %d: %w", i, len(entries), err)
		}
		sector, count, flags := le.Uint64(b), le.Uint64(b[8:]), le.Uint64(b[16:])
		off += sectorLen
		e := entry{at: int64(sector) * sectorLen, data: off, flush: flags&flagFlush != 0}
		if flags&flagNoData == 0 {
			e.size = int64(count) * sectorLen
			off += e.size
		}
		entries[i] = e
	}
	return entries, nil
}

// A result counts the blocks of a replay, and parts of blocks.
type result struct{ flushed, kept, lost int }

// replay applies the log to a disk until the last flush, and after it each block for
// which keep returns true.
func replay(log io.ReaderAt, disk io.WriterAt, keep func() bool) (r result, err error) {
	entries, err := readLog(log)
	if err != nil {
		return r, err
	}
	durable := 0
	for i, e := range entries {
		if e.flush {
			durable = i
		}
	}
	block := make([]byte, blockLen)
	for i, e := range entries {
		for off := int64(0); off < e.size; {
			b := block[:min(e.size-off, blockLen-(e.at+off)%blockLen)]
			from, to := e.data+off, e.at+off
			off += int64(len(b))
			switch {
			case i < durable:
				r.flushed++
			case keep():
				r.kept++
			default:
				r.lost++
				continue
			}
			if _, err := log.ReadAt(b, from); err != nil {
				return r, fmt.Errorf("entry %d: %w", i, err)
			}
			if _, err := disk.WriteAt(b, to); err != nil {
				return r, err
			}
		}
	}
	return r, nil
}
