// SPDX-License-Identifier: Apache-2.0

package control

import (
	"net/http"
	"runtime"
	"runtime/pprof"
	"strconv"
	"time"

	"github.com/genltestd/genltestd/daemon/control/api"
)

const (
	// maxStacks is the maximum length of goroutines, in bytes.
	maxStacks = 16 << 20

	defaultCPUTime = 30 * time.Second // as of net/http/pprof
	maxCPUTime     = 5 * time.Minute
)

// goroutines answers with the stacks of all goroutines, as net/http/pprof does with ?debug=2.
func goroutines(w http.ResponseWriter, _ *http.Request) {
	stacks := make([]byte, 1<<20)
	n := runtime.Stack(stacks, true)
	for n == len(stacks) && n < maxStacks {
		stacks = make([]byte, 2*n)
		n = runtime.Stack(stacks, true)
	}
	answerAs(w, "text/plain; charset=utf-8")
	w.Write(stacks[:n])
}

// heap answers with a sample of the memory in use and of all allocations, for go tool pprof.
func heap(w http.ResponseWriter, _ *http.Request) {
	runtime.GC() // otherwise the profile is as old as the last collection
	answerAs(w, "application/octet-stream")
	_ = pprof.WriteHeapProfile(w) // the client notices an incomplete answer
}

// cpu answers with the CPU time of each function in the next seconds, for go tool pprof. A process has
// one such profile at a time.
func cpu(w http.ResponseWriter, r *http.Request) {
	d, err := cpuTime(r.FormValue("seconds"))
	if err != nil {
		refuse(w, err)
		return
	}
	answerAs(w, "application/octet-stream")
	if err := pprof.StartCPUProfile(w); err != nil {
		refuse(w, &api.Error{Status: http.StatusConflict, Message: "a CPU profile is already being written; try again when it has ended"})
		return
	}
	defer pprof.StopCPUProfile()
	select {
	case <-time.After(d):
	case <-r.Context().Done():
	}
}

func cpuTime(seconds string) (time.Duration, error) {
	if seconds == "" {
		return defaultCPUTime, nil
	}
	n, err := strconv.ParseUint(seconds, 10, 16)
	if d := time.Duration(n) * time.Second; err == nil && d > 0 && d <= maxCPUTime {
		return d, nil
	}
	return 0, badRequest("seconds: %.64q is not a whole number from 1 to %d", seconds, maxCPUTime/time.Second)
}

func answerAs(w http.ResponseWriter, contentType string) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("X-Content-Type-Options", "nosniff")
}
