// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/genltestd/genltestd/daemon/genl"
)

// A GroupError is the fault of a family that does not have the groups of the target.
type GroupError struct {
	None bool // the family does not have any multicast group
	text string
}

func (e GroupError) Error() string { return e.text }

// Fault returns why events of the target do not arrive, with the remedy. It returns nil if
// all of its groups are joined. Some groups may be joined although there is a fault: see
// Subscribed.
func (r *Receiver) Fault() error {
	if fault := r.fault.Load(); fault != nil {
		return *fault
	}
	return nil
}

// storeFault publishes a fault, or nil. It reports whether the fault is new.
func (r *Receiver) storeFault(fault error) (changed bool) {
	before := r.Fault()
	if fault == nil {
		r.fault.Store(nil)
		return false
	}
	r.fault.Store(&fault)
	return before == nil || before.Error() != fault.Error()
}

// setFault publishes a fault, or nil. It logs a new fault.
func (r *Receiver) setFault(fault error) {
	if r.storeFault(fault) {
		r.Log.Error("not all events of the family can be received; retrying", "error", fault)
	}
}

func (r *Receiver) missingFault(missing []string, groups []genl.Group) error {
	if r.numbered {
		return GroupError{text: "the family " + genl.FamilyName + " does not contain the multicast group " + genl.GroupName +
			": another module registered this name; unload it"}
	}
	var names []string
	for _, g := range groups {
		names = append(names, fmt.Sprintf("%q", g.Name))
	}
	return GroupError{text: fmt.Sprintf("the family %s does not have the multicast group %s; it has %s",
		r.Target.Family, strings.Join(missing, ", "), strings.Join(names, ", "))}
}

func (r *Receiver) joinFault(group string, err error) error {
	advice := ""
	if errors.Is(err, unix.EPERM) {
		advice = "; this group requires the capability CAP_NET_ADMIN: grant it to the daemon"
	}
	return fmt.Errorf("cannot join the multicast group %q of the family %s: %w%s", group, r.Target.Family, err, advice)
}

// A faultList is an error of one line.
type faultList []error

func (l faultList) Error() string {
	var texts []string
	for _, err := range l {
		texts = append(texts, err.Error())
	}
	return strings.Join(texts, "; ")
}

func (l faultList) Unwrap() []error { return l }
