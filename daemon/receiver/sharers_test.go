// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"fmt"

	"github.com/genltestd/genltestd/daemon/genl"
	"github.com/genltestd/genltestd/internal/fakekernel"
)

// sharers are families whose receivers share a journal.
var sharers = []struct {
	name string
	ids  genl.FamilyIDs
}{
	{genl.FamilyName, first},
	{"wire", fakekernel.IDs(40, 12, "link", "alarm")},
	{"rain", fakekernel.IDs(41, 14, "mgmt")},
}

// multicast determines what the kernel multicasts: events, and notifications of other families.
func (f *sharer) multicast(i int) {
	ids := sharers[i].ids
	for n := range uint64(9) {
		text := fmt.Sprintf("%s %d", f.target.Family, n)
		m := unnumbered(ids.ID, text)
		if i == 0 {
			m, text = numbered(ids.ID, 77, n+1), fmt.Sprintf("x %d", n+1)
		}
		group := ids.Groups[n%uint64(len(ids.Groups))]
		m.Group = group.ID
		f.texts = append(f.texts, group.Name+" "+text)
		f.sent = append(f.sent, m)
		if n%4 == 1 {
			f.sent = append(f.sent, genl.Message{Data: registered(second).Data})
		}
	}
}
