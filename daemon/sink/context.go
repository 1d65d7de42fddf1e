// SPDX-License-Identifier: Apache-2.0

package sink

import "context"

// AfterFunc calls f in its own goroutine when ctx ends, until release is called. If f has started,
// release waits for it. context.AfterFunc does not, so f could interrupt the next attempt. release
// must be called exactly once.
func AfterFunc(ctx context.Context, f func()) (release func()) {
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		f()
	})
	return func() {
		if !stop() {
			<-ended
		}
	}
}
