// SPDX-License-Identifier: Apache-2.0

package config

import (
	"path/filepath"
	"strings"
	"unicode"
)

// File appends events to a file, one a line.
type File struct {
	// Path is absolute: a daemon's working directory is nobody's guess.
	Path string `yaml:"path" required:"true" example:"/var/log/genltestd/events.jsonl"`
	// Mode is what a new file is created with, less the umask.
	Mode FileMode `yaml:"mode" default:"0640"`
	// Fsync says when the file is forced to disk.
	Fsync Fsync `yaml:"fsync" default:"batch"`
	// Rotate is about files that have become too large or too old.
	Rotate Rotate `yaml:"rotate"`
}

// Rotate says when a new file is begun, and what is kept of the old ones. A limit
// of 0 is none.
type Rotate struct {
	MaxBytes Size     `yaml:"max_bytes" default:"0" min:"0"`
	MaxAge   Duration `yaml:"max_age" default:"0" min:"0" max:"87600h"`
	// Compress says what becomes of a file that was rotated.
	Compress Compress `yaml:"compress" default:"gzip"`
	// KeepFiles, KeepBytes and KeepAge bound the rotated files of the sink.
	KeepFiles int      `yaml:"keep_files" default:"0" min:"0" max:"100000" unit:"files"`
	KeepBytes Size     `yaml:"keep_bytes" default:"0" min:"0"`
	KeepAge   Duration `yaml:"keep_age" default:"0" min:"0" max:"87600h"`
}

func (f *File) check(s section) {
	switch {
	case f.Path == "":
	case !filepath.IsAbs(f.Path):
		s.errorf("path", "%s is not absolute; begin it with /", quote(f.Path))
	case strings.HasSuffix(f.Path, "/"):
		s.errorf("path", "%s is a directory; add the name of a file", quote(f.Path))
	case strings.ContainsFunc(f.Path, unicode.IsControl):
		s.errorf("path", "%s has a control character; leave it out", quote(f.Path))
	}
	if f.Mode&0o200 == 0 {
		s.errorf("mode", "with %v the daemon could not write to its file after a restart; add the owner's write bit, like 0640", f.Mode)
	}
}

var _ conditional = (*Rotate)(nil)

func (r *Rotate) ineffective() (all []ineffective) {
	if r.MaxBytes > 0 || r.MaxAge > 0 {
		return nil
	}
	for _, key := range []string{"compress", "keep_files", "keep_bytes", "keep_age"} {
		all = append(all, ineffective{key, "on a file that is never rotated; give max_bytes or max_age as well", []string{"max_bytes", "max_age"}})
	}
	return all
}

// Fsync says when a file is forced to disk.
type Fsync string

const (
	// FsyncBatch forces each batch before it counts as delivered.
	FsyncBatch Fsync = "batch"
	// FsyncNever leaves it to the kernel: a power cut may lose delivered events.
	FsyncNever Fsync = "never"
)

// UnmarshalText refuses what is none of the constants.
func (f *Fsync) UnmarshalText(text []byte) error { return oneOf(f, text, FsyncBatch, FsyncNever) }

// MarshalText is the inverse of UnmarshalText.
func (f Fsync) MarshalText() ([]byte, error) { return []byte(f), nil }

// Compress says how rotated files are compressed.
type Compress string

const (
	// CompressGzip compresses them by gzip.
	CompressGzip Compress = "gzip"
	// CompressNone leaves them as they are.
	CompressNone Compress = "none"
)

// UnmarshalText refuses what is none of the constants.
func (c *Compress) UnmarshalText(text []byte) error {
	return oneOf(c, text, CompressGzip, CompressNone)
}

// MarshalText is the inverse of UnmarshalText.
func (c Compress) MarshalText() ([]byte, error) { return []byte(c), nil }
