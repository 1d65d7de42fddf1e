// SPDX-License-Identifier: Apache-2.0

package genl

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func TestTargetChoosesGroups(t *testing.T) {
	config, health := Group{"config", 4}, Group{"health", 5}
	both := []Group{config, health}
	for name, test := range map[string]struct {
		groups  []string
		has     []Group
		chosen  []Group
		missing []string
	}{
		"all":                     {nil, both, both, nil},
		"all of none":             {nil, nil, nil, nil},
		"one":                     {[]string{"health"}, both, []Group{health}, nil},
		"one that is missing":     {[]string{"conf"}, both, nil, []string{"conf"}},
		"another one is missing":  {[]string{"conf", "config"}, both, []Group{config}, []string{"conf"}},
		"a family without groups": {[]string{"config"}, nil, nil, []string{"config"}},
	} {
		chosen, missing := Target{Family: "devlink", Groups: test.groups}.Choose(test.has)
		if diff := cmp.Diff(test.chosen, chosen); diff != "" {
			t.Errorf("%s: chosen (-want +got):\n%s", name, diff)
		}
		if diff := cmp.Diff(test.missing, missing); diff != "" {
			t.Errorf("%s: missing (-want +got):\n%s", name, diff)
		}
	}
}

// TestLikelyGroupsAreThoseThatTheKernelAssigns: the kernel numbers the groups of a family
// consecutively, with the lowest numbers that are free.
func TestLikelyGroupsAreThoseThatTheKernelAssigns(t *testing.T) {
	three := []Group{{"a", 40}, {"b", 41}, {"c", 42}}
	for name, test := range map[string]struct {
		target Target
		before []Group
		used   []uint32
		want   []uint32
	}{
		"nothing is used":       {Genltest, nil, nil, []uint32{2, 3}},
		"holes":                 {Genltest, nil, []uint32{16, 2, 3, 5, 7}, []uint32{4, 6}},
		"reserved numbers":      {Genltest, nil, []uint32{2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14}, []uint32{15, 19}},
		"three groups":          {Target{Family: "x"}, three, nil, []uint32{2, 3, 4, 5}},
		"a hole is too small":   {Target{Family: "x"}, three, []uint32{4, 8}, []uint32{5, 6, 7, 9, 10, 11}},
		"the second of three":   {Target{"x", []string{"b"}}, three, []uint32{4, 8}, []uint32{6, 10}},
		"two are configured":    {Target{"x", []string{"b", "c"}}, nil, []uint32{3}, []uint32{4, 5, 6}},
		"configured and others": {Target{"x", []string{"d"}}, three, nil, []uint32{2, 3}},
		"unknown":               {Target{Family: "x"}, nil, nil, []uint32{2, 3}},
		"before the reserved":   {Target{Family: "x"}, three, []uint32{2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, []uint32{13, 14, 15, 19, 20, 21}},
		"a fixed number":        {Target{Family: "VFS_DQUOT"}, nil, nil, []uint32{17}},
	} {
		r := Registry{Used: test.used}
		if diff := cmp.Diff(test.want, r.LikelyGroups(test.target, test.before)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestJoinErrorsNameTheGroupsInOrder(t *testing.T) {
	err := error(JoinErrors{7: unix.EPERM, 4: unix.ENOMEM})
	if !errors.Is(err, unix.EPERM) || !errors.Is(err, unix.ENOMEM) {
		t.Errorf("%v does not contain its errors", err)
	}
	if got, want := err.Error(), unix.ENOMEM.Error()+"; "+unix.EPERM.Error(); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
