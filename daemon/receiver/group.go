// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"cmp"
	"encoding/binary"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/genltestd/genltestd/daemon/genl"
	"github.com/genltestd/genltestd/internal/sorting"
)

// A group is a multicast group of the family. If the family is not genltest, which has one
// group, it contains the account of the group's events.
type group struct {
	genl.Group        // the id is 0 if the family does not have the group any more
	received   uint64 // events, as ledger.Received
	published  uint64 // those that the metric contains: the events of journaled batches
	counter    prometheus.Counter
}

// unknownGroup is the label of events whose group is not known. A record contains the
// number of the group too.
const unknownGroup = "unknown"

// publish adds new events to the metric.
func (g *group) publish() {
	if n := g.received - g.published; n > 0 {
		g.counter.Add(float64(n))
		g.published = g.received
	}
}

// collectOthers converts messages of another family than genltest to records. It does not
// allocate once its buffers are long enough.
func (r *Receiver) collectOthers(now time.Time, messages []genl.Message) {
	r.encoded = r.encoded[:0]
	for i := range messages {
		m := &messages[i]
		if verdict := genl.ClassifyOther(m, r.Family(), r.Sender); verdict != genl.Event {
			if verdict, _ = r.handleOther(now, m, verdict); verdict != genl.Event {
				continue
			}
		}
		r.ledger.resume()
		start := len(r.encoded)
		r.encoded = genl.AppendMulticast(r.encoded, &genl.Multicast{
			Family: r.Target.Family, Group: r.countEvent(m.Group), Message: m.Data,
		})
		r.records = append(r.records, r.encoded[start:])
	}
}

// countEvent counts an event of the group with this id, and returns the group's name.
func (r *Receiver) countEvent(id uint32) (name string) {
	for i := range r.groups {
		if g := &r.groups[i]; g.ID == id && id != 0 {
			g.received++
			return g.Name
		}
	}
	if id == 0 { // the kernel did not report it
		if present := r.presentGroups(); len(present) == 1 {
			return r.countEvent(present[0].ID)
		}
	}
	r.groupNamed(unknownGroup).received++
	if id == 0 {
		return unknownGroup
	}
	return unknownGroup + "-" + strconv.FormatUint(uint64(id), 10)
}

// groupNamed returns the group with this name, and creates it if necessary. The result is
// valid until the next call.
func (r *Receiver) groupNamed(name string) *group {
	i := slices.IndexFunc(r.groups, func(g group) bool { return g.Name == name })
	if i < 0 {
		i = len(r.groups)
		r.groups = append(r.groups, group{Group: genl.Group{Name: name}})
		if !r.numbered {
			r.groups[i].counter = r.Metrics.Received.WithLabelValues(name)
		}
	}
	return &r.groups[i]
}

// nameGroups sets the groups of the family. Groups that it does not have any more keep
// their counts.
func (r *Receiver) nameGroups(groups []genl.Group) {
	for i := range r.groups {
		r.groups[i].ID = 0
	}
	for _, g := range groups {
		r.groupNamed(strings.ToValidUTF8(g.Name, "\uFFFD")).ID = g.ID // a label must be valid
	}
}

// presentGroups returns the groups of the family when it was registered last.
func (r *Receiver) presentGroups() (groups []genl.Group) {
	for i := range r.groups {
		if r.groups[i].ID != 0 {
			groups = append(groups, r.groups[i].Group)
		}
	}
	sorting.Stable(groups, func(a, b genl.Group) int { return cmp.Compare(a.ID, b.ID) })
	return groups
}

// maxSnapshot is the largest snapshot that an inbox stores, in bytes.
const maxSnapshot = 1024

// appendGroups appends the groups to a snapshot, so that the next process can name the
// group of a message in the inbox. Events of groups that do not fit are of an unknown group
// then.
func appendGroups(b []byte, groups []group) []byte {
	for i := range groups {
		g := &groups[i]
		if len(b)+4+8+1+len(g.Name) > maxSnapshot || len(g.Name) > 255 {
			break
		}
		b = binary.NativeEndian.AppendUint32(b, g.ID)
		b = binary.NativeEndian.AppendUint64(b, g.received)
		b = append(append(b, byte(len(g.Name))), g.Name...)
	}
	return b
}

// restoreGroups reads the groups of a snapshot, and counts their events.
func (r *Receiver) restoreGroups(b []byte) {
	for len(b) > 12 && len(b) > 12+int(b[12]) {
		length := 13 + int(b[12])
		g := r.groupNamed(string(b[13:length]))
		g.ID, g.received = binary.NativeEndian.Uint32(b), binary.NativeEndian.Uint64(b[4:])
		g.publish()
		b = b[length:]
	}
}
