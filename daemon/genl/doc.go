// SPDX-License-Identifier: Apache-2.0

// Package genl is the daemon's interface to generic netlink, and the only package that
// imports mdlayher/netlink and mdlayher/genetlink.
//
// There are two types of socket, because their messages must not mix: an [EventSocket]
// subscribes and never sends; an [EchoClient] sends and never subscribes. Both find a
// family by name, because the kernel assigns a new id each time the module is loaded.
// There is one EventSocket per family, so families cannot push each other's messages out of
// a buffer.
// A [Controller] reads all registered families, for operators.
//
// An EventSocket joins nlctrl's group "notify" first. It receives the notification of a
// new registration there, in order with the events.
package genl

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// The family of our module, as defined by kmod/genltest.h.
const (
	FamilyName = "genltest"
	GroupName  = "mcgrp"

	version = 1 // of the family, in each message
	cmdEcho = 1 // the command of requests, replies and events

	attrMsg    = 1 // NUL-terminated string
	attrSeq    = 3 // u64, from 1, per load of the module
	attrTime   = 4 // u64, ns since the epoch
	attrLoadID = 5 // u64, random per load
)

const (
	nlmsgHeaderLen = unix.SizeofNlMsghdr
	genlHeaderLen  = 4
	headersLen     = nlmsgHeaderLen + genlHeaderLen
	attrHeaderLen  = unix.SizeofNlAttr
)

// The family's controller, nlctrl, has fixed numbers (linux/genetlink.h).
const (
	controllerID = unix.GENL_ID_CTRL
	notifyGroup  = unix.GENL_ID_CTRL // the group "notify" has the number of the family
	noFamily     = 0                 // no family has this id
	firstGroup   = 2                 // first group number that the kernel assigns; it skips the reserved family ids
)

// ErrFamilyAbsent reports that the family of our module is not registered.
var ErrFamilyAbsent = AbsentError{FamilyName}

// An AbsentError reports that a family is not registered: its module is not loaded, or the
// process is in a network namespace in which the family is not visible. It matches
// os.ErrNotExist.
type AbsentError struct{ Family string }

func (e AbsentError) Error() string {
	return "generic netlink family " + e.Family + " is not registered"
}

// Is reports whether target is os.ErrNotExist.
func (AbsentError) Is(target error) bool { return errors.Is(target, os.ErrNotExist) }
