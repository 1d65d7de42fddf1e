// SPDX-License-Identifier: Apache-2.0

// Package syncbuffer is a buffer that a test reads while other goroutines write to it.
package syncbuffer

import (
	"bytes"
	"sync"
)

// A Buffer is an io.Writer. It is safe for concurrent use.
type Buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

// Bytes returns a copy of the content.
func (b *Buffer) Bytes() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	return bytes.Clone(b.text.Bytes())
}

// String returns the content.
func (b *Buffer) String() string { return string(b.Bytes()) }

// Hold makes Write block until release is called, as a pipe without a reader does.
func (b *Buffer) Hold() (release func()) {
	b.mu.Lock()
	return b.mu.Unlock
}
