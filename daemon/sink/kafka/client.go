// SPDX-License-Identifier: Apache-2.0

package kafka

import (
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// maxBuffered is more than the number of records of a batch. The client never has more.
const maxBuffered = 1 << 20

// newClient returns a client that connects when it first sends.
//
// The client must never give up a record that may have been sent: another attempt would send
// it a second time, and the brokers could not recognize that. So no record has a deadline, a
// limit of retries or a context that ends. The client sends it, with the same sequence
// number, until a broker has accepted or definitely refused it.
//
// The client sends only while Flush runs, and receives new records only after the last one has a
// result. So neither a new record nor another batch of its partition overtakes a refused batch: the
// client fails all of them, and the broker refuses those in flight, whose numbers do not follow.
func (s *Sink) newClient() (*kgo.Client, error) {
	c := s.config
	opts := []kgo.Opt{
		kgo.SeedBrokers(c.places()...),
		kgo.ClientID(c.ClientID),
		kgo.SoftwareNameAndVersion("genltestd", softwareVersion(s.env.Version)),
		kgo.Dialer(s.link.dial),
		kgo.WithLogger(s.watcher),
		kgo.WithHooks(s.watcher),
		kgo.DisableClientMetrics(),
		kgo.MetadataMinAge(500 * time.Millisecond),

		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)), // as the clients in Java
		kgo.ProducerBatchCompression(codec(c.Compression)),
		kgo.ProducerBatchMaxBytes(int32(c.MaxMessage)),
		kgo.BrokerMaxWriteBytes(max(100<<20, 2*int32(c.MaxMessage))),
		kgo.MaxBufferedRecords(maxBuffered),
		kgo.UnknownTopicRetries(-1),
		kgo.ManualFlushing(),
		kgo.ProducerLinger(0),
		kgo.ProducerOnDataLossDetected(s.watcher.lost),
	}
	if m := s.holder.mechanism(&c.SASL); m != nil {
		opts = append(opts, kgo.SASL(m))
	}
	if c.CreateTopic {
		opts = append(opts, kgo.AllowAutoTopicCreation())
	}
	client, err := kgo.NewClient(opts...)
	if err != nil {
		return nil, errors.New(s.where() + ": create a client: " + s.env.Mask.Clean(err.Error(), maxError))
	}
	return client, nil
}

func (c *Config) places() []string {
	list := make([]string, len(c.Addresses))
	for i, a := range c.Addresses {
		_, list[i] = a.Split()
	}
	return list
}

func codec(name string) kgo.CompressionCodec {
	switch name {
	case "gzip":
		return kgo.GzipCompression()
	case "snappy":
		return kgo.SnappyCompression()
	case "lz4":
		return kgo.Lz4Compression()
	case "zstd":
		return kgo.ZstdCompression()
	}
	return kgo.NoCompression()
}

// softwareVersion returns a text that Kafka accepts.
func softwareVersion(version string) string {
	if version == "" || !isPlain(version) {
		return "unknown"
	}
	return version
}
