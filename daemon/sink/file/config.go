// SPDX-License-Identifier: Apache-2.0

package file

import (
	_ "embed" // for the reference
	"path/filepath"
	"strings"
	"unicode"

	"github.com/genltestd/genltestd/config/strict"
	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/sink"
)

// Kind is the kind of sink that appends to a file.
func Kind() sink.Kind {
	return sink.Kind{
		Name: "file", Summary: "appends lines to a file, with rotation and compression",
		Reference: reference, New: func() sink.Config { return new(Config) },
		Words: []strict.VariantWords{
			{Words: "logfile log_file files jsonl path filename"},
		},
	}
}

//go:embed reference.yaml
var reference []byte

// Config is the value of the key file.
type Config struct {
	// Path is absolute.
	Path string `yaml:"path" required:"true" example:"/var/log/genltestd/events.jsonl" path:"true"`
	// Mode is the mode of a new file, reduced by the umask.
	Mode value.FileMode `yaml:"mode" default:"0640"`
	// Fsync is fsyncBatch or fsyncNever.
	Fsync string `yaml:"fsync" default:"batch" oneof:"batch never"`
	// Rotate limits the size and age of the file.
	Rotate Rotate `yaml:"rotate"`
}

const (
	fsyncBatch = "batch" // each batch is durable before it counts as delivered
	fsyncNever = "never" // the kernel decides when it writes to the disk

	compressGzip = "gzip"
	compressNone = "none"
)

// durable reports whether each batch must be on the disk before it counts as delivered.
func (f *Config) durable() bool { return f.Fsync == fsyncBatch }

// Rotate defines when the sink renames the file and begins a new one, and how it handles
// renamed files. A limit of 0 disables the limit.
type Rotate struct {
	// MaxBytes is the maximum size of a file. A larger batch has a file of its own.
	MaxBytes value.Size `yaml:"max_bytes" default:"0" min:"0"`
	// MaxAge is the maximum age of a file. It is checked when an event arrives.
	MaxAge value.Duration `yaml:"max_age" default:"0" min:"0" max:"87600h"`
	// Compress is compressGzip or compressNone, for rotated files.
	Compress string `yaml:"compress" default:"gzip" oneof:"gzip none"`
	// KeepFiles, KeepBytes and KeepAge limit the rotated files of the sink.
	KeepFiles int            `yaml:"keep_files" default:"0" min:"0" max:"100000" unit:"files"`
	KeepBytes value.Size     `yaml:"keep_bytes" default:"0" min:"0"`
	KeepAge   value.Duration `yaml:"keep_age" default:"0" min:"0" max:"87600h"`
}

var (
	_ sink.Config        = (*Config)(nil)
	_ sink.Claimer       = (*Config)(nil)
	_ sink.SingleWorker  = (*Config)(nil)
	_ strict.Checker     = (*Config)(nil)
	_ strict.Foreign     = (*Config)(nil)
	_ strict.Conditional = (*Rotate)(nil)
)

// Check implements strict.Checker.
func (f *Config) Check(s strict.Section) {
	switch {
	case f.Path == "":
	case !filepath.IsAbs(f.Path):
		s.Errorf("path", "%s is not absolute; begin it with /", strict.Quote(f.Path))
	case strings.HasSuffix(f.Path, "/"):
		s.Errorf("path", "%s is a directory; add the name of a file", strict.Quote(f.Path))
	case strings.ContainsFunc(f.Path, unicode.IsControl):
		s.Errorf("path", "%s has a control character; leave it out", strict.Quote(f.Path))
	}
	if f.Mode&0o200 == 0 {
		s.Errorf("mode", "with %v the daemon could not write to its file after a restart; add the owner's write bit, like 0640", f.Mode)
	}
}

func (r *Rotate) enabled() bool { return r.MaxBytes > 0 || r.MaxAge > 0 }

// Ineffective implements strict.Conditional.
func (r *Rotate) Ineffective() (all []strict.Ineffective) {
	if r.enabled() {
		return nil
	}
	for _, key := range []string{"compress", "keep_files", "keep_bytes", "keep_age"} {
		all = append(all, strict.Ineffective{
			Key: key, Why: "on a file that is never rotated; give max_bytes or max_age as well", Beside: []string{"max_bytes", "max_age"},
		})
	}
	return all
}

// ForeignKeys implements strict.Foreign.
func (f *Config) ForeignKeys() []strict.ForeignKey {
	return []strict.ForeignKey{
		{Words: "file filename filepath name location", Key: "path"},
		{Words: "permissions perm perms file_mode", Key: "mode"},
		{Words: "max_size maxsize rotate_size max_bytes", Key: "rotate.max_bytes"},
		{Words: "max_age maxage", Key: "rotate.max_age"},
		{Words: "max_backups backups keep keep_files", Key: "rotate.keep_files"},
		{Words: "compress compression gzip", Key: "rotate.compress"},
		{Words: "sync flush", Key: "fsync"},
	}
}

// Claims implements sink.Claimer.
func (f *Config) Claims() []sink.Claim {
	if f.Path == "" {
		return nil
	}
	claim := sink.Claim{
		Key: "path", Name: filepath.Clean(f.Path), Path: f.Path, Advice: "two writers garble a file: give each sink its own",
	}
	if f.Rotate.enabled() {
		claim.Makes = func(name string) bool {
			_, ok := parseRotated(filepath.Base(f.Path), name)
			return ok
		}
	}
	return []sink.Claim{claim}
}

// WhyOneWorker implements sink.SingleWorker.
func (f *Config) WhyOneWorker() string { return "a file has one writer" }

// New implements sink.Config.
func (f *Config) New(env sink.Env) (sink.Sink, error) { return New(f, env), nil }
