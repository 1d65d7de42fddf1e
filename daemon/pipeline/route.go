// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"errors"
	"reflect"
	"time"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/delivery"
	"github.com/genltestd/genltestd/daemon/sink"
)

// route returns the route of a sink. It reuses the parts of before that the configuration
// does not change: connections stay open, and rules keep their state. before is nil for a
// new sink. The error is a sink.OptionError if the configuration is at fault.
func (s *Set) route(c *compiled, before *Setup) (delivery.Route, error) {
	c.rules.SetSteady(s.Clock.Steady)
	route := delivery.Route{Options: deliveryOptions(c.cfg), Rules: c.rules}
	if before != nil && RuleOptions(&before.Sink) == RuleOptions(c.cfg) {
		route.Rules = before.Route.Rules
	}
	if before != nil && reflect.DeepEqual(destination(before.Sink), destination(*c.cfg)) {
		route.Sinks = before.Route.Sinks
		return route, nil
	}
	for i := range c.cfg.Workers {
		created, err := s.NewSink(c.cfg, c.encoderOf(i))
		if err != nil {
			return route, errors.Join(err, sink.CloseAll(route.Sinks))
		}
		route.Sinks = append(route.Sinks, created)
	}
	return route, nil
}

// destination returns the configuration of a sink without the keys that a sink.Sink does
// not depend on. A key that is missing here only costs a new connection at a reload.
func destination(c config.Sink) config.Sink {
	c.Start, c.Overflow, c.DeadLetters = "", "", config.DeadLetters{}
	c.Filter, c.Extract, c.Sample, c.Dedup, c.RateLimit = "", "", 0, config.Dedup{}, config.RateLimit{}
	c.BatchEvents, c.BatchBytes, c.BatchWait, c.AttemptTimeout, c.RetryMin, c.RetryMax = 0, 0, 0, 0, 0, 0
	c.MaxLagBytes, c.MaxAge = 0, 0
	return c
}

func deliveryOptions(c *config.Sink) delivery.Options {
	return delivery.Options{
		BatchEvents:    c.BatchEvents,
		BatchBytes:     int(c.BatchBytes),
		BatchWait:      time.Duration(c.BatchWait),
		AttemptTimeout: time.Duration(c.AttemptTimeout),
		RetryMin:       time.Duration(c.RetryMin),
		RetryMax:       time.Duration(c.RetryMax),
		MaxLagBytes:    int64(c.MaxLagBytes),
		MaxAge:         time.Duration(c.MaxAge),
	}
}
