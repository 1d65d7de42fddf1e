// SPDX-License-Identifier: Apache-2.0

// Package browser tests the status page of the daemon in headless Chromium: its content on small and
// large screens, its requests, and its use by keyboard and screen reader. The daemon, the browser,
// nginx and the destination of a sink run in a network namespace without other networks. All tests
// need the build tag browser. The script run installs the programs that they need, and runs them.
package browser
