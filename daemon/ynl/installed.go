// SPDX-License-Identifier: Apache-2.0

package ynl

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/genltestd/genltestd/internal/readfile"
	"github.com/genltestd/genltestd/internal/sorting"
)

// installedDirs are the directories where the kernel's specifications are installed, by the
// kernel's tools/net/ynl and by packages of distributions.
var installedDirs = [...]string{"usr/share/ynl/specs", "usr/local/share/ynl/specs"}

// Packages of the kernel's documentation have a directory for each version. Debian's are
// compressed.
const (
	docDir   = "usr/share/doc"
	specsDir = "Documentation/netlink/specs"
)

var docPackages = [...]string{"linux-doc-", "kernel-doc-"}

// installedPlaces returns the places of the distribution below a root directory.
func installedPlaces(root string) []Place {
	var places []Place
	for _, dir := range installedDirs {
		place := Dir(filepath.Join(root, dir))
		place.isInstalled = true
		places = append(places, place)
	}
	docs := filepath.Join(root, docDir)
	return append(places, Place{
		name:        filepath.Join(docs, docPackages[0]+"*", specsDir),
		isInstalled: true,
		read:        func(file string, limit int64) ([]byte, string, error) { return readDocs(docs, file, limit) },
	})
}

// readDocs reads a file of the newest package of documentation that contains it.
func readDocs(docs, file string, limit int64) ([]byte, string, error) {
	entries, err := os.ReadDir(docs)
	if err != nil {
		return nil, docs, err
	}
	var versions []string
	for _, e := range entries {
		if packageVersion(e.Name()) != "" {
			versions = append(versions, e.Name())
		}
	}
	sorting.Stable(versions, func(a, b string) int { return compareVersions(packageVersion(b), packageVersion(a)) })
	for _, dir := range versions {
		name := filepath.Join(docs, dir, specsDir, file)
		text, err := readfile.Prefix(name, limit)
		if errors.Is(err, fs.ErrNotExist) {
			name += ".gz"
			text, err = readCompressed(name, limit)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return text, name, err
		}
	}
	return nil, docs, fs.ErrNotExist
}

// packageVersion returns the version in the name of a package of documentation; empty for
// another package.
func packageVersion(name string) string {
	for _, prefix := range docPackages {
		if version, ok := strings.CutPrefix(name, prefix); ok {
			return version
		}
	}
	return ""
}

// compareVersions compares versions such as 6.9 and 6.12 by their numbers.
func compareVersions(a, b string) int {
	numbers := func(version string) (list []int) {
		for _, part := range strings.FieldsFunc(version, func(c rune) bool { return c == '.' || c == '-' }) {
			n, _ := strconv.Atoi(part) // a part that is not a number is 0
			list = append(list, n)
		}
		return list
	}
	return cmp.Or(slices.Compare(numbers(a), numbers(b)), strings.Compare(a, b))
}

// readCompressed is readfile.Prefix for a compressed file. The limit applies to both sizes.
func readCompressed(name string, limit int64) ([]byte, error) {
	compressed, err := readfile.Prefix(name, limit)
	if err != nil {
		return nil, err
	}
	r, err := gzip.NewReader(bytes.NewReader(compressed))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	text, err := io.ReadAll(io.LimitReader(r, limit))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return text, nil
}
