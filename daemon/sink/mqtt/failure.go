// SPDX-License-Identifier: Apache-2.0

package mqtt

import (
	"fmt"

	"github.com/genltestd/genltestd/daemon/redact"
)

// maxError limits the length of an error, in bytes.
const maxError = 600

// A failure is an error whose text is safe to show.
type failure struct {
	text string
	err  error
}

func (f *failure) Error() string { return f.text }
func (f *failure) Unwrap() error { return f.err }

// failed returns err with the operation that has failed. The text may contain a part of a packet
// of the broker.
func failed(mask *redact.Mask, operation string, err error) error {
	return &failure{mask.Clean(fmt.Sprintf("%s: %v", operation, err), maxError), err}
}
