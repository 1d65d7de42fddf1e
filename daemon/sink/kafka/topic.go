// SPDX-License-Identifier: Apache-2.0

package kafka

import (
	"errors"
	"fmt"
	"strings"

	"github.com/genltestd/genltestd/daemon/sink"
)

// maxTopic is the maximum length of the name of a topic.
const maxTopic = 249

// Templates implements sink.Templater.
func (c *Config) Templates() []sink.Template {
	list := []sink.Template{c.topicTemplate()}
	for i, h := range c.Headers {
		list = append(list, sink.Template{Key: fmt.Sprintf("kafka.headers[%d].value", i), Text: h.Value})
	}
	if c.Key == "" {
		return list
	}
	return append(list, sink.Template{Key: "kafka.key", Text: c.Key})
}

func (c *Config) topicTemplate() sink.Template {
	return sink.Template{Key: "kafka.topic", Text: c.Topic, Replace: replaceTopic, Accept: acceptTopic}
}

// replaceTopic appends a value as a part of the name of a topic. Each character that is not
// allowed there becomes _, and so does an empty value.
func replaceTopic(dst, value []byte) []byte {
	if len(value) == 0 {
		return append(dst, '_')
	}
	return sink.ReplaceRunes(dst, value, "_", isForbidden)
}

// isForbidden reports whether a character is not allowed in the name of a topic.
func isForbidden(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '.' && r != '_' && r != '-'
}

// isPlain reports whether a text has only characters of the name of a topic.
func isPlain(text string) bool { return !strings.ContainsFunc(text, isForbidden) }

// acceptTopic returns why a text is not the name of a topic.
func acceptTopic(name []byte) error {
	switch text := string(name); {
	case text == "":
		return errors.New("the name of the topic is empty")
	case text == "." || text == "..":
		return fmt.Errorf("%q is not the name of a topic", text)
	case len(text) > maxTopic:
		return fmt.Errorf("the name of the topic has %d characters, and Kafka allows %d", len(text), maxTopic)
	case !isPlain(text):
		return fmt.Errorf("%q is not the name of a topic; use only letters, digits, dots, dashes and underscores", text)
	}
	return nil
}
