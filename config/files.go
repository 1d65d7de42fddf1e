// SPDX-License-Identifier: Apache-2.0

package config

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/genltestd/genltestd/config/strict"
	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/internal/readfile"
)

// The limits of the files of one configuration: far above files that people write.
const (
	maxTotal   = 4 << 20 // bytes, of all
	maxDropIns = 256
)

// An input is the content of a file of a configuration.
type input struct {
	name string
	text []byte
	mode fs.FileMode // 0 for a text that is not from a file
	err  error       // the reason for a missing text
}

// Fingerprint returns a text that changes with each file that Load(path) would read: with
// its content, its existence and the error of reading it. It follows links, so it changes
// also when another file is renamed or linked to the path. It reads all files. A caller
// that calls it before Load misses no change.
func Fingerprint(path string) string {
	sum := sha256.New()
	if IsStream(path) {
		return path // which can be read once
	}
	for _, in := range readInputs(path) {
		fmt.Fprintf(sum, "%q %v %d\n", in.name, in.err, len(in.text))
		sum.Write(in.text)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// readInputs reads the main file at path, which is the first, and its drop-ins.
func readInputs(path string) []input {
	inputs := []input{readInput(path)}
	total := len(inputs[0].text)
	for _, in := range dropIns(path) {
		if in.err == nil {
			in = readInput(in.name)
		}
		if total += len(in.text); total > maxTotal {
			return append(inputs, input{name: in.name, err: fmt.Errorf("with this file all together are larger than %v", value.Size(maxTotal))})
		}
		inputs = append(inputs, in)
	}
	return inputs
}

// dropInDir returns the directory of the drop-ins of the main file at path.
func dropInDir(path string) string { return strings.TrimSuffix(path, filepath.Ext(path)) + ".d" }

// dropIns names the drop-ins of the main file at path, in the order of their names.
func dropIns(path string) (list []input) {
	dir := dropInDir(path)
	if dir == path || isAbsent(dir) {
		return nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return []input{{name: dir, err: reason(err)}}
	}
	for _, entry := range entries {
		if in := dropIn(dir, entry.Name()); in.name != "" {
			list = append(list, in)
		}
	}
	if len(list) > maxDropIns {
		return []input{{name: dir, err: fmt.Errorf("has %d files; put them into at most %d", len(list), maxDropIns)}}
	}
	return list
}

// dropIn returns the input of a name in the directory. It ignores names that begin with a
// dot, which editors and Kubernetes use for their own purposes, and names with other
// extensions, such as those of backups. A name that its author likely expects to be read is
// an error.
func dropIn(dir, name string) input {
	ext := filepath.Ext(name)
	switch {
	case strings.HasPrefix(name, ".") || !strings.EqualFold(ext, ".yaml") && !strings.EqualFold(ext, ".yml"):
		return input{}
	case strconv.Quote(name) != `"`+name+`"`:
		return input{name: dir, err: fmt.Errorf("the name %s has a character that it may not have; rename the file", strict.Quote(name))}
	case ext != ".yaml":
		return input{
			name: filepath.Join(dir, name),
			err:  errors.New(`is not read, because its name does not end in ".yaml"; rename it, or take it away`),
		}
	}
	return input{name: filepath.Join(dir, name)}
}

// isAbsent reports whether path does not exist. A link to a missing file exists.
func isAbsent(path string) bool {
	_, err := os.Lstat(path)
	return errors.Is(err, fs.ErrNotExist)
}

// readInput reads one byte more than a file may have, so that a larger file is rejected.
func readInput(path string) input {
	accept := func(info fs.FileInfo) bool { return isNullDevice(info) || IsStream(path) }
	text, info, err := readfile.PrefixIf(path, strict.MaxFile+1, accept)
	if err != nil {
		return input{name: path, err: reason(err)}
	}
	return input{name: path, text: text, mode: info.Mode()}
}

// reason returns the error of the system without the name of the file.
func reason(err error) error {
	if p := (*fs.PathError)(nil); errors.As(err, &p) {
		return p.Err
	}
	return err
}
