// SPDX-License-Identifier: Apache-2.0

// Package docs has the tests of the documentation.
package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const root = ".."

var (
	codeBlock = regexp.MustCompile("(?ms)^ *```.*?^ *```$")
	codeSpan  = regexp.MustCompile("`[^`\n]*`")
	link      = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading   = regexp.MustCompile(`(?m)^#+ +(.+)$`)
	notInSlug = regexp.MustCompile(`[^a-z0-9 _-]`)
)

// pages returns the Markdown files of the repository, relative to root.
func pages(t *testing.T) (list []string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && path != root && (strings.HasPrefix(name, ".") || name == "build" || name == "testdata") {
			return fs.SkipDir
		}
		if !d.IsDir() && strings.HasSuffix(name, ".md") {
			list = append(list, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func read(t *testing.T, page string) string {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	return codeBlock.ReplaceAllString(string(text), "")
}

// anchors returns the fragments by which GitHub links to the headings of a page.
func anchors(t *testing.T, page string) map[string]bool {
	t.Helper()
	list := make(map[string]bool)
	for _, m := range heading.FindAllStringSubmatch(read(t, page), -1) {
		text := strings.ToLower(strings.ReplaceAll(m[1], "`", ""))
		list[strings.ReplaceAll(notInSlug.ReplaceAllString(text, ""), " ", "-")] = true
	}
	return list
}

func TestLinksLeadToFilesAndHeadings(t *testing.T) {
	count := 0
	for _, page := range pages(t) {
		for _, m := range link.FindAllStringSubmatch(codeSpan.ReplaceAllString(read(t, page), ""), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			count++
			file, fragment, _ := strings.Cut(m[1], "#")
			target := page
			if file != "" {
				target = filepath.Join(filepath.Dir(page), file)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s links to %s, which does not exist", page, m[1])
			} else if fragment != "" && !anchors(t, target)[fragment] {
				t.Errorf("%s links to %s, which has no such heading", page, m[1])
			}
		}
	}
	if count < 50 {
		t.Errorf("found only %d links", count)
	}
}

func TestTheIndexListsEveryPage(t *testing.T) {
	index := read(t, "README.md")
	for _, page := range pages(t) {
		name, ok := strings.CutPrefix(page, "../docs/")
		if ok && name != "README.md" && !strings.Contains(index, "]("+name+")") {
			t.Errorf("docs/README.md does not list %s", name)
		}
	}
}

func TestTheReadmeIsShort(t *testing.T) {
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), "\n"); n > 200 {
		t.Errorf("README.md has %d lines, at most 200 are allowed: move details to docs/", n)
	}
}
