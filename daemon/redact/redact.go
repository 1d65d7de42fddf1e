// SPDX-License-Identifier: Apache-2.0

// Package redact masks secrets in text from other hosts and programs.
//
// All sinks share one Mask: a server that receives from two sinks can repeat the token of
// one in its answer to the other. A sink adds the secrets that it has read before it sends
// them, so the Mask contains every secret that a server can have received from this
// process. Removed and replaced secrets stay in the Mask for some time, because a server
// can still repeat them.
package redact

import (
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/genltestd/genltestd/daemon/event"
)

// A Mask contains the secrets of all sinks. Its zero value is empty, and so is a nil Mask.
// It is safe for concurrent use.
type Mask struct {
	mu      sync.Mutex
	owners  map[*Owner]struct{}
	retired []string // replaced or removed secrets, newest last
	matcher *matcher // matcher of all secrets; nil after a change
}

// An Owner adds the secrets of one sink to a Mask. Its methods must not be called
// concurrently.
type Owner struct {
	mask  *Mask
	texts Texts // changed only with mask.mu held
}

// NewOwner returns an Owner without secrets.
func (m *Mask) NewOwner() *Owner {
	o := &Owner{mask: m}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.owners == nil {
		m.owners = make(map[*Owner]struct{})
	}
	m.owners[o] = struct{}{}
	return o
}

// Set replaces the owner's secrets. It retains and sorts texts. If the secrets did not
// change, it costs one comparison.
func (o *Owner) Set(texts Texts) {
	slices.Sort(texts)
	texts = slices.Compact(texts)
	if slices.Equal(texts, o.texts) {
		return
	}
	o.mask.mu.Lock()
	defer o.mask.mu.Unlock()
	o.mask.retire(o.texts, texts)
	o.texts, o.mask.matcher = texts, nil
}

// Close removes the owner. Its secrets stay in the Mask like replaced ones.
func (o *Owner) Close() {
	o.mask.mu.Lock()
	defer o.mask.mu.Unlock()
	if _, open := o.mask.owners[o]; !open {
		return
	}
	delete(o.mask.owners, o)
	o.mask.retire(o.texts, nil)
	o.mask.matcher = nil
}

// maxRetiredBytes is the maximum size of the replaced and removed secrets in a Mask: several
// hundred tokens.
const maxRetiredBytes = 16 << 10

// retire adds the texts that are no longer in use to the retired ones, and drops the oldest
// retired ones beyond the limit.
func (m *Mask) retire(texts, inUse Texts) {
	for _, s := range texts {
		if _, used := slices.BinarySearch(inUse, s); !used {
			m.retired = slices.DeleteFunc(m.retired, func(before string) bool { return before == s })
			m.retired = append(m.retired, s)
		}
	}
	first, size := len(m.retired), 0
	for first > 0 && size+len(m.retired[first-1]) <= maxRetiredBytes {
		first--
		size += len(m.retired[first])
	}
	m.retired = slices.Delete(m.retired, 0, first)
}

// current returns the matcher of all secrets.
func (m *Mask) current() *matcher {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.matcher == nil {
		all := slices.Clone(m.retired)
		for o := range m.owners {
			all = append(all, o.texts...)
		}
		slices.Sort(all)
		m.matcher = newMatcher(slices.Compact(all))
	}
	return m.matcher
}

// maxCleaned is the part of a text that Clean reads. It exceeds what an error shows.
const maxCleaned = 8 << 10

// Clean prepares text for an error: it masks secrets, escapes control characters and line
// ends, and truncates the result to limit bytes and an ellipsis.
func (m *Mask) Clean(text string, limit int) string {
	text = text[:min(len(text), maxCleaned)]
	if m != nil {
		text = m.current().mask(text)
	}
	visible := string(event.AppendVisible(nil, []byte(strings.TrimSpace(text))))
	if len(visible) <= limit {
		return visible
	}
	for limit > 0 && !utf8.RuneStart(visible[limit]) {
		limit--
	}
	return visible[:limit] + "…"
}
