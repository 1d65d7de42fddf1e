// SPDX-License-Identifier: Apache-2.0

package control

import (
	"io"
	"net/http"
	"runtime/pprof"
	"testing"
)

func TestOneProfileOfTheCPUTimeIsWrittenAtOnce(t *testing.T) {
	c, r := clientOf(listen(t, filled{})), request{pattern: "GET /debug/pprof/profile", query: "seconds=1"}
	if err := pprof.StartCPUProfile(io.Discard); err != nil {
		t.Fatal(err)
	}
	status, contentType, body := r.send(t, c)
	pprof.StopCPUProfile()
	d := document(t)
	if err := d.Check(d.Operation(r.pattern), status, contentType, body); err != nil || status != http.StatusConflict {
		t.Errorf("%d %s: %v", status, body, err)
	}
	if status, _, body := r.send(t, c); status != http.StatusOK || len(body) == 0 {
		t.Errorf("the next profile: %d, %d bytes", status, len(body))
	}
}
