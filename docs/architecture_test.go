// SPDX-License-Identifier: Apache-2.0

package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// listedTrees are the folders whose packages architecture.md lists. Its other folders have one
// line each.
var listedTrees = []string{"cmd", "config", "metrics", "daemon"}

var treeLine = regexp.MustCompile(`(?m)^( *)([a-z]\S*)(?:  .*)?$`)

func TestTheArchitectureListsEveryPackage(t *testing.T) {
	text, err := os.ReadFile("architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "## The tree\n\n```\n")
	section, _, _ = strings.Cut(section, "```")
	var listed, path []string
	for _, m := range treeLine.FindAllStringSubmatch(section, -1) {
		path = append(path[:min(len(m[1])/2, len(path))], m[2])
		if slices.Contains(listedTrees, path[0]) {
			listed = append(listed, strings.Join(path, "/"))
		}
	}
	slices.Sort(listed)
	if diff := cmp.Diff(packageFolders(t), listed); diff != "" {
		t.Errorf("folders in the tree of architecture.md (-want +got):\n%s", diff)
	}
}

// packageFolders returns the folders of listedTrees that contain packages, without those of the
// kinds of sinks.
func packageFolders(t *testing.T) (folders []string) {
	t.Helper()
	for _, tree := range listedTrees {
		err := filepath.WalkDir(filepath.Join(root, tree), func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.IsDir() {
				return err
			}
			_, kindErr := os.Stat(filepath.Join(path, "manual.in"))
			if kindErr == nil || d.Name() == "testdata" || d.Name() == "specs" {
				return fs.SkipDir
			}
			folders = append(folders, strings.TrimPrefix(filepath.ToSlash(path), root+"/"))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(folders)
	return folders
}
