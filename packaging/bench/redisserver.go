// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"os/exec"
)

// startRedis starts a redis-server that appends each change to a log in dir, with the defaults of
// its other settings. It returns its address, and a function that ends it.
func startRedis(ctx context.Context, dir string) (address string, leave func() error, err error) {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return "", nil, err
	}
	port, err := freePort()
	if err != nil {
		return "", nil, err
	}
	cmd := exec.CommandContext(ctx, path, "--bind", "127.0.0.1", "--port", port, "--dir", dir, "--appendonly", "yes", "--save", "")
	place, leave, err := serve(ctx, cmd, port)
	return "redis://" + place, leave, err
}
