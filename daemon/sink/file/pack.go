// SPDX-License-Identifier: Apache-2.0

package file

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"

	"github.com/genltestd/genltestd/daemon/ratelog"
)

// A packer compresses and removes rotated files, concurrently with delivery. It can be
// killed at any moment: the next packer derives everything from the names.
type packer struct {
	config *Config
	limits *ratelog.Logger // of lines that may repeat
	age    func(time.Time) time.Duration
	kick   chan struct{}
	end    context.CancelFunc
	done   chan struct{}
}

// startPacker begins with the files that an earlier process left.
func startPacker(c *Config, limits *ratelog.Logger, age func(time.Time) time.Duration) *packer {
	ctx, cancel := context.WithCancel(context.Background())
	p := &packer{config: c, limits: limits, age: age, kick: make(chan struct{}, 1), end: cancel, done: make(chan struct{})}
	go p.run(ctx)
	return p
}

// wake reports that one more rotated file exists. It does not block.
func (p *packer) wake() {
	select {
	case p.kick <- struct{}{}:
	default:
	}
}

// stop cancels a running compression; the next process repeats it.
func (p *packer) stop() {
	p.end()
	<-p.done
}

// lookAgain is the interval between checks for files that have become too old.
const lookAgain = time.Hour

func (p *packer) run(ctx context.Context) {
	defer close(p.done)
	for ctx.Err() == nil {
		p.report(ctx, p.tidy(ctx))
		select {
		case <-p.kick:
		case <-time.After(lookAgain):
		case <-ctx.Done():
		}
	}
}

func (p *packer) report(ctx context.Context, err error) {
	const message = "cannot tidy up rotated files"
	if err == nil {
		p.limits.Resolved(message, "rotated files are tidied up again", "path", p.config.Path)
	} else if ctx.Err() == nil {
		p.limits.Error(message, "path", p.config.Path, "error", err)
	}
}

// tidy first makes room, which a compression needs. A fault of one file does not affect
// the others.
func (p *packer) tidy(ctx context.Context) error {
	err := errors.Join(p.removeLeftovers(), p.prune())
	if p.config.Rotate.Compress == compressGzip {
		err = errors.Join(err, p.compressAll(ctx), p.prune())
	}
	return err
}

// removeLeftovers removes files whose compression was interrupted, and originals whose
// compressed file is complete.
func (p *packer) removeLeftovers() error {
	all, err := listRotated(p.config.Path)
	for i, r := range all {
		// The compressed file is the next one: its name is longer.
		whole := !r.temp && !r.packed && i+1 < len(all) && all[i+1].packed && all[i+1].at.Equal(r.at)
		if r.temp || whole {
			err = errors.Join(err, os.Remove(r.path))
		}
	}
	return err
}

// prune removes the oldest files beyond the limits.
func (p *packer) prune() error {
	all, err := listRotated(p.config.Path)
	keep, bytes := &p.config.Rotate, int64(0)
	for i := len(all) - 1; i >= 0; i-- {
		info, serr := os.Lstat(all[i].path)
		if serr != nil {
			err = errors.Join(err, serr)
			continue
		}
		bytes += info.Size()
		files := len(all) - i
		if keep.KeepFiles > 0 && files > keep.KeepFiles || keep.KeepBytes > 0 && bytes > int64(keep.KeepBytes) ||
			keep.KeepAge > 0 && p.age(all[i].at) > time.Duration(keep.KeepAge) {
			err = errors.Join(err, os.Remove(all[i].path))
		}
	}
	return err
}

func (p *packer) compressAll(ctx context.Context) error {
	all, err := listRotated(p.config.Path)
	for _, r := range all {
		if r.packed || r.temp {
			continue
		}
		if cerr := compress(ctx, r.path); cerr != nil {
			err = errors.Join(err, fmt.Errorf("compress %s: %w", r.path, cerr))
		}
	}
	return err
}

// compress replaces a file by its compressed form. At any time one of the two is complete
// and on the disk.
func compress(ctx context.Context, path string) error {
	in, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer in.Close()
	packed := path + packedSuffix
	err = gzipTo(ctx, packed+tempSuffix, in)
	if err == nil {
		err = os.Rename(packed+tempSuffix, packed)
	}
	if err != nil {
		if rerr := os.Remove(packed + tempSuffix); !errors.Is(rerr, fs.ErrNotExist) {
			err = errors.Join(err, rerr)
		}
		return err
	}
	if err := syncDir(path); err != nil {
		return err
	}
	return os.Remove(path)
}

func gzipTo(ctx context.Context, path string, in *os.File) error {
	info, err := in.Stat()
	if err != nil {
		return err
	}
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, info.Mode().Perm())
	if err != nil {
		return err
	}
	zip := gzip.NewWriter(out)
	_, err = io.Copy(zip, &interruptible{ctx, in})
	if err == nil {
		err = zip.Close()
	}
	if err == nil {
		err = out.Sync()
	}
	return errors.Join(err, out.Close())
}

// interruptible reads until the context ends.
type interruptible struct {
	ctx context.Context
	in  io.Reader
}

func (r *interruptible) Read(b []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.in.Read(b)
}
