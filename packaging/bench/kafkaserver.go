// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// startKafka starts a cluster of three brokers with its data in dir. It returns the address of one
// broker, and a function that ends the cluster.
func startKafka(ctx context.Context, dir string) (address string, leave func() error, err error) {
	path, err := builtServer("kfake-server")
	if err != nil {
		return "", nil, err
	}
	var places []string
	for range 3 {
		port, err := freePort()
		if err != nil {
			return "", nil, err
		}
		places = append(places, net.JoinHostPort("127.0.0.1", port))
	}
	control := filepath.Join(dir, "kafka.sock")
	cmd := exec.CommandContext(ctx, path, "-listen", strings.Join(places, ","), "-control", control,
		"-data", filepath.Join(dir, "kafka"), "-topic", "genltestd:3")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	leave = func() error {
		err := cmd.Process.Kill()
		_ = cmd.Wait() // reports the kill
		return err
	}
	for ctx.Err() == nil {
		if conn, err := net.Dial("unix", control); err == nil {
			return "tcp://" + places[0], leave, conn.Close()
		}
		time.Sleep(10 * time.Millisecond)
	}
	return "", nil, fmt.Errorf("%s does not listen on %s: %w", path, control, ctx.Err())
}
