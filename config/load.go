// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"reflect"
	"syscall"
)

// maxFile is far more than anybody writes by hand.
const maxFile = 1 << 20

// Load reads and checks the regular file at path. Its error wraps that of the
// system, or is an Errors.
func Load(path string) (*Config, error) {
	text, mode, err := readFile(path)
	if err != nil {
		return nil, fileError(path, err)
	}
	c, err := Parse(path, text)
	if err != nil {
		return nil, err
	}
	c.source.mode = mode
	return c, nil
}

// fileError names the file once.
func fileError(path string, err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return fmt.Errorf("%s: %w", path, err)
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
	if !info.Mode().IsRegular() {
		return nil, 0, errors.New("not a regular file")
	}
	// One byte more than Parse takes, so that Parse refuses it.
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	return text, info.Mode(), err
}

// Parse reads and checks the text of a configuration file; name stands for the
// file in errors. The error is an Errors with every fault of the text.
func Parse(name string, text []byte) (*Config, error) {
	r := newReport(name)
	c := r.parse(text)
	if err := r.err(); err != nil {
		return nil, err
	}
	c.source = r
	return c, nil
}

func (r *report) parse(text []byte) *Config {
	c := Default()
	v := reflect.ValueOf(c).Elem()
	if root := r.document(text); root != nil {
		newDecoder(r).value(root, v, "")
	}
	r.check(v, "")
	return c
}
