// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
)

// collectorConfig is a collector that discards all records: the exporter logs them with the level info.
const collectorConfig = `
receivers: {otlp: {protocols: {http: {endpoint: %q}}}}
exporters: {debug: {}}
service:
  telemetry: {metrics: {level: none}, logs: {level: error}}
  pipelines: {logs: {receivers: [otlp], exporters: [debug]}}
`

func startCollector(ctx context.Context, dir string) (address string, leave func() error, err error) {
	path, err := builtServer("otelcol")
	if err != nil {
		return "", nil, err
	}
	port, err := freePort()
	if err != nil {
		return "", nil, err
	}
	config := filepath.Join(dir, "collector.yaml")
	text := fmt.Sprintf(collectorConfig, net.JoinHostPort("127.0.0.1", port))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return "", nil, err
	}
	place, leave, err := serve(ctx, exec.CommandContext(ctx, path, "--config", config), port)
	return "http://" + place + "/v1/logs", leave, err
}
