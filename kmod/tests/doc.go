// SPDX-License-Identifier: Apache-2.0

// Package kmod tests the kernel module on a running kernel: see packaging/vm/testexec.
// Its tests need the build tag "kernel".
package kmod
