// SPDX-License-Identifier: Apache-2.0

package genl

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/mdlayher/genetlink"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// A FamilyInfo is what nlctrl reports about a registered family. Names are untrusted: a
// kernel module defines them.
type FamilyInfo struct {
	Name        string
	ID          uint16
	Version     uint32
	HeaderBytes uint32 // between the header of generic netlink and the attributes
	MaxAttr     uint32 // the largest attribute number of the family; 0 if each operation has its own
	Operations  []Operation
	Groups      []Group
}

// An Operation is a command that the kernel accepts from programs.
type Operation struct {
	ID    uint8
	Flags OperationFlags
}

// OperationFlags describe an operation.
type OperationFlags uint32

// The flags of operations.
const (
	AdminPerm          = OperationFlags(unix.GENL_ADMIN_PERM)     // requires CAP_NET_ADMIN in the initial user namespace
	CanDo              = OperationFlags(unix.GENL_CMD_CAP_DO)     // accepts requests
	CanDump            = OperationFlags(unix.GENL_CMD_CAP_DUMP)   // accepts requests for all objects
	HasPolicy          = OperationFlags(unix.GENL_CMD_CAP_HASPOL) // checks attributes by a policy
	NamespaceAdminPerm = OperationFlags(unix.GENL_UNS_ADMIN_PERM) // requires CAP_NET_ADMIN in the user namespace of the network namespace
)

// A Group is a multicast group.
type Group struct {
	Name string
	ID   uint32
}

// ErrNoIntrospection reports that the kernel does not report policies: it is older than
// Linux 5.8.
var ErrNoIntrospection = errors.New("this kernel does not report policies; Linux 5.8 or newer is required")

// A Controller reads the state of nlctrl over its own socket. It is not safe for
// concurrent use, and must be closed after an error: a late reply would otherwise be read
// as the next one.
type Controller struct{ conn controllerConn }

// controllerConn is the part of a *genetlink.Conn that a Controller uses.
type controllerConn interface {
	SetDeadline(t time.Time) error
	Execute(m genetlink.Message, family uint16, flags netlink.HeaderFlags) ([]genetlink.Message, error)
	Close() error
}

var _ controllerConn = (*genetlink.Conn)(nil)

// OpenController opens the socket. It requires no capability.
func OpenController() (*Controller, error) {
	conn, err := genetlink.Dial(nil)
	if err != nil {
		return nil, fmt.Errorf("open a generic netlink socket: %w", err)
	}
	return &Controller{conn}, nil
}

// Close closes the socket.
func (c *Controller) Close() error { return c.conn.Close() }

// Families returns the families that are visible in the network namespace of the
// process, in the order of the kernel. It lists all of them, because a request for one
// name would load a module: see resolve.
func (c *Controller) Families(ctx context.Context) ([]FamilyInfo, error) {
	replies, err := c.dump(ctx, unix.CTRL_CMD_GETFAMILY, nil)
	if err != nil {
		return nil, fmt.Errorf("list the generic netlink families: %w", err)
	}
	families := make([]FamilyInfo, 0, len(replies))
	for _, reply := range replies {
		f, err := ParseFamily(reply)
		if err != nil {
			return nil, fmt.Errorf("list the generic netlink families: %w", err)
		}
		families = append(families, f)
	}
	return families, nil
}

// Policies returns the policies of a family, which may be empty. It returns
// ErrNoIntrospection if the kernel is too old, and an error that matches os.ErrNotExist if
// the family is not registered any more.
func (c *Controller) Policies(ctx context.Context, family FamilyInfo) (Policies, error) {
	ae := netlink.NewAttributeEncoder()
	ae.Uint16(unix.CTRL_ATTR_FAMILY_ID, family.ID)
	request, err := ae.Encode()
	if err != nil {
		return Policies{}, fmt.Errorf("encode the request for policies: %w", err)
	}
	replies, err := c.dump(ctx, unix.CTRL_CMD_GETPOLICY, request)
	switch {
	case errors.Is(err, unix.ENODATA):
		return Policies{}, nil
	case errors.Is(err, unix.EOPNOTSUPP):
		return Policies{}, ErrNoIntrospection
	case err != nil:
		return Policies{}, fmt.Errorf("read the policies of family %s: %w", family.Name, err)
	}
	policies, err := ParsePolicies(replies, family.Operations)
	if err != nil {
		return Policies{}, fmt.Errorf("read the policies of family %s: %w", family.Name, err)
	}
	return policies, nil
}

// dump sends a request to nlctrl and returns the attributes of each reply. It waits until
// ctx ends, and at most for resolveTimeout.
func (c *Controller) dump(ctx context.Context, command uint8, attrs []byte) ([][]byte, error) {
	if err := c.conn.SetDeadline(time.Now().Add(resolveTimeout)); err != nil {
		return nil, fmt.Errorf("set a deadline: %w", err)
	}
	defer context.AfterFunc(ctx, func() {
		_ = c.conn.SetDeadline(time.Unix(1, 0)) // fails only on a closed socket, which ends the wait too
	})()
	request := genetlink.Message{Header: genetlink.Header{Command: command, Version: 1}, Data: attrs}
	replies, err := c.conn.Execute(request, controllerID, netlink.Request|netlink.Dump)
	if err != nil {
		if ctx.Err() != nil && errors.Is(err, os.ErrDeadlineExceeded) {
			err = context.Cause(ctx)
		}
		return nil, err
	}
	list := make([][]byte, len(replies))
	for i := range replies {
		list[i] = replies[i].Data
	}
	return list, nil
}
