// SPDX-License-Identifier: Apache-2.0

// Package genl is the daemon's boundary to generic netlink, and the only
// importer of mdlayher/netlink and mdlayher/genetlink.
//
// Two sockets have two types, because their messages must not mix: an
// [EventSocket] subscribes and never sends; an [EchoClient] sends and never
// subscribes. Both find the family by name, because the kernel gives it another
// id each time that its module is loaded. While the family is away an
// EventSocket learns of its return from nlctrl's own group "notify", which it
// joins first, so that the news lies in order between the events.
package genl

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// The family that the daemon listens to, as kmod/genltest.h defines it.
const (
	FamilyName = "genltest"
	GroupName  = "mcgrp"

	version = 1 // of the family; each message carries it
	cmdEcho = 1 // the command of requests, replies and events alike

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
	notifyGroup  = unix.GENL_ID_CTRL // group "notify" has the family's number
	noFamily     = 0                 // no family has this id
	firstGroup   = 2                 // of the numbers that the kernel gives out; those of the reserved family ids are not among them
)

// ErrFamilyAbsent says that the kernel knows no family of that name: its module
// is not loaded, or the process is in a network namespace in which the family
// cannot be seen. It matches os.ErrNotExist.
var ErrFamilyAbsent = familyAbsentError{}

type familyAbsentError struct{}

func (familyAbsentError) Error() string {
	return "generic netlink family " + FamilyName + " is not registered"
}

func (familyAbsentError) Is(target error) bool { return errors.Is(target, os.ErrNotExist) }
