// SPDX-License-Identifier: Apache-2.0

package reception

import (
	"errors"

	"github.com/genltestd/genltestd/daemon/genl"
)

// ExpectCanary is that of the receiver of genltest.
func (s *Set) ExpectCanary(text string) error {
	m := s.of(genl.FamilyName)
	if m == nil {
		return errors.New("genltest is not received; add it to families")
	}
	return m.receiver.ExpectCanary(text)
}

// ReceivedCanary is that of the receiver of genltest.
func (s *Set) ReceivedCanary(text string) bool {
	m := s.of(genl.FamilyName)
	return m != nil && m.receiver.ReceivedCanary(text)
}
