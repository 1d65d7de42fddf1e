// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/event"
	"github.com/genltestd/genltestd/daemon/genl"
	"github.com/genltestd/genltestd/daemon/journal"
	"github.com/genltestd/genltestd/daemon/record"
	"github.com/genltestd/genltestd/daemon/ynl"
)

const listenHelp = `Print the multicast events of a generic netlink family until the command is interrupted.

Without FAMILY, the family is genltest. Without GROUP, the events of all groups are
printed. The command receives from the kernel, without the daemon and without effect on
it. It reports on standard error when the kernel dropped events, and when the family is
unregistered and registered again. Some groups require CAP_NET_ADMIN.`

// listenBuffer is the requested size of the receive buffer, as that of the daemon.
const listenBuffer = 16 << 20

// dropInterval is the interval between checks for dropped events.
const dropInterval = time.Second

func (s *session) listen() *cobra.Command {
	limit := uint64(0)
	cmd := &cobra.Command{
		Use: "listen [FAMILY [GROUP]]", Short: "Print the events of a family, without the daemon", Long: listenHelp,
		Args: usageArgs(cobra.MaximumNArgs(2)), ValidArgsFunction: s.completeGroup,
		RunE: func(cmd *cobra.Command, args []string) error {
			target := genl.Genltest
			if len(args) > 0 {
				target = genl.Target{Family: args[0]}
			}
			if len(args) > 1 {
				target.Groups = args[1:]
			}
			return s.withKernel(func(kernel controller) error { return s.listenTo(cmd.Context(), kernel, target, limit) })
		},
	}
	cmd.Flags().Uint64VarP(&limit, "limit", "n", 0, "stop after this number of events; 0 continues until the command is interrupted")
	return cmd
}

// listenTo prints events until ctx ends, or until it has printed limit events unless that is 0.
func (s *session) listenTo(ctx context.Context, kernel controller, t genl.Target, limit uint64) (err error) {
	family, err := findFamily(ctx, kernel, t.Family)
	if err != nil {
		return err
	}
	memory, err := unix.Mmap(-1, 0, genl.BatchBytes(t), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return fmt.Errorf("allocate the memory for events: %w", err)
	}
	batch, err := genl.NewBatch(memory, t)
	if err != nil {
		return err
	}
	batch.Clear()
	socket, report, err := genl.OpenEventSocket(t, listenBuffer, batch)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, socket.Close()) }()
	l := &listener{session: s, target: t, socket: socket, batch: batch, out: s.writer(), limit: limit, decoder: localDecoder(s)}
	if err := l.subscribe(family.ID, family.Groups); err != nil {
		return err
	}
	buffer := bytesText(int64(report.BufferBytes))
	s.complain([]string{fmt.Sprintf("listening to %s with a receive buffer of %s; interrupt to stop", t.Family, buffer)})
	return l.run(ctx)
}

// localDecoder decodes messages by the specifications that are built in or installed.
func localDecoder(s *session) *record.Decoder {
	specs := map[string]*ynl.Spec{}
	return &record.Decoder{
		OriginOf: func(uint64) (*event.Origin, string) { return nil, "" },
		SpecOf: func(family string) *ynl.Spec {
			spec, searched := specs[family]
			if !searched {
				var err error
				if spec, _, err = ynl.Find(family, ynl.Places()); err != nil && !errors.Is(err, ynl.ErrNotFound) {
					s.complain([]string{"warning: " + err.Error()})
				}
				specs[family] = spec
			}
			return spec
		},
	}
}

// A listener prints the events of one family.
type listener struct {
	*session
	target  genl.Target
	socket  *genl.EventSocket
	batch   *genl.Batch
	out     *writer
	decoder *record.Decoder
	limit   uint64

	family  uint16            // 0 while it is not registered
	groups  map[uint32]string // names of the groups
	printed uint64
	dropped uint32 // as the socket counts it
}

// subscribe joins the chosen groups of the family.
func (l *listener) subscribe(family uint16, groups []genl.Group) error {
	chosen, missing := l.target.Choose(groups)
	if len(missing) > 0 {
		const text = "family %s does not have the group %q; see genltestctl family show %[1]s"
		return kernelError{fmt.Sprintf(text, l.target.Family, missing[0]), exitNoInput}
	}
	if len(chosen) == 0 {
		return kernelError{fmt.Sprintf("family %s does not have a multicast group, so it sends no events", l.target.Family), exitNoInput}
	}
	l.family, l.groups = family, map[uint32]string{}
	var ids []uint32
	for _, g := range chosen {
		l.groups[g.ID] = g.Name
		ids = append(ids, g.ID)
	}
	_, err := l.socket.SetGroups(ids...)
	return err
}

func (l *listener) run(ctx context.Context) error {
	defer context.AfterFunc(ctx, func() { _ = l.socket.Interrupt() })() // the deadline of Resume ends the wait too
	for {
		err := l.socket.Resume(dropInterval)
		if ctx.Err() == nil && err == nil {
			err = l.socket.Receive(l.receive)
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = nil
		}
		if err == nil || errors.Is(err, errEnough) {
			err = errors.Join(err, l.reportDrops(), l.out.flush())
		}
		switch {
		case errors.Is(err, errEnough):
			return nil
		case err != nil || ctx.Err() != nil:
			return err
		}
	}
}

// reportDrops prints how many messages the kernel has dropped since the last call.
func (l *listener) reportDrops() error {
	now, err := l.socket.Drops()
	if err != nil || now == l.dropped {
		return err
	}
	n := now - l.dropped // modulo 2^32
	l.dropped = now
	if l.out.format == outputJSON {
		return l.out.json(listenForm{Time: time.Now(), Family: l.target.Family, Dropped: n})
	}
	l.complain([]string{fmt.Sprintf("the kernel dropped %d messages: the receive buffer was full", n)})
	return nil
}

func (l *listener) receive(messages []genl.Message) error {
	for i := range messages {
		if err := l.message(&messages[i]); err != nil {
			return err
		}
	}
	l.batch.Clear()
	return l.out.flush()
}

// message prints a message that is an event, and follows the registrations of the family.
func (l *listener) message(m *genl.Message) error {
	verdict, data := genl.ClassifyOther(m, l.family, genl.Kernel), m.Data
	if l.target.IsGenltest() {
		verdict, _ = genl.Classify(m, l.family, genl.Kernel)
	} else {
		data = genl.AppendMulticast(nil, &genl.Multicast{Family: l.target.Family, Group: l.groups[m.Group], Message: data})
	}
	switch verdict {
	case genl.Event:
	case genl.Notification:
		return l.follow(m.Data)
	default:
		return nil
	}
	e, err := l.decoder.Decode(journal.Record{Time: time.Now(), Data: data})
	if err != nil {
		return err
	}
	if err := l.print(&e); err != nil {
		return err
	}
	if l.printed++; l.printed == l.limit {
		return errEnough
	}
	return nil
}

// follow applies a notification of nlctrl.
func (l *listener) follow(notification []byte) error {
	change, err := genl.ParseNotification(l.target, notification)
	switch {
	case err != nil:
		return fmt.Errorf("notification about families: %w", err)
	case change.Kind == genl.Registered:
		err := l.subscribe(change.IDs.ID, change.IDs.Groups)
		if err == nil {
			l.complain([]string{"family " + l.target.Family + " is registered again"})
		}
		return err
	case change.Kind == genl.Unregistered && change.IDs.ID == l.family:
		l.complain([]string{"family " + l.target.Family + " is no longer registered"})
		l.family = 0
	}
	return nil
}

// completeGroup completes a family and then one of its groups.
func (s *session) completeGroup(cmd *cobra.Command, args []string, part string) (names []string, _ cobra.ShellCompDirective) {
	if len(args) != 1 {
		return s.completeFamily(cmd, args, part)
	}
	err := s.withKernel(func(kernel controller) error {
		family, err := findFamily(cmd.Context(), kernel, args[0])
		for _, g := range family.Groups {
			names = append(names, visible(g.Name))
		}
		return err
	})
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
