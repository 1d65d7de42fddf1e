// SPDX-License-Identifier: Apache-2.0

// Package observability tests the rules of Prometheus and the runbooks of their alerts.
package observability
