// SPDX-License-Identifier: Apache-2.0

package httpclient

import (
	"errors"
	"io"
	"net/http"
	"testing"
)

// The memory of a body is used again once the body is closed, also if the transport still reads.
func TestMemoryIsNotReadAfterClose(t *testing.T) {
	var uses Uses
	memory := make([]byte, 1<<20)
	for range 20 {
		b := uses.body(memory)
		started, ended := make(chan struct{}), make(chan error)
		go func() {
			var p [1]byte
			_, err := b.Read(p[:])
			for close(started); err == nil; {
				_, err = b.Read(p[:])
			}
			ended <- err
		}()
		<-started
		b.Close()
		if uses.InUse() {
			t.Fatal("a closed body is in use")
		}
		clear(memory) // which the race detector compares with the reads
		if err := <-ended; !errors.Is(err, http.ErrBodyReadAfterClose) && !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		if b.Close(); uses.InUse() {
			t.Fatal("the second Close has an effect")
		}
	}
}
