// SPDX-License-Identifier: Apache-2.0

package ynl

import (
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"path/filepath"
	"strings"

	"github.com/genltestd/genltestd/config/strict"
	"github.com/genltestd/genltestd/internal/readfile"
)

// ErrNotFound is wrapped by the error of Find for a family without a specification.
var ErrNotFound = errors.New("no specification")

// OwnDir contains the specifications of the machine's operator.
const OwnDir = "/etc/genltestd/specs"

// installedDirs are the directories where the kernel's specifications are installed: by
// "make install" of the kernel's tools/net/ynl, and by packages of distributions.
var installedDirs = [...]string{"/usr/share/ynl/specs", "/usr/local/share/ynl/specs"}

//go:embed specs/*.yaml
var embedded embed.FS

// A Place is a directory of specifications, in files FAMILY.yaml.
type Place struct {
	Name        string // of the directory, for errors
	IsInstalled bool   // keys that are not known are accepted: see ParseInstalled
	// Read returns the content of a file, at most limit bytes. The error wraps
	// fs.ErrNotExist only if the file does not exist.
	Read func(name string, limit int64) ([]byte, error)
}

// Places returns the places that genltestd searches, in their order: those of the operator,
// those in the binary, and those of the distribution.
func Places() []Place {
	places := []Place{Dir(OwnDir), {Name: "built-in", Read: readEmbedded}}
	for _, name := range installedDirs {
		place := Dir(name)
		place.IsInstalled = true
		places = append(places, place)
	}
	return places
}

// Dir returns the place of a directory.
func Dir(name string) Place {
	return Place{Name: name, Read: func(file string, limit int64) ([]byte, error) {
		return readfile.Prefix(filepath.Join(name, file), limit)
	}}
}

// Embedded returns the specification of a family that is part of the binary.
func Embedded(family string) (*Spec, error) {
	spec, _, err := Find(family, []Place{{Name: "built-in", Read: readEmbedded}})
	return spec, err
}

func readEmbedded(file string, limit int64) ([]byte, error) {
	f, err := embedded.Open(path.Join("specs", file))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, limit))
}

// Load reads the specification in a file.
func Load(name string) (*Spec, error) {
	text, err := readfile.Prefix(name, strict.MaxFile+1)
	if err != nil {
		return nil, err
	}
	return Parse(name, text)
}

// Find returns the specification of a family from the first place that contains one, and
// the name of its file. The error wraps ErrNotFound if no place contains one. A file or
// directory that cannot be read is another error: the next places are not searched then,
// because the file might contain the specification.
func Find(family string, places []Place) (*Spec, string, error) {
	files := fileNames(family)
	for _, place := range places {
		for _, file := range files {
			name := path.Join(place.Name, file)
			text, err := place.Read(file, strict.MaxFile+1)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return nil, name, fmt.Errorf("read the specification of %s: %w", family, err)
			}
			spec, err := place.parse(name, text)
			if err == nil && spec.Family != family {
				err = fmt.Errorf("%s: the name is %q, but the file's name requires %q; correct the name, or rename the file", name, spec.Family, family)
			}
			return spec, name, err
		}
	}
	return nil, "", fmt.Errorf("family %s: %w; searched %s", family, ErrNotFound, joinPlaces(places))
}

func (p Place) parse(name string, text []byte) (*Spec, error) {
	if p.IsInstalled {
		spec, _, err := ParseInstalled(name, text)
		return spec, err
	}
	return Parse(name, text)
}

// fileNames returns the names that the file of a family can have: the kernel's files have
// dashes or underscores, by the kernel's version. A name that leaves the directory has no
// file.
func fileNames(family string) []string {
	if family == "" || strings.ContainsAny(family, "/\x00") {
		return nil
	}
	names := []string{family + ".yaml"}
	for _, other := range []string{strings.ReplaceAll(family, "_", "-"), strings.ReplaceAll(family, "-", "_")} {
		if other != family {
			names = append(names, other+".yaml")
		}
	}
	return names
}

func joinPlaces(places []Place) string {
	names := make([]string, len(places))
	for i, p := range places {
		names[i] = p.Name
	}
	return strings.Join(names, ", ")
}
