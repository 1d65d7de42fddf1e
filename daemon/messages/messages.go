// SPDX-License-Identifier: Apache-2.0

// Package messages knows the id of each log message. The table is messages.yaml, which also
// describes each message for operators.
package messages

import "strings"

// ID returns the MESSAGE_ID of a log message, 32 hexadecimal digits, or "" if the table lacks
// the message. A message may continue after a colon, such as "configuration: FAULT".
func ID(message string) string {
	if id, ok := ids[message]; ok {
		return id
	}
	general, _, _ := strings.Cut(message, ": ")
	return ids[general]
}
