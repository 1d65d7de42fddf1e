// SPDX-License-Identifier: Apache-2.0

package skeleton

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/genltestd/genltestd/daemon/genl"
)

// maxName is the length of a name in the kernel.
const maxName = 15

var (
	unsafe = regexp.MustCompile(`[^ -~]`)
	plain  = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_+/-]*$`)
)

// kernelName returns the name of a family or group as package ynl accepts it: characters that
// cannot be printed become dashes.
func kernelName(text string) string {
	if text == "" {
		return "unnamed"
	}
	name := unsafe.ReplaceAllString(text, "-")
	return name[:min(len(name), maxName)]
}

// yamlWords are words that YAML reads as another type.
var yamlWords = []string{"null", "true", "false", "yes", "no", "on", "off", "y", "n"}

// scalar returns a name as a text of YAML.
func scalar(name string) string {
	if plain.MatchString(name) && !slices.Contains(yamlWords, strings.ToLower(name)) {
		return name
	}
	return strconv.Quote(name)
}

// comment returns an untrusted text as a part of a comment: one line of ASCII.
func comment(text string) string {
	if plain.MatchString(text) {
		return text
	}
	return strconv.QuoteToASCII(text)
}

// groupNames returns a name for each group. The names differ, as a specification requires.
func groupNames(groups []genl.Group) []string {
	var names []string
	for _, g := range groups {
		name := kernelName(g.Name)
		for n := 2; slices.Contains(names, name); n++ {
			suffix := fmt.Sprintf("-%d", n)
			name = kernelName(g.Name)
			name = name[:min(len(name), maxName-len(suffix))] + suffix
		}
		names = append(names, name)
	}
	return names
}
