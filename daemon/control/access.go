// SPDX-License-Identifier: Apache-2.0

package control

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/user"
	"slices"
	"strconv"

	"github.com/genltestd/genltestd/daemon/control/api"
	"github.com/genltestd/genltestd/daemon/ratelog"
	"github.com/genltestd/genltestd/daemon/unixsocket"
)

// An access decides who may change something: root, the user of the daemon, and the members of
// the operator group. The kernel reports the user and the groups of the client. All who can
// connect may read.
type access struct {
	group    func() string // name of the operator group, which may be empty
	log      *slog.Logger
	refusals *ratelog.Logger
}

func newAccess(group func() string, log *slog.Logger) *access {
	return &access{group, log, ratelog.New(log)}
}

type peerKey struct{}

// withPeer implements httpserver.Options.ConnContext: it stores the client in the context of the
// requests of a connection.
func (a *access) withPeer(ctx context.Context, c net.Conn) context.Context {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return ctx
	}
	peer, err := unixsocket.PeerOf(u)
	if err != nil {
		a.refusals.Error("the client of the control socket is unknown, so it can change nothing", "error", err)
		return ctx
	}
	return context.WithValue(ctx, peerKey{}, peer)
}

// operator returns a handler that refuses the clients that are not operators.
func (a *access) operator(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := a.check(r.Context()); err != nil {
			a.refusals.Warn("refused a request of a client that is not an operator",
				append(caller(r), "method", r.Method, "path", r.URL.EscapedPath())...)
			refuse(w, &api.Error{Status: http.StatusForbidden, Message: err.Error()})
			return
		}
		next(w, r)
	}
}

// check returns why a client is not an operator, with the remedy.
func (a *access) check(ctx context.Context) error {
	peer, ok := ctx.Value(peerKey{}).(unixsocket.Peer)
	if !ok {
		return fmt.Errorf("permission denied: the kernel did not report the user of the client; see the log of the daemon")
	}
	if peer.UID == 0 || int(peer.UID) == os.Geteuid() {
		return nil
	}
	name, who := a.group(), userName(peer.UID)
	if name == "" {
		return fmt.Errorf("permission denied: user %s: only root may do this, because control.operator_group is empty", who)
	}
	group, err := user.LookupGroup(name)
	if err != nil {
		return fmt.Errorf("permission denied: user %s: the group %s of control.operator_group does not exist; "+
			"create it with: groupadd --system %[2]s", who, name)
	}
	gid, err := strconv.ParseUint(group.Gid, 10, 32)
	if err != nil || !slices.Contains(peer.Groups, uint32(gid)) {
		return fmt.Errorf("permission denied: user %s is not a member of the group %s (control.operator_group); "+
			"add the user with: usermod -aG %[2]s %[1]s, and log in again", who, name)
	}
	return nil
}

// userName returns the name of a user, or else the number.
func userName(uid uint32) string {
	id := strconv.FormatUint(uint64(uid), 10)
	u, err := user.LookupId(id)
	if err != nil {
		return id
	}
	return cmp.Or(u.Username, id)
}

// caller returns the client of a request as attributes of a log line.
func caller(r *http.Request) []any {
	peer, ok := r.Context().Value(peerKey{}).(unixsocket.Peer)
	if !ok {
		return nil
	}
	return []any{"user", userName(peer.UID), "uid", peer.UID, "pid", peer.PID}
}
