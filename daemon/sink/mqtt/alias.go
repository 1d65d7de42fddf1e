// SPDX-License-Identifier: Apache-2.0

package mqtt

// aliases are the numbers that replace topics on one connection. If there are more topics than
// numbers, the oldest number is reused.
type aliases struct {
	numbers map[string]uint16
	topics  []string // by number, from 1
	oldest  int      // index of the next number that is reused
	limit   int
}

func newAliases(limit int) *aliases { return &aliases{numbers: make(map[string]uint16), limit: limit} }

// lookup returns the number of a topic; 0 without one.
func (a *aliases) lookup(topic string) uint16 { return a.numbers[topic] }

// next returns the number that assign would use for a topic without a number; 0 if the limit is 0.
func (a *aliases) next() uint16 {
	switch {
	case len(a.topics) < a.limit:
		return uint16(len(a.topics) + 1)
	case a.limit > 0:
		return uint16(a.oldest + 1)
	}
	return 0
}

// assign records that the broker has received a topic with the number of next.
func (a *aliases) assign(topic string) {
	n := a.next()
	switch {
	case n == 0:
		return
	case len(a.topics) < a.limit:
		a.topics = append(a.topics, topic)
	default:
		delete(a.numbers, a.topics[a.oldest])
		a.topics[a.oldest] = topic
		a.oldest = (a.oldest + 1) % a.limit
	}
	a.numbers[topic] = n
}
