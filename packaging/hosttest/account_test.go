// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"fmt"
	"regexp"
	"slices"
	"testing"

	"github.com/genltestd/genltestd/daemon/ynl"
	"github.com/genltestd/genltestd/internal/poll"
)

// texts returns messages of a family in the form of eventsOf.
func texts(t *testing.T, family string, messages [][]byte) (all []string) {
	t.Helper()
	spec, err := ynl.Embedded(family)
	if err != nil {
		t.Fatal(err)
	}
	var d ynl.Decoder
	for _, raw := range messages {
		m, err := d.Decode(spec, raw)
		if err != nil {
			t.Fatalf("%s %x: %v", family, raw, err)
		}
		all = append(all, m.Command+" "+string(m.Attributes.AppendJSON(nil)))
	}
	return all
}

// eventsOf returns the command and the attributes of the events of a family that the sink has.
func (u *unit) eventsOf(t *testing.T, family string) (all []string) {
	t.Helper()
	for _, d := range u.delivered(t) {
		if d.Family == family && d.Kind == "event" {
			all = append(all, d.Command+" "+string(d.Attributes))
		}
	}
	return all
}

// awaitAccounts waits until the daemon has counted each message of the listeners, and the sink
// has each received event and each loss. It returns the accounts by family.
func (u *unit) awaitAccounts(t *testing.T, listeners []*listener) map[string]account {
	t.Helper()
	accounts := make(map[string]account)
	poll.UntilNil(t, "received + lost equals multicast, and the sink has all", func() error {
		page := u.metrics(t)
		for _, l := range listeners {
			a, multicast := accountOf(t, page, l.family.Name), l.count()
			accounts[l.family.Name] = a
			if a.received+a.lost != multicast {
				return fmt.Errorf("%s: received %d, lost %d, multicast %d", l.family.Name, a.received, a.lost, multicast)
			}
		}
		return u.isDelivered(t, accounts)
	})
	return accounts
}

// isDelivered returns an error unless the sink has the events and the losses of the accounts.
func (u *unit) isDelivered(t *testing.T, accounts map[string]account) error {
	t.Helper()
	events, lost := make(map[string]int), make(map[string]int)
	for _, d := range u.delivered(t) {
		if d.Kind == "event" {
			events[d.Family]++
		}
		lost[d.Family] += d.Gap.Count
	}
	for family, a := range accounts {
		if events[family] != a.received || lost[family] != a.lost {
			return fmt.Errorf("%s: %d events and %d lost events delivered, %+v counted", family, events[family], lost[family], a)
		}
	}
	return nil
}

// checkOrder checks that the sink has each received event once, in the order of the kernel: the
// delivered events of a family are the messages of the listener, without the lost ones.
func (u *unit) checkOrder(t *testing.T, listeners []*listener) {
	t.Helper()
	all := u.delivered(t)
	for i, d := range all {
		if i > 0 && d.Seq <= all[i-1].Seq {
			t.Fatalf("event %d follows event %d", d.Seq, all[i-1].Seq)
		}
	}
	for _, l := range listeners {
		sent := streams(texts(t, l.family.Name, l.multicast()))
		for connection, events := range streams(u.eventsOf(t, l.family.Name)) {
			checkSubsequence(t, l.family.Name+connection, events, sent[connection])
		}
	}
}

var token = regexp.MustCompile(`"token":\d+`)

// streams returns the sequences within which the kernel keeps the order of events. Messages of
// mptcp_pm about two connections can be multicast on two processors at once, so two listeners
// can receive them in different orders. Those of other families are serialized.
func streams(events []string) map[string][]string {
	all := make(map[string][]string)
	for _, text := range events {
		connection := token.FindString(text)
		all[connection] = append(all[connection], text)
	}
	return all
}

// checkSubsequence checks that events are some of the sent ones, in their order.
func checkSubsequence(t *testing.T, name string, events, sent []string) {
	t.Helper()
	at := 0
	for i, text := range events {
		next := slices.Index(sent[at:], text)
		if next < 0 {
			t.Fatalf("%s: event %d, %s, is not among those from %d on: %q", name, i, text, at, sent[at:min(at+5, len(sent))])
		}
		at += next + 1
	}
}
