// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// valueOf returns the value of a counter or a gauge.
func valueOf(m prometheus.Metric) float64 {
	var v dto.Metric
	if err := m.Write(&v); err != nil {
		panic(err) // the metrics of this package always have a value
	}
	return v.GetCounter().GetValue() + v.GetGauge().GetValue() // one of them is nil
}

// valuesOf returns the values of a vector of counters by their label. It must have one label.
func valuesOf(c prometheus.Collector) map[string]float64 {
	values, list := map[string]float64{}, make(chan prometheus.Metric)
	go func() {
		defer close(list)
		c.Collect(list)
	}()
	for m := range list {
		var v dto.Metric
		if err := m.Write(&v); err != nil {
			panic(err) // see valueOf
		}
		values[v.GetLabel()[0].GetValue()] = v.GetCounter().GetValue()
	}
	return values
}

// A Bucket is the number of observations up to a limit.
type Bucket struct {
	Limit float64
	Count uint64
}

// A Distribution contains the values of a histogram at one time.
type Distribution struct {
	Count   uint64
	Sum     float64
	Buckets []Bucket // cumulative; without the bucket of all observations
}

// DistributionOf returns the values of a histogram.
func DistributionOf(o prometheus.Observer) (d Distribution) {
	var v dto.Metric
	m, ok := o.(prometheus.Metric)
	if !ok || m.Write(&v) != nil {
		return d
	}
	h := v.GetHistogram()
	d.Count, d.Sum = h.GetSampleCount(), h.GetSampleSum()
	for _, b := range h.GetBucket() {
		d.Buckets = append(d.Buckets, Bucket{b.GetUpperBound(), b.GetCumulativeCount()})
	}
	return d
}
