// SPDX-License-Identifier: Apache-2.0

package mqtt

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/genltestd/genltestd/daemon/sink"
)

// isForbidden reports whether a UTF-8 text of MQTT must not or should not contain a character:
// controls and non-characters. A broker may close the connection that sends one.
func isForbidden(r rune) bool {
	return r < ' ' || r >= 0x7f && r <= 0x9f || r >= 0xfdd0 && r <= 0xfdef || r&0xfffe == 0xfffe
}

// replaceInTopic appends a value as a part of one level of a topic. "_" replaces wildcards, the
// separator of levels, the dollar sign of the broker's own topics, and characters that a topic
// must not contain. It also replaces an empty value, so that no level is empty.
func replaceInTopic(dst, value []byte) []byte {
	if len(value) == 0 {
		return append(dst, '_')
	}
	return sink.ReplaceRunes(dst, value, "_", func(r rune) bool { return strings.ContainsRune("+#/$", r) || isForbidden(r) })
}

// replaceInText appends a value with the characters replaced that no text may contain.
func replaceInText(dst, value []byte) []byte {
	return sink.ReplaceRunes(dst, value, "\ufffd", isForbidden)
}

// acceptTopic rejects a result that is not a name of a topic.
func acceptTopic(topic []byte) error {
	switch {
	case len(topic) == 0:
		return errors.New("the topic is empty; write a word before the first {{")
	case strings.ContainsAny(string(topic), "+#"):
		return errors.New("a topic to which messages are published must not contain + or #; write another character")
	case topic[0] == '$':
		return errors.New("topics that begin with $ belong to the broker; begin with another character")
	}
	return acceptText(topic)
}

// acceptText rejects a result that is not a text of MQTT.
func acceptText(text []byte) error {
	switch {
	case len(text) > maxText:
		return fmt.Errorf("the result has %d bytes, and MQTT has room for %d", len(text), maxText)
	case !utf8.Valid(text) || strings.ContainsFunc(string(text), isForbidden):
		return errors.New("the result contains a control character or is not UTF-8, which MQTT does not allow")
	}
	return nil
}
