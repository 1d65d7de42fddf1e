// SPDX-License-Identifier: Apache-2.0

package mqtt

import (
	"fmt"

	"github.com/genltestd/genltestd/daemon/redact"
	"github.com/genltestd/genltestd/daemon/sink"
)

// maxError limits the length of an error, in bytes.
const maxError = 600

// failed returns err with the operation that has failed. The text may contain a part of a packet
// of the broker.
func failed(mask *redact.Mask, operation string, err error) error {
	return sink.WithText(mask.Clean(fmt.Sprintf("%s: %v", operation, err), maxError), err)
}
