// SPDX-License-Identifier: Apache-2.0

package memfs

import (
	"maps"
	"math/rand"
	"slices"
	"strings"
)

// Clone returns a copy of the files, without the recorded steps.
func (m *FS) Clone() *FS {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := New()
	for name, n := range m.Names {
		c.Names[name] = &Node{Data: slices.Clone(n.Data), Kind: n.Kind}
	}
	return c
}

// Killed returns the files as a process leaves them that is killed after step n. The
// kernel has done all steps up to n. It has also done a part of the next step if that
// writes to a file whose name ends with suffix. A write to any other file lies in one
// page, which the kernel copies as a whole.
func Killed(ops []Op, n int, suffix string, rng *rand.Rand) *FS {
	torn := n < len(ops) && ops[n].Kind == Write && strings.HasSuffix(ops[n].Name, suffix)
	if torn {
		n++
	}
	return replay(ops, n, func(i int, o Op) Op {
		if torn && i == n-1 {
			o.Data = o.Data[:rng.Intn(len(o.Data))]
		}
		return o
	}, func(int, Op) bool { return true })
}

// PowerCut returns the files as a power cut after step n leaves them. Steps that an
// fsync has made durable survive. Each other step survives if lucky returns true.
func PowerCut(ops []Op, n int, lucky func() bool) *FS {
	durable := make([]bool, n)
	fsync := map[*Node]Kind{} // the next one
	dirSynced := false
	for i := n - 1; i >= 0; i-- {
		switch o := ops[i]; o.Kind {
		case Sync, Lost:
			fsync[o.Node] = o.Kind
		case SyncDir:
			dirSynced = true
		case Write, Truncate:
			durable[i] = fsync[o.Node] == Sync
		default:
			durable[i] = dirSynced
		}
	}
	return replay(ops, n, func(_ int, o Op) Op { return o }, func(i int, _ Op) bool { return durable[i] || lucky() })
}

// PowerCuts returns all possible results of a power cut after step n, if there are at
// most limit. Otherwise it returns the extremes and random ones.
func PowerCuts(ops []Op, n, limit int, rng *rand.Rand) []*FS {
	unsure := 0
	all := PowerCut(ops, n, func() bool { unsure++; return true })
	cuts := []*FS{all}
	if unsure < 30 && 1<<unsure <= limit {
		for luck := range 1<<unsure - 1 {
			cuts = append(cuts, PowerCut(ops, n, func() bool { yes := luck&1 == 1; luck >>= 1; return yes }))
		}
		return cuts
	}
	for i := range limit/2 - 1 {
		chance := []float64{0, 0.5, 0.1, 0.9}[i%4]
		cuts = append(cuts, PowerCut(ops, n, func() bool { return rng.Float64() < chance }))
	}
	return cuts
}

// Settled replaces the recorded steps by steps that make all files durable, as after a
// reboot. It returns m.
func (m *FS) Settled() *FS {
	m.Ops = nil
	for name, n := range m.Names {
		m.Ops = append(m.Ops, Op{Kind: Create, Name: name, Node: n},
			Op{Kind: Write, Name: name, Node: n, Data: slices.Clone(n.Data)}, Op{Kind: Sync, Name: name, Node: n})
	}
	m.Ops = append(m.Ops, Op{Kind: SyncDir})
	return m
}

// replay does those of the first n steps that pass. It does a write sector by sector,
// and each sector passes separately.
func replay(ops []Op, n int, change func(int, Op) Op, passes func(int, Op) bool) *FS {
	m := New()
	nodes := map[*Node]*Node{}
	names := map[string]*Node{}
	get := func(old *Node) *Node {
		if nodes[old] == nil {
			nodes[old] = &Node{}
		}
		return nodes[old]
	}
	for i, o := range ops[:n] {
		o = change(i, o)
		o.Node = get(o.Node)
		m.Ops = append(m.Ops, o)
		switch o.Kind {
		case Write:
			for off := 0; off < len(o.Data); {
				end := min(len(o.Data), off+512-int(o.Off+int64(off))%512)
				if passes(i, o) {
					o.Node.Data = overwrite(o.Node.Data, o.Off+int64(off), o.Data[off:end])
				}
				off = end
			}
		case Truncate:
			if passes(i, o) {
				o.Node.Data = resize(o.Node.Data, o.Off)
			}
		case Create:
			if passes(i, o) {
				names[o.Name] = o.Node
			}
		case Rename:
			if names[o.From] != nil && passes(i, o) {
				names[o.Name] = names[o.From]
				delete(names, o.From)
			}
		case Remove:
			if passes(i, o) {
				delete(names, o.Name)
			}
		}
	}
	m.Names = maps.Clone(names)
	return m
}
