// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kfake"
)

func newCluster(o *options) (*kfake.Cluster, error) {
	all := []kfake.Opt{kfake.WithLogger(kfake.BasicLogger(os.Stderr, kfake.LogLevel(o.level)))}
	for _, part := range []func(*options) ([]kfake.Opt, error){brokers, storage, users, topics} {
		opts, err := part(o)
		if err != nil {
			return nil, err
		}
		all = append(all, opts...)
	}
	if o.cert != "" {
		config, err := tlsConfig(o)
		if err != nil {
			return nil, err
		}
		all = append(all, kfake.TLS(config))
	}
	return kfake.NewCluster(all...)
}

// brokers returns the options of the listeners.
func brokers(o *options) ([]kfake.Opt, error) {
	advertised := o.advertise
	if len(advertised) == 0 {
		advertised = o.listen
	}
	if len(o.listen) == 0 || len(advertised) != len(o.listen) {
		return nil, errors.New("-listen needs an address for each broker, and -advertise as many")
	}
	ports := make([]int, len(o.listen))
	for i, address := range o.listen {
		_, port, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		if ports[i], err = strconv.Atoi(port); err != nil {
			return nil, err
		}
	}
	listen := func(network, address string) (net.Listener, error) {
		l, err := net.Listen(network, address)
		if err != nil {
			return nil, err
		}
		for i := range o.listen {
			if o.listen[i] == address {
				return &advertisedListener{l, advertised[i]}, nil
			}
		}
		return l, nil
	}
	return []kfake.Opt{kfake.Ports(ports...), kfake.ListenFn(listen)}, nil
}

// An advertisedListener has another address than its socket: the cluster passes it to clients.
type advertisedListener struct {
	net.Listener
	address string
}

// Addr implements net.Listener.
func (l *advertisedListener) Addr() net.Addr { return advertisedAddr(l.address) }

type advertisedAddr string

// Network implements net.Addr.
func (advertisedAddr) Network() string { return "tcp" }

// String implements net.Addr.
func (a advertisedAddr) String() string { return string(a) }

func storage(o *options) (opts []kfake.Opt, _ error) {
	if o.data != "" {
		opts = append(opts, kfake.DataDir(o.data))
	}
	if o.sync {
		opts = append(opts, kfake.SyncWrites())
	}
	configs := make(map[string]string)
	for _, text := range o.configs {
		key, value, ok := strings.Cut(text, "=")
		if !ok {
			return nil, fmt.Errorf("-config %q: write KEY=VALUE", text)
		}
		configs[key] = value
	}
	return append(opts, kfake.BrokerConfigs(configs)), nil
}

func users(o *options) (opts []kfake.Opt, _ error) {
	if o.acls {
		opts = append(opts, kfake.EnableACLs())
	}
	if len(o.superusers)+len(o.users) > 0 {
		opts = append(opts, kfake.EnableSASL())
	}
	for i, text := range append(o.superusers, o.users...) {
		parts := strings.SplitN(text, ":", 3)
		if len(parts) != 3 {
			return nil, fmt.Errorf("user %q: write METHOD:USER:PASSWORD", text)
		}
		if i < len(o.superusers) {
			opts = append(opts, kfake.Superuser(parts[0], parts[1], parts[2]))
		} else {
			opts = append(opts, kfake.User(parts[0], parts[1], parts[2]))
		}
	}
	return opts, nil
}

func topics(o *options) (opts []kfake.Opt, _ error) {
	if o.create {
		opts = append(opts, kfake.AllowAutoTopicCreation())
	}
	for _, text := range o.topics {
		name, partitions, err := topic(text)
		if err != nil {
			return nil, err
		}
		opts = append(opts, kfake.SeedTopics(partitions, name))
	}
	return opts, nil
}

// topic parses NAME:PARTITIONS.
func topic(text string) (name string, partitions int32, err error) {
	name, number, _ := strings.Cut(text, ":")
	n, err := strconv.ParseInt(number, 10, 32)
	if err != nil || name == "" || n < 1 {
		return "", 0, fmt.Errorf("topic %q: write NAME:PARTITIONS", text)
	}
	return name, int32(n), nil
}

// tlsConfig reads the files of the certificate for each connection, so that it can be rotated.
func tlsConfig(o *options) (*tls.Config, error) {
	config := &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			pair, err := tls.LoadX509KeyPair(o.cert, o.key)
			return &pair, err
		},
	}
	if o.clientCA == "" {
		return config, nil
	}
	text, err := os.ReadFile(o.clientCA)
	if err != nil {
		return nil, err
	}
	config.ClientCAs, config.ClientAuth = x509.NewCertPool(), tls.RequireAndVerifyClientCert
	if !config.ClientCAs.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s contains no certificate", o.clientCA)
	}
	return config, nil
}
