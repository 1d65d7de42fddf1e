// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"

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
