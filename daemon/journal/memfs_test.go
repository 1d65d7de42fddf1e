// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"io"
	"maps"
	"math/rand"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// memFS is a file system in memory that records each step that changes it, so
// that a test can have the machine, or the process, end after any of them.
type memFS struct {
	mu    sync.Mutex
	names map[string]*node // the directory tree is implied by the paths
	ops   []op
	fail  func(op) error // asked before each step; nil fails none
	read  int64          // bytes
	lists int
}

type node struct {
	data   []byte
	locked bool
	kind   string // as of FileInfo
}

// info tells the node by its address, which no other has while it is in use.
func (n *node) info(name string) FileInfo {
	return FileInfo{
		Name: path.Base(name), Bytes: int64(len(n.data)), ModTime: epoch, Kind: n.kind,
		ID: FileID{1, uint64(uintptr(unsafe.Pointer(n)))},
	}
}

type opKind int

const (
	opCreate opKind = iota
	opWrite
	opTruncate
	opSync
	opLost // an fsync that failed: the kernel has called the pages clean, and the next one passes them by
	opRename
	opRemove
	opSyncDir
	opRead // this and what follows changes nothing, and is not recorded
	opOpen
	opList
	opStat
	opLock
	opMkdir
)

type op struct {
	kind opKind
	name string // to which a rename leads
	from string
	node *node
	off  int64
	data []byte
}

func newMemFS() *memFS { return &memFS{names: map[string]*node{}} }

// ask asks for failures. The caller holds mu.
func (m *memFS) ask(o op) error {
	if m.fail == nil {
		return nil
	}
	return m.fail(o)
}

// step asks for failures and records. The caller holds mu.
func (m *memFS) step(o op) error {
	if err := m.ask(o); err != nil {
		return err
	}
	m.ops = append(m.ops, o)
	return nil
}

func (m *memFS) Open(name string, flags int) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.ask(op{kind: opOpen, name: name}); err != nil {
		return nil, &os.PathError{Op: "open", Path: name, Err: err}
	}
	n := m.names[name]
	switch {
	case flags&unix.O_DIRECTORY != 0:
		return &memFile{m: m, node: &node{}, name: name, dir: true}, nil
	case n != nil && n.kind != "":
		return nil, &os.PathError{Op: "open", Path: name, Err: irregular(n.kind)}
	case n == nil && flags&unix.O_CREAT == 0:
		return nil, &os.PathError{Op: "open", Path: name, Err: unix.ENOENT}
	case n != nil && flags&unix.O_EXCL != 0:
		return nil, &os.PathError{Op: "open", Path: name, Err: unix.EEXIST}
	case n == nil:
		n = &node{}
		if err := m.step(op{kind: opCreate, name: name, node: n}); err != nil {
			return nil, err
		}
		m.names[name] = n
	case flags&unix.O_TRUNC != 0:
		if err := m.step(op{kind: opTruncate, node: n}); err != nil {
			return nil, err
		}
		n.data = nil
	}
	return &memFile{m: m, node: n, name: name}, nil
}

func (m *memFS) List(dir string) ([]FileInfo, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lists++
	if err := m.ask(op{kind: opList, name: dir}); err != nil {
		return nil, &os.PathError{Op: "open", Path: dir, Err: err}
	}
	var files []FileInfo
	for name, n := range m.names {
		if path.Dir(name) == dir {
			files = append(files, n.info(name))
		}
	}
	slices.SortFunc(files, func(a, b FileInfo) int { return strings.Compare(a.Name, b.Name) })
	return files, nil
}

func (m *memFS) Mkdir(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.ask(op{kind: opMkdir, name: name})
}

func (m *memFS) Stat(name string) (FileInfo, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.ask(op{kind: opStat, name: name}); err != nil {
		return FileInfo{}, &os.PathError{Op: "stat", Path: name, Err: err}
	}
	if n := m.names[name]; n != nil {
		return n.info(name), nil
	}
	if strings.Count(name, "/") > 1 {
		return FileInfo{}, &os.PathError{Op: "stat", Path: name, Err: unix.ENOENT}
	}
	return dirInfo(name), nil
}

func (m *memFS) Rename(from, to string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.step(op{kind: opRename, from: from, name: to}); err != nil {
		return err
	}
	m.names[to] = m.names[from]
	delete(m.names, from)
	return nil
}

func (m *memFS) Remove(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.names[name] == nil {
		return &os.PathError{Op: "remove", Path: name, Err: unix.ENOENT}
	}
	if err := m.step(op{kind: opRemove, name: name}); err != nil {
		return err
	}
	delete(m.names, name)
	return nil
}

func (m *memFS) SyncDir(string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.step(op{kind: opSyncDir})
}

type memFile struct {
	m      *memFS
	node   *node
	name   string
	locked bool
	dir    bool
}

func (f *memFile) ReadAt(p []byte, off int64) (int, error) {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if err := f.m.ask(op{kind: opRead, name: f.name, node: f.node, off: off, data: p}); err != nil {
		return 0, err
	}
	if off >= int64(len(f.node.data)) {
		return 0, io.EOF
	}
	n := copy(p, f.node.data[off:])
	f.m.read += int64(n)
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *memFile) WriteAt(p []byte, off int64) (int, error) {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if err := f.m.step(op{kind: opWrite, name: f.name, node: f.node, off: off, data: slices.Clone(p)}); err != nil {
		half := len(p) / 2 // a failed write may have written something
		f.m.ops = append(f.m.ops, op{kind: opWrite, name: f.name, node: f.node, off: off, data: slices.Clone(p[:half])})
		f.node.data = overwrite(f.node.data, off, p[:half])
		return half, err
	}
	f.node.data = overwrite(f.node.data, off, p)
	return len(p), nil
}

func (f *memFile) Truncate(size int64) error {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if err := f.m.step(op{kind: opTruncate, name: f.name, node: f.node, off: size}); err != nil {
		return err
	}
	f.node.data = resize(f.node.data, size)
	return nil
}

func (f *memFile) Sync() error {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	err := f.m.step(op{kind: opSync, name: f.name, node: f.node})
	if err != nil {
		f.m.ops = append(f.m.ops, op{kind: opLost, name: f.name, node: f.node})
	}
	return err
}

func (f *memFile) Stat() (FileInfo, error) {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if f.dir {
		return dirInfo(f.name), nil
	}
	return f.node.info(f.name), nil
}

func dirInfo(name string) FileInfo {
	return FileInfo{Name: path.Base(name), Kind: kindDirectory, ID: FileID{1, 1}}
}

func (f *memFile) Dup() (File, error) { return &memFile{m: f.m, node: f.node, name: f.name}, nil }

func (f *memFile) Path() string { return f.name }

func (f *memFile) Lock() error {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if err := f.m.ask(op{kind: opLock, name: f.name}); err != nil {
		return err
	}
	if f.node.locked {
		return unix.EWOULDBLOCK
	}
	f.node.locked, f.locked = true, true
	return nil
}

func (f *memFile) Close() error {
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

// clone returns the file system as it is, without its history.
func (m *memFS) clone() *memFS {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := newMemFS()
	for name, n := range m.names {
		c.names[name] = &node{data: slices.Clone(n.data), kind: n.kind}
	}
	return c
}

// killed returns what is there when the process ended after step n: the kernel
// has done all steps until then, and a part of the next one if it is a write to
// a segment. It copies a slot, which lies in one page, in one go.
func killed(ops []op, n int, rng *rand.Rand) *memFS {
	torn := n < len(ops) && ops[n].kind == opWrite && strings.HasSuffix(ops[n].name, segmentSuffix)
	if torn {
		n++
	}
	return replay(ops, n, func(i int, o op) op {
		if torn && i == n-1 {
			o.data = o.data[:rng.Intn(len(o.data))]
		}
		return o
	}, func(int, op) bool { return true })
}

// powerCut returns what is there when the machine ended after step n: what an
// fsync has made durable, and of the rest what was lucky, in any order.
func powerCut(ops []op, n int, lucky func() bool) *memFS {
	durable := make([]bool, n)
	fsync := map[*node]opKind{} // the next one
	dirSynced := false
	for i := n - 1; i >= 0; i-- {
		switch o := ops[i]; o.kind {
		case opSync, opLost:
			fsync[o.node] = o.kind
		case opSyncDir:
			dirSynced = true
		case opWrite, opTruncate:
			durable[i] = fsync[o.node] == opSync
		default:
			durable[i] = dirSynced
		}
	}
	return replay(ops, n, func(_ int, o op) op { return o }, func(i int, _ op) bool { return durable[i] || lucky() })
}

// powerCuts returns all that can be there after step n when that is no more than
// limit, else the extremes and random ones.
func powerCuts(ops []op, n, limit int, rng *rand.Rand) []*memFS {
	unsure := 0
	all := powerCut(ops, n, func() bool { unsure++; return true })
	cuts := []*memFS{all}
	if unsure < 30 && 1<<unsure <= limit {
		for luck := range 1<<unsure - 1 {
			cuts = append(cuts, powerCut(ops, n, func() bool { yes := luck&1 == 1; luck >>= 1; return yes }))
		}
		return cuts
	}
	for i := range limit/2 - 1 {
		chance := []float64{0, 0.5, 0.1, 0.9}[i%4]
		cuts = append(cuts, powerCut(ops, n, func() bool { return rng.Float64() < chance }))
	}
	return cuts
}

// settled makes it the history of m that all in it is durable, as after a reboot.
func (m *memFS) settled() *memFS {
	m.ops = nil
	for name, n := range m.names {
		m.ops = append(m.ops, op{kind: opCreate, name: name, node: n},
			op{kind: opWrite, name: name, node: n, data: slices.Clone(n.data)}, op{kind: opSync, name: name, node: n})
	}
	m.ops = append(m.ops, op{kind: opSyncDir})
	return m
}

// replay does the first n steps that pass. A write is done by sectors, which
// pass one by one.
func replay(ops []op, n int, change func(int, op) op, passes func(int, op) bool) *memFS {
	m := newMemFS()
	nodes := map[*node]*node{}
	names := map[string]*node{}
	get := func(old *node) *node {
		if nodes[old] == nil {
			nodes[old] = &node{}
		}
		return nodes[old]
	}
	for i, o := range ops[:n] {
		o = change(i, o)
		o.node = get(o.node)
		m.ops = append(m.ops, o)
		switch o.kind {
		case opWrite:
			for off := 0; off < len(o.data); {
				end := min(len(o.data), off+512-int(o.off+int64(off))%512)
				if passes(i, o) {
					o.node.data = overwrite(o.node.data, o.off+int64(off), o.data[off:end])
				}
				off = end
			}
		case opTruncate:
			if passes(i, o) {
				o.node.data = resize(o.node.data, o.off)
			}
		case opCreate:
			if passes(i, o) {
				names[o.name] = o.node
			}
		case opRename:
			if names[o.from] != nil && passes(i, o) {
				names[o.name] = names[o.from]
				delete(names, o.from)
			}
		case opRemove:
			if passes(i, o) {
				delete(names, o.name)
			}
		}
	}
	m.names = maps.Clone(names)
	return m
}
