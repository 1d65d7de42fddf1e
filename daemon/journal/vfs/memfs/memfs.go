// SPDX-License-Identifier: Apache-2.0

// Package memfs is a file system in memory for tests. It records each step that
// changes it, so that a test can stop the machine, or kill the process, after any step.
package memfs

import (
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/journal/vfs"
)

// An FS is a vfs.FS. Its methods are safe for concurrent use. Its fields may be used
// while no goroutine calls a method.
type FS struct {
	Names     map[string]*Node // the directory tree is implied by the paths
	Ops       []Op             // the recorded steps
	Fail      func(Op) error   // called before each step; an error fails the step; nil fails no step
	BytesRead int64
	Lists     int // calls of List

	mu    sync.Mutex
	nodes uint64 // numbers given to nodes
}

var _ vfs.FS = (*FS)(nil)

// A Node is a file without its name.
type Node struct {
	Data []byte
	Kind string // as in vfs.FileInfo

	locked bool
	number uint64 // inode number; 0 until it is first needed
}

// A Kind is the kind of a step.
type Kind int

// The kinds of steps. Steps from Read on change nothing and are not recorded.
const (
	Create Kind = iota
	Write
	Truncate
	Sync
	Lost // a failed fsync: the kernel marks the pages clean, and the next fsync skips them
	Rename
	Remove
	SyncDir
	Read
	Open
	List
	Stat
	Lock
	Mkdir
)

var kindNames = [...]string{
	Create: "create", Write: "write", Truncate: "truncate", Sync: "sync", Lost: "lost sync", Rename: "rename", Remove: "remove",
	SyncDir: "sync of the directory", Read: "read", Open: "open", List: "list", Stat: "stat", Lock: "lock", Mkdir: "mkdir",
}

func (k Kind) String() string { return kindNames[k] }

// An Op is one step.
type Op struct {
	Kind Kind
	Name string // of a rename: the new name
	From string // of a rename: the old name
	Node *Node
	Off  int64
	Data []byte
}

// New returns an empty file system.
func New() *FS { return &FS{Names: map[string]*Node{}} }

// modTime is the modification time of every file.
func modTime() time.Time { return time.Unix(1_700_000_000, 5) }

// info describes a node. The caller holds mu.
func (m *FS) info(name string, n *Node) vfs.FileInfo {
	if n.number == 0 {
		m.nodes++
		n.number = m.nodes + 1 // 1 is the number of the directory
	}
	return vfs.FileInfo{
		Name: path.Base(name), Bytes: int64(len(n.Data)), ModTime: modTime(), Kind: n.Kind,
		ID: vfs.FileID{Dev: 1, Ino: n.number},
	}
}

// ask returns the failure of a step. The caller holds mu.
func (m *FS) ask(o Op) error {
	if m.Fail == nil {
		return nil
	}
	return m.Fail(o)
}

// step records a step unless it fails. The caller holds mu.
func (m *FS) step(o Op) error {
	if err := m.ask(o); err != nil {
		return err
	}
	m.Ops = append(m.Ops, o)
	return nil
}

// Open implements vfs.FS.
func (m *FS) Open(name string, flags int) (vfs.File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.ask(Op{Kind: Open, Name: name}); err != nil {
		return nil, &os.PathError{Op: "open", Path: name, Err: err}
	}
	n := m.Names[name]
	switch {
	case flags&unix.O_DIRECTORY != 0:
		return &file{m: m, node: &Node{}, name: name, dir: true}, nil
	case n != nil && n.Kind != "":
		return nil, &os.PathError{Op: "open", Path: name, Err: vfs.Irregular(n.Kind)}
	case n == nil && flags&unix.O_CREAT == 0:
		return nil, &os.PathError{Op: "open", Path: name, Err: unix.ENOENT}
	case n != nil && flags&unix.O_EXCL != 0:
		return nil, &os.PathError{Op: "open", Path: name, Err: unix.EEXIST}
	case n == nil:
		n = &Node{}
		if err := m.step(Op{Kind: Create, Name: name, Node: n}); err != nil {
			return nil, err
		}
		m.Names[name] = n
	case flags&unix.O_TRUNC != 0:
		if err := m.step(Op{Kind: Truncate, Node: n}); err != nil {
			return nil, err
		}
		n.Data = nil
	}
	return &file{m: m, node: n, name: name}, nil
}

// List implements vfs.FS.
func (m *FS) List(dir string) ([]vfs.FileInfo, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.Lists++
	if err := m.ask(Op{Kind: List, Name: dir}); err != nil {
		return nil, &os.PathError{Op: "open", Path: dir, Err: err}
	}
	var files []vfs.FileInfo
	for name, n := range m.Names {
		if path.Dir(name) == dir {
			files = append(files, m.info(name, n))
		}
	}
	slices.SortFunc(files, func(a, b vfs.FileInfo) int { return strings.Compare(a.Name, b.Name) })
	return files, nil
}

// Mkdir implements vfs.FS. Directories need not exist, so it records nothing.
func (m *FS) Mkdir(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.ask(Op{Kind: Mkdir, Name: name})
}

// Stat implements vfs.FS. A path of one element that is not a file is a directory.
func (m *FS) Stat(name string) (vfs.FileInfo, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.ask(Op{Kind: Stat, Name: name}); err != nil {
		return vfs.FileInfo{}, &os.PathError{Op: "stat", Path: name, Err: err}
	}
	if n := m.Names[name]; n != nil {
		return m.info(name, n), nil
	}
	if strings.Count(name, "/") > 1 {
		return vfs.FileInfo{}, &os.PathError{Op: "stat", Path: name, Err: unix.ENOENT}
	}
	return dirInfo(name), nil
}

// Rename implements vfs.FS.
func (m *FS) Rename(from, to string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.step(Op{Kind: Rename, From: from, Name: to}); err != nil {
		return err
	}
	m.Names[to] = m.Names[from]
	delete(m.Names, from)
	return nil
}

// Remove implements vfs.FS.
func (m *FS) Remove(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.Names[name] == nil {
		return &os.PathError{Op: "remove", Path: name, Err: unix.ENOENT}
	}
	if err := m.step(Op{Kind: Remove, Name: name}); err != nil {
		return err
	}
	delete(m.Names, name)
	return nil
}

// SyncDir implements vfs.FS.
func (m *FS) SyncDir(string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.step(Op{Kind: SyncDir})
}
