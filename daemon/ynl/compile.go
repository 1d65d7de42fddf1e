// SPDX-License-Identifier: Apache-2.0

package ynl

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/genltestd/genltestd/config/strict"
	"github.com/genltestd/genltestd/internal/similar"
)

// A compiler converts a file to a Spec. It resolves names, numbers attributes and
// commands, and reports all faults of the file as a whole.
type compiler struct {
	root strict.Section
	file *file
	spec *Spec

	consts      map[string]uint64
	enums       map[string]*enum
	structs     map[string]*structDefinition
	sets        map[string]*attrSet
	definedSets []*setDefinition // in the order of the file
	setsByName  map[string]*setDefinition
	subs        map[string]*formatList
	opsByName   map[string]*operation

	copied      int // attributes that sub-sets have copied
	suggestions int // searches for similar names
}

// A structDefinition is a struct that is compiled when it is needed first: it may be
// defined after a struct that contains it.
type structDefinition struct {
	structure
	section strict.Section
	members []member
	isOpen  bool // being compiled
	isDone  bool
}

func newCompiler(r *strict.Report, f *file) *compiler {
	return &compiler{
		root:       r.Section(""),
		file:       f,
		spec:       &Spec{Family: string(f.Name)},
		consts:     make(map[string]uint64),
		enums:      make(map[string]*enum),
		structs:    make(map[string]*structDefinition),
		sets:       make(map[string]*attrSet),
		setsByName: make(map[string]*setDefinition),
		subs:       make(map[string]*formatList),
		opsByName:  make(map[string]*operation),
	}
}

func (c *compiler) compile() {
	c.definitions()
	for _, name := range slices.Sorted(maps.Keys(c.structs)) {
		c.structure(c.structs[name])
	}
	c.declareSets()
	c.declareFormats()
	c.fillSets()
	c.fillFormats()
	c.operations()
	groups := make(map[string]strict.Section)
	for i, g := range c.file.McastGroups.List {
		c.root.Within("mcast-groups").At("list", i).Unique(groups, "name", string(g.Name), "remove one of them")
		c.spec.Groups = append(c.spec.Groups, string(g.Name))
	}
}

// find returns the value of a name that the key of a section refers to. It reports a name
// that is not defined.
func find[T any](c *compiler, s strict.Section, key string, name word, in map[string]T, what string) (T, bool) {
	v, ok := in[string(name)]
	if ok || name == "" {
		return v, ok
	}
	s.Errorf(key, "%s %q is not defined; %s", what, name, suggest(c, string(name), in))
	return v, false
}

// maxSuggestions limits the search for similar names, which is slow in a large file.
const maxSuggestions = 100

// suggest returns how to correct a name that is not defined.
func suggest[T any](c *compiler, name string, in map[string]T) string {
	if c.suggestions++; c.suggestions > maxSuggestions {
		return "define it"
	}
	known := slices.Sorted(maps.Keys(in))
	if best := similar.Closest(name, known); best != "" {
		return "did you mean " + strconv.Quote(best) + "?"
	}
	if len(known) > 0 && len(known) <= 10 {
		return "write one of " + strings.Join(known, ", ")
	}
	return "define it"
}

// need reports a key that is missing.
func need(s strict.Section, key string, value word, why string) {
	if value == "" {
		s.Errorf(key, "is missing; %s", why)
	}
}
