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

//go:embed specs/*.yaml
var embedded embed.FS

// A Place contains specifications in files FAMILY.yaml.
type Place struct {
	name        string // for errors
	isInstalled bool   // keys that are not known are accepted: see ParseInstalled
	// read returns the content of a file, at most limit bytes, and its full name. The error
	// wraps fs.ErrNotExist only if the file does not exist.
	read func(file string, limit int64) (text []byte, name string, err error)
}

// Places returns the places that genltestd searches, in their order: those of the operator,
// those in the binary, and those that a distribution installs.
func Places() []Place {
	return append([]Place{Dir(OwnDir), builtIn()}, installedPlaces("/")...)
}

// Dir returns the place of a directory.
func Dir(name string) Place {
	return Place{name: name, read: func(file string, limit int64) ([]byte, string, error) {
		file = filepath.Join(name, file)
		text, err := readfile.Prefix(file, limit)
		return text, file, err
	}}
}

func builtIn() Place {
	const name = "built-in"
	return Place{name: name, read: func(file string, limit int64) ([]byte, string, error) {
		f, err := embedded.Open(path.Join("specs", file))
		if err != nil {
			return nil, "", err
		}
		defer f.Close()
		text, err := io.ReadAll(io.LimitReader(f, limit))
		return text, path.Join(name, file), err
	}}
}

// Embedded returns the specification of a family that is part of the binary.
func Embedded(family string) (*Spec, error) {
	spec, _, err := Find(family, []Place{builtIn()})
	return spec, err
}

// EmbeddedText returns the text of the specification that Embedded returns.
func EmbeddedText(family string) ([]byte, error) {
	if _, err := Embedded(family); err != nil {
		return nil, err
	}
	for _, file := range fileNames(family) {
		if text, _, err := builtIn().read(file, strict.MaxFile); err == nil {
			return text, nil
		}
	}
	return nil, fmt.Errorf("family %s: %w", family, ErrNotFound)
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
			text, name, err := place.read(file, strict.MaxFile+1)
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
	if p.isInstalled {
		return ParseInstalled(name, text)
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
		names[i] = p.name
	}
	return strings.Join(names, ", ")
}
