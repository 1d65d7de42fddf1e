// SPDX-License-Identifier: Apache-2.0

package control

import (
	"net/http"
	"runtime"
)

// maxStacks is the maximum length of goroutines, in bytes.
const maxStacks = 16 << 20

// goroutines answers with the stacks of all goroutines, as net/http/pprof does with ?debug=2. The
// other profiles of runtime/pprof would add 180 kB to the daemon.
func goroutines(w http.ResponseWriter, _ *http.Request) {
	stacks := make([]byte, 1<<20)
	n := runtime.Stack(stacks, true)
	for n == len(stacks) && n < maxStacks {
		stacks = make([]byte, 2*n)
		n = runtime.Stack(stacks, true)
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Write(stacks[:n])
}
