// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"errors"
	"reflect"
	"time"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/delivery"
	"github.com/genltestd/genltestd/daemon/match"
	"github.com/genltestd/genltestd/daemon/pipeline"
	"github.com/genltestd/genltestd/daemon/sink"
)

// router returns the router of the sinks of a configuration.
func (d *Daemon) router(cfg *config.Config) pipeline.Router {
	compiler := newCompiler(cfg)
	return func(c *config.Sink, before *pipeline.Setup) (delivery.Route, error) {
		return d.newRoute(c, before, compiler)
	}
}

// newRoute implements pipeline.Router.
func (d *Daemon) newRoute(c *config.Sink, before *pipeline.Setup, compiler *match.Compiler) (delivery.Route, error) {
	route := delivery.Route{Options: deliveryOptions(c)}
	if before != nil && ruleOptions(&before.Sink) == ruleOptions(c) {
		route.Rules = before.Route.Rules
	} else {
		rules, err := newRules(c, compiler)
		if err != nil {
			return route, err
		}
		rules.SetSteady(d.clock.Steady)
		route.Rules = rules
	}
	if before != nil && reflect.DeepEqual(place(before.Sink), place(*c)) {
		route.Sinks = before.Route.Sinks
		return route, nil
	}
	for range c.Workers {
		s, err := newSink(c, &d.opts)
		if err != nil {
			return route, errors.Join(err, sink.CloseAll(route.Sinks))
		}
		route.Sinks = append(route.Sinks, s)
	}
	return route, nil
}

// place takes out of a sink's configuration all that a sink.Sink knows nothing of. What
// is forgotten here costs a connection at a reload, and nothing worse.
func place(c config.Sink) config.Sink {
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
