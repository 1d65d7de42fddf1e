// SPDX-License-Identifier: Apache-2.0

package memfs

import (
	"io"
	"path"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/journal/vfs"
)

// A file is an open file, or the directory.
type file struct {
	m      *FS
	node   *Node
	name   string
	locked bool
	dir    bool
}

func (f *file) ReadAt(p []byte, off int64) (int, error) {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if err := f.m.ask(Op{Kind: Read, Name: f.name, Node: f.node, Off: off, Data: p}); err != nil {
		return 0, err
	}
	if len(p) == 0 {
		return 0, nil
	}
	if off >= int64(len(f.node.Data)) {
		return 0, io.EOF
	}
	n := copy(p, f.node.Data[off:])
	f.m.BytesRead += int64(n)
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *file) WriteAt(p []byte, off int64) (int, error) {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if err := f.m.step(Op{Kind: Write, Name: f.name, Node: f.node, Off: off, Data: slices.Clone(p)}); err != nil {
		half := len(p) / 2 // a failed write may have written something
		f.m.Ops = append(f.m.Ops, Op{Kind: Write, Name: f.name, Node: f.node, Off: off, Data: slices.Clone(p[:half])})
		f.node.Data = overwrite(f.node.Data, off, p[:half])
		return half, err
	}
	f.node.Data = overwrite(f.node.Data, off, p)
	return len(p), nil
}

func (f *file) Truncate(size int64) error {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if err := f.m.step(Op{Kind: Truncate, Name: f.name, Node: f.node, Off: size}); err != nil {
		return err
	}
	f.node.Data = resize(f.node.Data, size)
	return nil
}

func (f *file) Sync() error {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	err := f.m.step(Op{Kind: Sync, Name: f.name, Node: f.node})
	if err != nil {
		f.m.Ops = append(f.m.Ops, Op{Kind: Lost, Name: f.name, Node: f.node})
	}
	return err
}

func (f *file) Stat() (vfs.FileInfo, error) {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if f.dir {
		return dirInfo(f.name), nil
	}
	return f.m.info(f.name, f.node), nil
}

func dirInfo(name string) vfs.FileInfo {
	return vfs.FileInfo{Name: path.Base(name), Kind: vfs.KindDirectory, ID: vfs.FileID{Dev: 1, Ino: 1}}
}

func (f *file) Dup() (vfs.File, error) { return &file{m: f.m, node: f.node, name: f.name}, nil }

func (f *file) Path() string { return f.name }

func (f *file) Lock() error {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if err := f.m.ask(Op{Kind: Lock, Name: f.name}); err != nil {
		return err
	}
	if f.node.locked {
		return unix.EWOULDBLOCK
	}
	f.node.locked, f.locked = true, true
	return nil
}

func (f *file) Close() error {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if f.locked {
		f.node.locked = false
	}
	return nil
}

func resize(b []byte, size int64) []byte {
	if size <= int64(len(b)) {
		return b[:size:size]
	}
	return append(b, make([]byte, size-int64(len(b)))...)
}

func overwrite(b []byte, off int64, p []byte) []byte {
	if end := off + int64(len(p)); end > int64(len(b)) {
		b = resize(b, end)
	}
	copy(b[off:], p)
	return b
}
