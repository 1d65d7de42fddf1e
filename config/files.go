// SPDX-License-Identifier: Apache-2.0

package config

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/genltestd/genltestd/config/strict"
	"github.com/genltestd/genltestd/config/value"
)

// What the files of one configuration may be: far more than anybody writes by hand.
const (
	maxTotal   = 4 << 20 // bytes, of all
	maxDropIns = 256
)

// An input is a file of a configuration, as it was read.
type input struct {
	name string
	text []byte
	mode fs.FileMode // 0 when the text is from no file
	err  error       // why there is no text
}

// Fingerprint returns a text that is another when any file that Load(path) would
// read is another: its content, whether it is there, or why it cannot be read. Links
// are followed, so that it notices what is renamed or linked into its place too. It
// reads all files; when it is taken before Load, no change is missed.
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

// dropIn judges a name in the directory. It passes over what is not meant to be read:
// a name that begins with a dot, which editors and Kubernetes use for their own
// purposes, and one that ends otherwise, as backups do. What is likely meant and
// would not be read is an error.
func dropIn(dir, name string) input {
	ext := filepath.Ext(name)
	switch {
	case strings.HasPrefix(name, ".") || !strings.EqualFold(ext, ".yaml") && !strings.EqualFold(ext, ".yml"):
		return input{}
	case strconv.Quote(name) != `"`+name+`"`:
		return input{name: dir, err: fmt.Errorf("the name %s has a character that it may not have; rename the file", strict.Quote(name))}
	case ext != ".yaml":
		return input{name: filepath.Join(dir, name), err: errors.New(`is not read, because its name does not end in ".yaml"; rename it, or take it away`)}
	}
	return input{name: filepath.Join(dir, name)}
}

// isAbsent says whether nothing is at path, not even a link that leads nowhere.
func isAbsent(path string) bool {
	_, err := os.Lstat(path)
	return errors.Is(err, fs.ErrNotExist)
}

func readInput(path string) input {
	text, mode, err := readFile(path)
	return input{name: path, text: text, mode: mode, err: reason(err)}
}

// reason is a system's error without the name of the file.
func reason(err error) error {
	if p := (*fs.PathError)(nil); errors.As(err, &p) {
		return p.Err
	}
	return err
}

func readFile(path string) ([]byte, fs.FileMode, error) {
	// Opening a FIFO would wait for a writer, without O_NONBLOCK.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	switch {
	case isNullDevice(info):
		return nil, info.Mode().Perm() &^ 0o004, nil
	case !info.Mode().IsRegular() && !IsStream(path):
		return nil, 0, errors.New("not a regular file")
	}
	// One byte more than may be, so that it is refused.
	text, err := io.ReadAll(io.LimitReader(f, strict.MaxFile+1))
	return text, info.Mode(), err
}
