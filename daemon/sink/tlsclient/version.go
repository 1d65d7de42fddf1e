// SPDX-License-Identifier: Apache-2.0

package tlsclient

import (
	"io/fs"
	"os"
	"slices"

	"github.com/genltestd/genltestd/config/value"
)

// A Version identifies the files at one time, for connections that outlast a request.
// Otherwise an idle connection could continue for a long time with a revoked certificate.
type Version struct {
	files []fs.FileInfo // nil for a file that cannot be examined
}

// VersionOf examines the files. Call it before Config: then a file that is replaced in between
// counts as replaced.
func VersionOf(t *value.TLS) Version {
	f, err := locate(t)
	if err != nil {
		return Version{[]fs.FileInfo{nil}}
	}
	var v Version
	for _, path := range []string{f.ca, f.cert, f.key} {
		if path != "" {
			info, _ := os.Stat(path) // nil after an error
			v.files = append(v.files, info)
		}
	}
	return v
}

// Equal reports whether the files are the same. A file that cannot be examined never is.
func (v Version) Equal(w Version) bool {
	return slices.EqualFunc(v.files, w.files, func(a, b fs.FileInfo) bool {
		return a != nil && b != nil && os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size()
	})
}
