// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// The listeners that serve operators.
const (
	ListenerHTTP    = "http"    // the pages
	ListenerControl = "control" // the unix socket of genltestctl
)

// RegisterListeners registers a metric that reports for each listener whether it accepts
// connections.
func RegisterListeners(reg prometheus.Registerer, listening func(listener string) bool) error {
	for _, name := range []string{ListenerHTTP, ListenerControl} {
		err := reg.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Namespace: namespace, Name: "listening", ConstLabels: prometheus.Labels{"listener": name},
			Help: "1 while the listener accepts connections: http serves the pages, control is the socket of genltestctl. 0 " +
				"while its address cannot be bound, or http.listen is empty.",
		}, func() float64 { return truth(listening(name)) }))
		if err != nil {
			return fmt.Errorf("register the metric of listeners: %w", err)
		}
	}
	return nil
}
