// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
)

// hang is the status of a destination that does not answer.
const hang = 0

// A destination is a web server whose answers change.
type destination struct {
	*httptest.Server
	status atomic.Int32
}

func newDestination(t *testing.T, status int32) *destination {
	t.Helper()
	d := &destination{}
	d.status.Store(status)
	ended := make(chan struct{})
	d.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if status := d.status.Load(); status != hang {
			w.WriteHeader(int(status))
			return
		}
		select {
		case <-r.Context().Done():
		case <-ended:
		}
	}))
	t.Cleanup(func() {
		close(ended)
		d.Close()
	})
	return d
}

// sink returns the configuration of a sink with this destination, whose attempts follow quickly.
func (d *destination) sink(name string) string {
	return fmt.Sprintf("{name: %s, attempt_timeout: 2s, retry_max: 200ms, webhook: {url: %q}}", name, d.URL)
}
