// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A control answers commands on a socket, one line each. The answer is "ok", or "error: " and the
// reason:
//
//	shuffle                    moves all partitions to other leaders
//	fail ERROR COUNT [TOPIC]   answers COUNT requests to produce with this error, such as
//	                           NOT_LEADER_FOR_PARTITION; -1: until clear. After REQUEST_TIMED_OUT
//	                           the records are stored nevertheless.
//	clear                      ends all faults of fail
//	create NAME:PARTITIONS     creates a topic
//	delete NAME                deletes a topic
type control struct {
	cluster *kfake.Cluster
	faults  []*kfake.FaultHandle
}

func listen(path string) (net.Listener, error) {
	// An earlier process may have been killed.
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return net.Listen("unix", path)
}

// serve answers one client at a time, until l is closed.
func (s *control) serve(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		s.answer(conn)
	}
}

func (s *control) answer(conn net.Conn) {
	defer conn.Close()
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		answer := "ok"
		if err := s.command(strings.Fields(lines.Text())); err != nil {
			answer = "error: " + err.Error()
		}
		if _, err := fmt.Fprintln(conn, answer); err != nil {
			return
		}
	}
}

func (s *control) command(words []string) error {
	switch {
	case len(words) == 1 && words[0] == "shuffle":
		s.cluster.ShufflePartitionLeaders()
	case len(words) == 1 && words[0] == "clear":
		for _, f := range s.faults {
			f.Remove()
		}
		s.faults = nil
	case (len(words) == 3 || len(words) == 4) && words[0] == "fail":
		return s.fail(words[1], words[2], words[3:])
	case len(words) == 2 && words[0] == "create":
		name, partitions, err := topic(words[1])
		if err != nil {
			return err
		}
		return s.cluster.CreateTopic(name, partitions, nil)
	case len(words) == 2 && words[0] == "delete":
		return s.cluster.DeleteTopic(words[1])
	default:
		return fmt.Errorf("command %q is not known", words)
	}
	return nil
}

func (s *control) fail(name, count string, topics []string) error {
	n, err := strconv.Atoi(count)
	if err != nil {
		return err
	}
	e, err := errorNamed(name)
	if err != nil {
		return err
	}
	fault := kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: e, Count: n}
	if len(topics) > 0 {
		fault.Topic = topics[0]
	}
	s.faults = append(s.faults, s.cluster.Fault(fault))
	return nil
}

// errorNamed returns the error of the protocol with this name.
func errorNamed(name string) (*kerr.Error, error) {
	for code := int16(-1); code < 1000; code++ {
		if code == 0 {
			continue
		}
		if e := kerr.TypedErrorForCode(code); e.Message == name {
			return e, nil
		}
	}
	return nil, fmt.Errorf("error %q is not known", name)
}
