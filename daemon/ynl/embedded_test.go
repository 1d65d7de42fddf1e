// SPDX-License-Identifier: Apache-2.0

package ynl

import (
	"errors"
	"testing"
)

func TestEmbeddedTextIsTheSpecification(t *testing.T) {
	for family := range families {
		text, err := EmbeddedText(family)
		if err != nil {
			t.Error(err)
			continue
		}
		if spec, err := Parse(family, text); err != nil || spec.Family != family {
			t.Errorf("%s: %v", family, err)
		}
	}
	if _, err := EmbeddedText("linkflap"); !errors.Is(err, ErrNotFound) {
		t.Errorf("error %v", err)
	}
	for _, family := range []string{"acpi-event", "../specs/nlctrl", ""} {
		if text, err := EmbeddedText(family); err == nil {
			t.Errorf("%q: %.20q", family, text)
		}
	}
}
