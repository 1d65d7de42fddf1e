// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"os"
	"time"
)

// An archive is a .tar.gz file of parts. Its first error is returned by close.
type archive struct {
	file  *os.File
	zip   *gzip.Writer
	tar   *tar.Writer
	now   time.Time
	parts []supportPartForm
	err   error
}

func newArchive(file *os.File, now time.Time) *archive {
	zip := gzip.NewWriter(file)
	return &archive{file: file, zip: zip, tar: tar.NewWriter(zip), now: now}
}

// add adds a part, or a file with the reason why it could not be collected.
func (a *archive) add(name string, text []byte, reason error) {
	part := supportPartForm{Name: name, Bytes: len(text)}
	if reason != nil {
		part = supportPartForm{Name: name, Error: reason.Error()}
		name, text = name+".error", []byte("could not be collected: "+visible(reason.Error())+"\n")
	}
	a.parts = append(a.parts, part)
	if a.err != nil {
		return
	}
	header := &tar.Header{
		Typeflag: tar.TypeReg, Name: "genltestd-support/" + name, Size: int64(len(text)), Mode: 0o600, ModTime: a.now.Truncate(time.Second),
	}
	if a.err = a.tar.WriteHeader(header); a.err == nil {
		_, a.err = a.tar.Write(text)
	}
}

// close returns the size of the file, which the caller must close.
func (a *archive) close() (bytes int64, err error) {
	if err := errors.Join(a.err, a.tar.Close(), a.zip.Close()); err != nil {
		return 0, err
	}
	info, err := a.file.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), a.file.Sync()
}
