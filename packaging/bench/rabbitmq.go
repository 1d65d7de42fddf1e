// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/genltestd/genltestd/internal/rabbitmq"
)

// startRabbitMQ starts a node of RabbitMQ with a durable queue that receives the events. It deletes old
// messages, so that the memory of the node does not grow.
func startRabbitMQ(ctx context.Context, dir string) (address string, leave func() error, err error) {
	var ports [3]string // of the port mapper, the distribution and AMQP
	for i := range ports {
		if ports[i], err = freePort(); err != nil {
			return "", nil, err
		}
	}
	config := fmt.Sprintf("[{rabbit, [{tcp_listeners, [{\"127.0.0.1\", %s}]}, {loopback_users, []}]}].\n", ports[2])
	for name, text := range map[string]string{"rabbitmq.config": config, "enabled_plugins": "[].\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return "", nil, err
		}
	}
	_, leaveMapper, err := serve(ctx, exec.CommandContext(ctx, "epmd", "-address", "127.0.0.1", "-port", ports[0]), ports[0])
	if err != nil {
		return "", nil, fmt.Errorf("%w; run packaging/servers/install", err)
	}
	node := exec.CommandContext(ctx, rabbitmq.Program)
	node.Env = append(os.Environ(), rabbitmq.Environment(dir, ports[0], ports[1])...)
	place, leaveNode, err := serve(ctx, node, ports[2])
	if err != nil {
		return "", nil, errors.Join(err, leaveMapper())
	}
	leave = func() error { return errors.Join(leaveNode(), leaveMapper()) }
	if err := declareQueue("amqp://" + place); err != nil {
		return "", nil, errors.Join(err, leave())
	}
	return "amqp://" + place, leave, nil
}

func declareQueue(url string) error {
	c, err := amqp091.Dial(url)
	if err != nil {
		return err
	}
	defer c.Close()
	ch, err := c.Channel()
	if err != nil {
		return err
	}
	const queue = "events"
	if _, err := ch.QueueDeclare(queue, true, false, false, false, amqp091.Table{"x-max-length": 10_000}); err != nil {
		return err
	}
	return ch.QueueBind(queue, "#", "amq.topic", false, nil)
}
