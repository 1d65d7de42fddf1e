// SPDX-License-Identifier: Apache-2.0

// Package texts knows each log message by its id, for programs that read the log. It is not a
// part of the daemon.
package texts

// A text is a message of the table, and whether its attributes may contain text of events.
type text struct {
	message string
	quotes  bool
}

// Text returns the message with a MESSAGE_ID of the table. quotes reports whether its attributes
// may contain text of events, for example in the answer of a server.
func Text(id string) (message string, quotes, ok bool) {
	t, ok := table[id]
	return t.message, t.quotes, ok
}
