// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// serviceUser is User= of the unit.
const serviceUser = "genltestd"

// A checker is the user whose rights a check of the configuration has.
type checker struct {
	name    string // empty when it is whoever runs the process
	service bool   // the service has the same rights
	note    string // what the reader must know about the rights
}

// becomeChecker gives a process of root the rights of another user for good: root can
// read files that the service cannot. Without a name that is the service's user. The
// process of any other user keeps its rights.
func becomeChecker(name string) (checker, error) {
	u, err := user.Lookup(cmp.Or(name, serviceUser))
	root := os.Geteuid() == 0
	switch {
	case name != "" && err != nil:
		return checker{}, fmt.Errorf("--as: %w", err)
	case root && err != nil:
		return checker{note: "checked with the rights of root, because the user " + serviceUser + " does not exist; --as names another"}, nil
	case err != nil:
		return checker{}, nil
	case strconv.Itoa(os.Geteuid()) == u.Uid:
		return checker{name: u.Username, service: true}, nil
	case root:
		return checker{name: u.Username, service: true}, become(u)
	case name != "":
		return checker{}, fmt.Errorf("--as %s: only root can check with the rights of another user", name)
	}
	return checker{}, nil
}

// become changes the user of the whole process.
func become(u *user.User) error {
	names, err := u.GroupIds()
	if err != nil {
		return err
	}
	ids, err := numbers(append(names, u.Gid, u.Uid)...)
	if err != nil {
		return err
	}
	groups, gid, uid := ids[:len(names)], ids[len(names)], ids[len(names)+1]
	// The user last: only root can change the groups.
	if err := syscall.Setgroups(groups); err != nil {
		return err
	}
	if err := syscall.Setgid(gid); err != nil {
		return err
	}
	return syscall.Setuid(uid)
}

func numbers(texts ...string) ([]int, error) {
	all := make([]int, len(texts))
	for i, text := range texts {
		var err error
		if all[i], err = strconv.Atoi(text); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// explain says who could not read a file: to root it looks readable.
func (c checker) explain(err error, stderr io.Writer) {
	if c.name != "" && errors.Is(err, fs.ErrPermission) {
		fmt.Fprintf(stderr, "note: checked with the rights of the user %s, whom the service runs as; let it read these files, for example by chgrp %s and chmod g+r\n", c.name, c.name)
	}
}
