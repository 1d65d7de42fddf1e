// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"
	"time"

	client "github.com/gomodule/redigo/redis"

	"github.com/genltestd/genltestd/config/value"
	"github.com/genltestd/genltestd/daemon/journal"
	"github.com/genltestd/genltestd/daemon/sink/redis"
)

const redisStream = "genltestd"

// redisConfig returns the default configuration of the sink.
func redisConfig(address string) *redis.Config {
	return &redis.Config{Address: value.Address(address), Stream: redisStream, IDField: "id", EventField: "event"}
}

// publishWithRedis adds entries of the size of an event in pipelines without transactions, which
// is the fastest publisher of the library.
func publishWithRedis(t task) error {
	_, place, _ := strings.Cut(t.to, "://")
	c, err := client.Dial("tcp", place)
	if err != nil {
		return err
	}
	defer c.Close()
	now := time.Now()
	e, err := decoder("6a9155caa46c7dcc")(journal.Record{Seq: 1, Time: now, Data: message(t.text, 1, uint64(now.UnixNano()))})
	if err != nil {
		return err
	}
	id, text := e.AppendID(nil), e.AppendJSON(nil)
	wall, cpu, err := timeOf(t, func() error {
		for left := t.events; left > 0; left -= t.batch {
			if err := pipeline(c, min(left, t.batch), redisStream, "*", "id", id, "event", text); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	fmt.Printf("delivered %d ns %d cpu %d p50 0 p99 0 fed 0\n", t.events, wall, cpu)
	return nil
}

// pipeline sends n times XADD and reads the answers.
func pipeline(c client.Conn, n int, args ...any) error {
	for range n {
		if err := c.Send("XADD", args...); err != nil {
			return err
		}
	}
	if err := c.Flush(); err != nil {
		return err
	}
	for range n {
		if _, err := c.Receive(); err != nil {
			return err
		}
	}
	return nil
}
