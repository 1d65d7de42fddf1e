// SPDX-License-Identifier: Apache-2.0

// Package kmod tests the kernel module on a running kernel: see packaging/vm/testexec.
// Without the tag "kernel" it has no tests.
package kmod
