// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/config"
	"github.com/genltestd/genltestd/daemon/sink"
)

// sinkClaims returns the paths that sinks create.
func sinkClaims(cfg *config.Config) (all []claim) {
	for i := range cfg.Sinks {
		c := &cfg.Sinks[i]
		if claimer, ok := c.Config.(sink.Claimer); ok {
			for _, made := range claimer.Claims() {
				all = append(all, claim{fmt.Sprintf("sinks[%d].%s.%s", i, c.Kind, made.Key), made.Path, "the sink " + c.Name, made})
			}
		}
	}
	return all
}

// peerFaults returns a fault for each sink that connects to the daemon itself: to its
// control socket, its pages, or a socket at which another sink listens.
func peerFaults(cfg *config.Config, dirs Dirs) (faults config.Errors) {
	own := map[string]string{realPath(dirs.controlSocket()): "the daemon's own control socket"}
	for _, c := range sinkClaims(cfg) {
		if c.made.Socket && c.path != "" {
			own[realPath(c.path)] = "the socket of " + c.owner
		}
	}
	for i := range cfg.Sinks {
		c := &cfg.Sinks[i]
		peer, ok := c.Config.(sink.Peer)
		if !ok {
			continue
		}
		for _, p := range peer.Peers() {
			place, what := p.Path, ""
			if p.HostPort != "" && isSameServer(cfg.HTTP.Listen, p.HostPort) {
				place, what = p.HostPort, "the daemon's own http.listen"
			} else if p.Path != "" {
				what = own[realPath(p.Path)]
			}
			if what != "" {
				key := fmt.Sprintf("sinks[%d].%s.%s", i, c.Kind, p.Key)
				faults = append(faults, cfg.Fault(key, "%q is %s; write the address of another program", place, what))
			}
		}
	}
	return faults
}

// isSameServer reports whether a connection to an address reaches a server that listens
// at another.
func isSameServer(listen, address string) bool {
	host, port, err1 := net.SplitHostPort(listen)
	to, toPort, err2 := net.SplitHostPort(address)
	if err1 != nil || err2 != nil || port != toPort {
		return false
	}
	return host == to || isLocal(to) && (host == "" || isLocal(host))
}

// isLocal reports whether a host is this machine at a loopback address, or any address.
func isLocal(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && (ip.IsLoopback() || ip.IsUnspecified())
}

// existingFaults returns a fault for each path of a sink at which something exists that
// the sink cannot use.
func existingFaults(cfg *config.Config) (faults config.Errors) {
	for _, c := range sinkClaims(cfg) {
		if err := writable(c); err != nil {
			fault := cfg.Fault(c.key, "%v", err)
			fault.Cause = err
			faults = append(faults, fault)
			continue
		}
		info, err := os.Stat(c.path)
		switch {
		case c.path == "" || err != nil:
		case info.IsDir():
			faults = append(faults, cfg.Fault(c.key, "%q is a directory; add a name", c.path))
		case !c.made.Socket && !info.Mode().IsRegular():
			faults = append(faults, cfg.Fault(c.key, "%q exists and is not a regular file; choose another path", c.path))
		case c.made.Socket && info.Mode()&os.ModeSocket == 0:
			faults = append(faults, cfg.Fault(c.key, "%q exists and is not a socket; choose another path", c.path))
		}
	}
	return faults
}

// writable returns an error if this process lacks the permission to create or write the file of
// a claim, or to create its socket. A directory that is missing may be created with the
// service, such as by LogsDirectory= in its unit.
func writable(c claim) error {
	path, problem := c.path, "cannot write to %s: %w"
	if _, err := os.Lstat(path); err != nil || c.made.Socket {
		path, problem = filepath.Dir(path), "cannot create a file in %s: %w"
	}
	err := unix.Faccessat(unix.AT_FDCWD, path, unix.W_OK, unix.AT_EACCESS)
	if c.path == "" || !errors.Is(err, fs.ErrPermission) {
		return nil
	}
	return fmt.Errorf(problem+"; let the service's user write there", path, err)
}

// maxLinks is the maximum number of symbolic links in a path, as in the kernel.
const maxLinks = 40

// realPath resolves the symbolic links in a path, whose last elements need not exist, also
// behind a link. It returns a path that cannot be resolved unchanged, and the caller
// compares names.
func realPath(path string) string {
	for range maxLinks {
		resolved, next := resolve(path)
		if next == "" {
			return resolved
		}
		path = next
	}
	return filepath.Clean(path)
}

// resolve resolves the existing part of a path. If that ends at a link to a file that does
// not exist, it returns the path behind the link as next.
func resolve(path string) (resolved, next string) {
	missing := ""
	for at := filepath.Clean(path); ; at = filepath.Dir(at) {
		if real, err := filepath.EvalSymlinks(at); err == nil {
			return filepath.Join(real, missing), ""
		}
		if target, err := os.Readlink(at); err == nil {
			if !filepath.IsAbs(target) {
				target = filepath.Join(filepath.Dir(at), target)
			}
			return "", filepath.Join(target, missing)
		}
		if at == filepath.Dir(at) {
			return filepath.Clean(path), ""
		}
		missing = filepath.Join(filepath.Base(at), missing)
	}
}
