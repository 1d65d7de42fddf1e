// SPDX-License-Identifier: Apache-2.0

package mqtt

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// A broker has the latest topic of each number. The numbers of the sink agree with it.
func TestAliasesAgreeWithTheBroker(t *testing.T) {
	for _, limit := range []int{0, 1, 2, 10} {
		a, broker := newAliases(limit), make(map[uint16]string)
		random := rand.New(rand.NewPCG(1, uint64(limit)))
		used := 0
		for range 10_000 {
			topic := fmt.Sprint(random.IntN(15))
			if n := a.lookup(topic); n > 0 {
				used++
				if broker[n] != topic {
					t.Fatalf("limit %d: the broker has %q for the number %d of %q", limit, broker[n], n, topic)
				}
				continue
			}
			n := a.next()
			if int(n) > limit || n == 0 && limit > 0 {
				t.Fatalf("the number is %d, and the limit %d", n, limit)
			}
			if n > 0 {
				broker[n] = topic
			}
			a.assign(topic)
		}
		if used == 0 && limit > 0 {
			t.Errorf("limit %d: no number was used", limit)
		}
	}
}
