// SPDX-License-Identifier: Apache-2.0

// Command kfake-server is a Kafka cluster in one process for tests. Its brokers write to a data
// directory, so the process can be killed and started again. Clients of tests can make it fail
// through a control socket.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

// options are the flags.
type options struct {
	listen, advertise   list // addresses, one for each broker
	data, control       string
	cert, key, clientCA string
	superusers, users   list // METHOD:USER:PASSWORD
	topics              list // NAME:PARTITIONS
	configs             list // KEY=VALUE
	token               string
	sync, acls, create  bool
	level               int
}

// A list is a flag that can be repeated, and whose values can be separated by commas.
type list []string

// String implements flag.Value.
func (l *list) String() string { return strings.Join(*l, ",") }

// Set implements flag.Value.
func (l *list) Set(text string) error {
	*l = append(*l, strings.Split(text, ",")...)
	return nil
}

func main() {
	var o options
	flag.Var(&o.listen, "listen", "`addresses` on 127.0.0.1, one for each broker")
	flag.Var(&o.advertise, "advertise", "`addresses` that clients connect to, such as those of proxies; by default those of -listen")
	flag.StringVar(&o.data, "data", "", "`directory` that keeps the data over restarts")
	flag.BoolVar(&o.sync, "sync", false, "sync each batch to the disk")
	flag.StringVar(&o.control, "control", "", "`path` of the control socket")
	flag.StringVar(&o.cert, "cert", "", "`file` with the certificate, read for each connection; enables TLS")
	flag.StringVar(&o.key, "key", "", "`file` with the private key")
	flag.StringVar(&o.clientCA, "client-ca", "", "`file` with the authority that certificates of clients must have")
	flag.Var(&o.superusers, "superuser", "`METHOD:USER:PASSWORD` of a user with all rights; enables SASL")
	flag.Var(&o.users, "user", "`METHOD:USER:PASSWORD` of a user without rights if -acls is set; enables SASL")
	flag.StringVar(&o.token, "token", "", "`TOKEN` of OAUTHBEARER; other mechanisms are then not accepted")
	flag.BoolVar(&o.acls, "acls", false, "check the rights of users")
	flag.Var(&o.topics, "topic", "`NAME:PARTITIONS` of a topic")
	flag.BoolVar(&o.create, "create", false, "create topics that clients name")
	flag.Var(&o.configs, "config", "`KEY=VALUE` of a broker, such as message.max.bytes=100000")
	flag.IntVar(&o.level, "log", 1, "`level` of the log, from 0 for nothing to 4")
	flag.Parse()
	if err := run(&o); err != nil {
		fmt.Fprintln(os.Stderr, "kfake-server:", err)
		os.Exit(1)
	}
}

func run(o *options) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	c, err := newCluster(o)
	if err != nil {
		return err
	}
	defer c.Close()
	if o.token != "" {
		acceptToken(c, o.token)
	}
	if o.control != "" {
		listener, err := listen(o.control)
		if err != nil {
			return err
		}
		defer listener.Close()
		go (&control{cluster: c}).serve(listener)
	}
	fmt.Println("ready")
	<-ctx.Done()
	return nil
}
