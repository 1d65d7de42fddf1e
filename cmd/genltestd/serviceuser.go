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

// A checker is the user with whose rights the configuration is checked.
type checker struct {
	name    string // empty for the user of the process
	service bool   // the service has the same rights
	note    string // for the reader, about the rights; may be empty
}

// becomeChecker permanently changes the rights of a process of root to those of another user,
// because root can read files that the service cannot. Without a name it uses the user of the
// service. The process of any other user keeps its rights.
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

// explain names the user who could not read a file, because root can read it.
func (c checker) explain(err error, stderr io.Writer) {
	if c.name != "" && errors.Is(err, fs.ErrPermission) {
		fmt.Fprintf(stderr, "note: checked with the rights of the user %[1]s, whom the service runs as; "+
			"let it read these files, for example by chgrp %[1]s and chmod g+r\n", c.name)
	}
}
