// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/genltestd/genltestd/daemon/genl"
	"github.com/genltestd/genltestd/daemon/ynl"
	"github.com/genltestd/genltestd/daemon/ynl/skeleton"
	"github.com/genltestd/genltestd/internal/similar"
)

const familyHelp = `Show the generic netlink families of the running kernel.

The commands ask the kernel, without the daemon and without a capability. Most families
are visible only in the initial network namespace.`

const specHelp = `Print the YNL specification of a family that is built into genltestctl, or else a
skeleton.

A skeleton contains what the kernel reports: the numbers, types and limits of the
attributes of requests, the operations and the multicast groups. Comments with TODO mark
what must be added.`

// A controller reads families from the kernel.
type controller interface {
	Families(ctx context.Context) ([]genl.FamilyInfo, error)
	Policies(ctx context.Context, family genl.FamilyInfo) (genl.Policies, error)
	Close() error
}

func openController() (controller, error) { return genl.OpenController() }

// A kernelError is an error of a command that asks the kernel, with its exit status.
type kernelError struct {
	text string
	code int
}

func (e kernelError) Error() string { return e.text }

func (s *session) family() *cobra.Command {
	return group("family", "Show the generic netlink families of the running kernel", familyHelp,
		s.familyList(), s.familyShow(), s.familySpec())
}

func (s *session) familyList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the families", Args: usageArgs(cobra.NoArgs), ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return s.withKernel(func(kernel controller) error {
				families, err := kernel.Families(cmd.Context())
				if err != nil {
					return err
				}
				return s.listFamilies(families)
			})
		},
	}
}

func (s *session) familyShow() *cobra.Command {
	return &cobra.Command{
		Use: "show NAME", Short: "Show the groups, operations and attribute policies of one family",
		Args: usageArgs(cobra.ExactArgs(1)), ValidArgsFunction: s.completeFamily,
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.withKernel(func(kernel controller) error {
				family, err := findFamily(cmd.Context(), kernel, args[0])
				if err != nil {
					return err
				}
				policies, err := s.policies(cmd.Context(), kernel, family)
				// Without policies, the rest is shown all the same.
				return errors.Join(s.showFamily(family, policies), err)
			})
		},
	}
}

func (s *session) familySpec() *cobra.Command {
	onlySkeleton := false
	cmd := &cobra.Command{
		Use: "spec NAME", Short: "Print a YNL specification of one family", Long: specHelp,
		Args: usageArgs(cobra.ExactArgs(1)), ValidArgsFunction: s.completeFamily,
		RunE: func(cmd *cobra.Command, args []string) error {
			if !onlySkeleton {
				if text, err := ynl.EmbeddedText(args[0]); err == nil {
					return s.showSpec(specForm{args[0], "built-in", string(text)})
				}
			}
			return s.withKernel(func(kernel controller) error {
				family, err := findFamily(cmd.Context(), kernel, args[0])
				if err != nil {
					return err
				}
				policies, err := s.policies(cmd.Context(), kernel, family)
				if err != nil {
					return err
				}
				return s.showSpec(specForm{args[0], "skeleton", string(skeleton.Spec(family, policies))})
			})
		},
	}
	cmd.Flags().BoolVar(&onlySkeleton, "skeleton", false, "print a skeleton even if a specification is built in")
	return cmd
}

// withKernel runs do with an open controller, and adds remedies to its errors.
func (s *session) withKernel(do func(controller) error) error {
	kernel, err := s.openController()
	if err == nil {
		err = errors.Join(do(kernel), kernel.Close())
	}
	return kernelFault(err)
}

// kernelFault returns the errors of the kernel with their exit statuses.
func kernelFault(err error) error {
	var known kernelError
	switch {
	case err == nil, errors.As(err, &known):
		return err
	case errors.Is(err, fs.ErrPermission):
		return kernelError{err.Error() + "; a sandbox or a security module denies generic netlink, so run genltestctl outside of it", exitNoPerm}
	case errors.Is(err, os.ErrDeadlineExceeded):
		return kernelError{err.Error() + "; the kernel does not answer", exitUnavailable}
	case errors.Is(err, syscall.EAFNOSUPPORT), errors.Is(err, syscall.EPROTONOSUPPORT):
		return kernelError{err.Error() + "; generic netlink is not available here", exitUnavailable}
	case errors.Is(err, fs.ErrNotExist):
		return kernelError{err.Error() + "; the family was just unregistered", exitNoInput}
	}
	return err
}

// findFamily returns the family of a name.
func findFamily(ctx context.Context, kernel controller, name string) (genl.FamilyInfo, error) {
	families, err := kernel.Families(ctx)
	if err != nil {
		return genl.FamilyInfo{}, err
	}
	names := make([]string, len(families))
	for i, f := range families {
		if f.Name == name {
			return f, nil
		}
		names[i] = f.Name
	}
	advice := "load its module, or choose a name of genltestctl family list; most families are visible only in the initial network namespace"
	if near := nearNames(name, names); len(near) > 0 {
		advice = "did you mean " + strings.Join(near, " or ") + "?"
	}
	return genl.FamilyInfo{}, kernelError{fmt.Sprintf("generic netlink family %q is not registered; %s", name, advice), exitNoInput}
}

// nearNames returns the names that contain name or are similar to it, in quotes.
func nearNames(name string, names []string) (near []string) {
	closest, part := similar.Closest(name, names), similar.Fold(name)
	for _, n := range names {
		if n == closest || len(part) > 1 && strings.Contains(similar.Fold(n), part) {
			near = append(near, strconv.Quote(n))
		}
	}
	return near[:min(len(near), 5)]
}

// policies returns the policies of a family; nil with a warning if the kernel does not
// report them.
func (s *session) policies(ctx context.Context, kernel controller, family genl.FamilyInfo) (*genl.Policies, error) {
	policies, err := kernel.Policies(ctx, family)
	switch {
	case errors.Is(err, genl.ErrNoIntrospection):
		s.complain([]string{"warning: the attributes are missing: " + err.Error()})
		return nil, nil
	case err != nil:
		return nil, err
	}
	return &policies, nil
}

// completeFamily completes the first argument with the names of the families.
func (s *session) completeFamily(cmd *cobra.Command, args []string, _ string) (names []string, _ cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	err := s.withKernel(func(kernel controller) error {
		families, err := kernel.Families(cmd.Context())
		for _, f := range families {
			names = append(names, visible(f.Name))
		}
		return err
	})
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
