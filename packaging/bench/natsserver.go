// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// startNATS starts a nats-server with the default configuration and a store in dir. It returns
// the server's address, and a function that ends it.
func startNATS(ctx context.Context, dir string) (address string, leave func() error, err error) {
	path, err := builtServer("nats-server")
	if err != nil {
		return "", nil, err
	}
	port, err := freePort()
	if err != nil {
		return "", nil, err
	}
	cmd := exec.CommandContext(ctx, path, "-a", "127.0.0.1", "-p", port, "-js", "-sd", filepath.Join(dir, "nats"))
	place, leave, err := serve(ctx, cmd, port)
	return "nats://" + place, leave, err
}

// serve starts a server and waits until it listens on a port. It returns its HOST:PORT, and a function
// that ends it.
func serve(ctx context.Context, cmd *exec.Cmd, port string) (place string, leave func() error, err error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	var end error
	ended := make(chan struct{})
	go func() { end = cmd.Wait(); close(ended) }()
	leave = func() error {
		err := cmd.Process.Kill()
		<-ended
		return err
	}
	place = net.JoinHostPort("127.0.0.1", port)
	for ctx.Err() == nil {
		if conn, err := net.Dial("tcp", place); err == nil {
			return place, leave, conn.Close()
		}
		select {
		case <-ended:
			return "", nil, fmt.Errorf("%s has ended: %w", cmd.Path, end)
		case <-time.After(10 * time.Millisecond):
		}
	}
	return "", nil, errors.Join(fmt.Errorf("%s does not listen on %s: %w", cmd.Path, place, ctx.Err()), leave())
}

// builtServer returns the path of a server that packaging/servers/install has built.
func builtServer(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	path, err := exec.LookPath(filepath.Join(cache, "genltestd/servers/bin", name))
	if err != nil {
		return "", fmt.Errorf("%w; run packaging/servers/install", err)
	}
	return path, nil
}

// freePort returns a TCP port on loopback that no process uses.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}
