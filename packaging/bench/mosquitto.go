// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// startMosquitto starts a mosquitto that accepts all clients, with the defaults of its other
// settings. It returns its address, and a function that ends it.
func startMosquitto(ctx context.Context, dir string) (address string, leave func() error, err error) {
	path, err := exec.LookPath("mosquitto")
	if err != nil {
		path, err = exec.LookPath("/usr/sbin/mosquitto") // not in every user's PATH
	}
	if err != nil {
		return "", nil, fmt.Errorf("%w; run packaging/servers/install", err)
	}
	port, err := freePort()
	if err != nil {
		return "", nil, err
	}
	config := filepath.Join(dir, "mosquitto.conf")
	text := "listener " + port + " 127.0.0.1\nuser root\nallow_anonymous true\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return "", nil, err
	}
	place, leave, err := serve(ctx, exec.CommandContext(ctx, path, "-c", config), port)
	return "mqtt://" + place, leave, err
}
