// SPDX-License-Identifier: Apache-2.0

package control

import (
	"net/http"

	"github.com/genltestd/genltestd/daemon/control/api"
)

// Canaries measure the latency of an event to each sink. Errors are *api.Error.
type Canaries interface {
	// RequestCanary returns the text of an event that the client triggers next.
	RequestCanary() (*api.Canary, error)
	// LastCanary returns the progress of the last one.
	LastCanary() (*api.Canary, error)
}

// canary returns a handler that answers with a canary.
func canary(get func() (*api.Canary, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		c, err := get()
		if err != nil {
			refuse(w, err)
			return
		}
		answerOne(w, c)
	}
}
