// SPDX-License-Identifier: Apache-2.0

package genl

import (
	"maps"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// A Target is what an event socket receives: the groups of one family.
type Target struct {
	Family string
	Groups []string // nil means all groups that the family has
}

// Genltest is the family of our module. Only its events have numbers.
var Genltest = Target{Family: FamilyName, Groups: []string{GroupName}}

// controllerName is the name of the family that registers all others.
const controllerName = "nlctrl"

// IsGenltest reports whether the target is the family of our module. Its journal records
// are the kernel's messages. Those of other families are multicast records.
func (t Target) IsGenltest() bool { return t.Family == FamilyName }

// isController reports whether the notifications of registrations are the target's events.
func (t Target) isController() bool { return t.Family == controllerName }

// Choose returns the groups of a family that the target includes, and the names of its
// groups that the family does not have.
func (t Target) Choose(groups []Group) (chosen []Group, missing []string) {
	if t.Groups == nil {
		return groups, nil
	}
	for _, name := range t.Groups {
		i := slices.IndexFunc(groups, func(g Group) bool { return g.Name == name })
		if i < 0 {
			missing = append(missing, name)
			continue
		}
		chosen = append(chosen, groups[i])
	}
	return chosen, missing
}

// A Registry is the part of nlctrl's state that the daemon uses.
type Registry struct {
	Family FamilyIDs // zero while the family is not registered
	Used   []uint32  // the numbers of the groups of all families
}

// fixedGroups are the groups of families whose first group the kernel does not choose.
var fixedGroups = map[string]uint32{
	controllerName: notifyGroup, "NET_DM": 1, "VFS_DQUOT": unix.GENL_ID_VFS_DQUOT, "pmcraid": unix.GENL_ID_PMCRAID,
}

// LikelyGroups returns the numbers that the groups of an absent family are likely to be
// assigned when it is registered: the first unused ones, or those after them if another
// family is registered before. The argument before contains all groups of the family when
// it was registered last, if that is known.
func (r *Registry) LikelyGroups(t Target, before []Group) []uint32 {
	n, offsets := t.offsets(before)
	if first, ok := fixedGroups[t.Family]; ok {
		return shift(offsets, first)
	}
	used := make(map[uint32]bool, len(r.Used))
	for _, g := range r.Used {
		used[g] = true
	}
	first := firstRun(used, n)
	used[first] = true
	likely := slices.Concat(shift(offsets, first), shift(offsets, firstRun(used, n)))
	slices.Sort(likely)
	return slices.Compact(likely)
}

// offsets returns how many groups the family probably has, and the positions of the target's
// groups among them. The kernel numbers the groups of a family consecutively.
func (t Target) offsets(before []Group) (n int, offsets []uint32) {
	for i, g := range before {
		if t.Groups == nil || slices.Contains(t.Groups, g.Name) {
			offsets = append(offsets, uint32(i))
		}
	}
	if len(offsets) > 0 {
		return len(before), offsets
	}
	n = max(1, len(t.Groups))
	for i := range n {
		offsets = append(offsets, uint32(i))
	}
	return n, offsets
}

// firstRun returns the first of the lowest n consecutive numbers that are unused, as the
// kernel's genl_allocate_reserve_groups chooses them.
func firstRun(used map[uint32]bool, n int) uint32 {
	first := uint32(firstGroup)
	for g := first; int(g-first) < n; g++ {
		if used[g] || g >= unix.GENL_ID_CTRL && g < unix.GENL_START_ALLOC {
			first = g + 1
		}
	}
	return first
}

// shift returns the numbers at these offsets from first.
func shift(offsets []uint32, first uint32) []uint32 {
	groups := make([]uint32, len(offsets))
	for i, offset := range offsets {
		groups[i] = first + offset
	}
	return groups
}

// JoinErrors are the groups that a socket could not join.
type JoinErrors map[uint32]error

func (e JoinErrors) Error() string {
	var list []string
	for _, err := range e.Unwrap() {
		list = append(list, err.Error())
	}
	return strings.Join(list, "; ")
}

// Unwrap returns the errors in the order of the groups.
func (e JoinErrors) Unwrap() []error {
	var list []error
	for _, g := range slices.Sorted(maps.Keys(e)) {
		list = append(list, e[g])
	}
	return list
}
