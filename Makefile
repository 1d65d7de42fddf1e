# SPDX-License-Identifier: Apache-2.0
#
# `make` lists the targets. Each installs what it needs and is missing.

.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

# Where `make install` puts things; see install below.
PREFIX     ?= /usr/local
DESTDIR    ?=
bindir      = $(PREFIX)/bin
sbindir     = $(PREFIX)/sbin
datadir     = $(PREFIX)/share/genltestd
docdir      = $(PREFIX)/share/doc/genltestd
mandir      = $(PREFIX)/share/man
unitdir     = $(PREFIX)/lib/systemd/system
catalogdir  = $(PREFIX)/lib/systemd/catalog
sysusersdir = $(PREFIX)/lib/sysusers.d
sysconfdir ?= /etc
# The version of systemd that the unit is for.
SYSTEMD    ?= $(or $(shell systemctl --version 2>/dev/null | awk 'NR == 1 {print $$2 + 0}'),0)

# The kernel whose module is built, or all: 5.10, 6.1, 6.12, 7.
KERNEL ?= 6.1

# Where Go is installed by hand; sudo leaves it out of PATH.
export PATH := $(PATH):/usr/local/go/bin
# Go keeps its caches below HOME, which services and cron jobs may lack.
ifndef HOME
export HOME := $(shell getent passwd "$$(id -u)" | cut -d : -f 6)
endif

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
GO      ?= go
GO_LINT  = $(GO) tool -modfile=tools/go.mod golangci-lint
# packaging/test/size needs a small daemon. These packages do little work for an event: without the inlining of their
# functions it is 1 MB smaller. Functions at multiples of 16 bytes, as GCC places them, in place of 32 save 0.27 MB.
EXPR     = github.com/expr-lang/expr
OURS     = github.com/genltestd/genltestd
COLD     = $(EXPR)/ast/... $(EXPR)/builtin/... $(EXPR)/checker/... $(EXPR)/compiler/... $(EXPR)/conf/... $(EXPR)/optimizer/... \
	$(EXPR)/parser/... crypto/tls crypto/x509 encoding/asn1 encoding/gob expvar flag html html/template log log/slog math/big mime mime/multipart \
	net net/http net/textproto net/url os regexp/syntax runtime/pprof text/tabwriter text/template/parse vendor/golang.org/x/... \
	github.com/coreos/... github.com/mdlayher/... \
	github.com/golang-jwt/... github.com/mwitkow/... github.com/nats-io/nats.go/... github.com/nats-io/nkeys \
	github.com/prometheus/client_golang/prometheus/promhttp github.com/prometheus/common/... \
	github.com/prometheus/exporter-toolkit/... github.com/prometheus/procfs/... github.com/rabbitmq/... \
	github.com/twmb/franz-go/pkg/kerr github.com/twmb/franz-go/pkg/kmsg github.com/twmb/franz-go/pkg/kversion \
	github.com/twmb/franz-go/pkg/sasl/... golang.org/x/net/... golang.org/x/oauth2/... \
	google.golang.org/protobuf/... go.yaml.in/yaml/v2 gopkg.in/yaml.v3 \
	$(OURS)/cmd/... $(OURS)/config/... $(OURS)/daemon $(OURS)/daemon/canary $(OURS)/daemon/control $(OURS)/daemon/deadletter \
	$(OURS)/daemon/echo $(OURS)/daemon/endpoint $(OURS)/daemon/families $(OURS)/daemon/httpserver $(OURS)/daemon/inspect \
	$(OURS)/daemon/journal/verify $(OURS)/daemon/kernel $(OURS)/daemon/pipeline $(OURS)/daemon/reception $(OURS)/daemon/redact \
	$(OURS)/daemon/reload $(OURS)/daemon/ruletest $(OURS)/daemon/secret $(OURS)/daemon/statefile $(OURS)/daemon/systemd \
	$(OURS)/daemon/unixsocket $(OURS)/daemon/web $(OURS)/internal/similar $(OURS)/metrics
GOBUILD  = CGO_ENABLED=0 $(GO) build -buildvcs=false -trimpath -ldflags '-s -w -funcalign=16 -X main.version=$(VERSION)' $(COLD:%=-gcflags=%=-l)

##@ The two commands

.PHONY: demo
demo: check-go ## run the main job in a VM: module, daemon, events, counters
	packaging/demo/demo

.PHONY: test
test: check-go ## run every test, on the real module in VMs too (takes a while)
	packaging/test/check -race
	packaging/test/run

.PHONY: fresh
fresh: ## run demo and test in a root that has nothing but Go, make and git; or one: COMMAND=demo
	packaging/test/fresh $(COMMAND)

.PHONY: soak
soak: check-go ## run the long forms of the tests (takes long)
	packaging/test/soak

.PHONY: fleet
fleet: check-go ## simulate 200 hosts and an outage of a NATS cluster, some minutes
	packaging/test/fleet

##@ Development

.PHONY: check
check: check-go ## format, lint and unit tests in short, some minutes
	packaging/test/check

# In a network namespace of its own nobody else multicasts.
.PHONY: bench
bench: check-go ## compare the receive path with C programs, and measure delivery; writes docs/benchmarks.md (as root)
	packaging/bench/build build/bench
	packaging/servers/install
	@mkdir -p docs
	unshare --net sh -c 'ip link set lo up && exec $(GO) run ./packaging/bench' >build/bench/report
	mv build/bench/report docs/benchmarks.md
	cat docs/benchmarks.md

.PHONY: bench-icount
bench-icount: check-go ## the same by number of instructions, in a VM; fails beyond the limits
	packaging/bench/icount

.PHONY: check-go
check-go:
	@packaging/check-go $(GO)

.PHONY: build
build: check-go ## build the daemon and its client into build/
	@mkdir -p build
	$(GOBUILD) -o build/ ./cmd/genltestd ./cmd/genltestctl

.PHONY: generate
generate: check-go ## write the generated files: schema, reference and manual pages of the configuration, tables of kinds, log messages, dashboard
	$(GO) run ./packaging/schema .
	$(GO) run ./packaging/man packaging/man daemon/sink
	$(GO) run ./packaging/metricspage docs/metrics.md
	$(GO) run ./packaging/messages .
	$(GO) run ./packaging/observability/dashboard packaging/observability/grafana/genltestd.json

.PHONY: kmod
kmod: ## build the module for KERNEL=5.10|6.1|6.12|7|all into build/kmod/
	packaging/vm/kmod --kernel $(KERNEL)

.PHONY: vm
vm: ## open a shell in a VM with module and daemon; KERNEL as above
	packaging/vm/vm --verbose --kernel $(KERNEL) --console

.PHONY: run
run: build ## run the daemon on this machine's own kernel, in this terminal
	build/genltestd

.PHONY: clean
clean: ## remove what was built in this tree (the VM images: packaging/vm/clean)
	rm -rf build
	$(MAKE) -s -C kmod clean

##@ Installation

# Configuration files name their schema, for editors.
set-schema = sed 's|/usr/local/share/genltestd|$(datadir)|'

# systemd runs, and what is installed is for this machine.
systemd-runs = [ -z "$(DESTDIR)" ] && [ -d /run/systemd/system ]

# journalctl -x reads a database of all catalogues.
update-catalog = if command -v journalctl >/dev/null; then journalctl --update-catalog; fi

.PHONY: install
install: build ## install daemon, client, unit, manual pages and configuration below PREFIX=/usr/local
	install -D -m 0755 build/genltestd $(DESTDIR)$(sbindir)/genltestd
	install -D -m 0755 build/genltestctl $(DESTDIR)$(bindir)/genltestctl
	for page in README.md PROMISES.md docs/*.md docs/api.yaml docs/runbooks/*.md docs/sinks/*.md; do install -D -m 0644 $$page $(DESTDIR)$(docdir)/$$page; done
	install -D -m 0644 config/schema.json $(DESTDIR)$(datadir)/genltestd.schema.json
	install -D -m 0644 -t $(DESTDIR)$(datadir)/observability/prometheus packaging/observability/prometheus/*.yml
	install -D -m 0644 -t $(DESTDIR)$(datadir)/observability/grafana packaging/observability/grafana/genltestd.json
	$(set-schema) config/reference.yaml | install -D -m 0644 /dev/stdin $(DESTDIR)$(docdir)/genltestd.yaml
	install -D -m 0644 packaging/man/genltestctl.1 $(DESTDIR)$(mandir)/man1/genltestctl.1
	install -D -m 0644 packaging/man/genltestd.yaml.5 $(DESTDIR)$(mandir)/man5/genltestd.yaml.5
	install -D -m 0644 packaging/man/genltestd.8 $(DESTDIR)$(mandir)/man8/genltestd.8
	install -D -m 0644 packaging/systemd/genltestd.sysusers $(DESTDIR)$(sysusersdir)/genltestd.conf
	install -d $(DESTDIR)$(unitdir)
	sed -e 's|@sbindir@|$(sbindir)|' -e 's|@bindir@|$(bindir)|' -e 's|@docdir@|$(docdir)|' \
		packaging/systemd/genltestd.service.in | install -m 0644 /dev/stdin $(DESTDIR)$(unitdir)/genltestd.service
	sed 's|@docdir@|$(docdir)|' packaging/systemd/genltestd.socket | install -m 0644 /dev/stdin $(DESTDIR)$(unitdir)/genltestd.socket
	sed 's|@bindir@|$(bindir)|' packaging/systemd/genltestd-canary.service.in | \
		install -m 0644 /dev/stdin $(DESTDIR)$(unitdir)/genltestd-canary.service
	install -m 0644 packaging/systemd/genltestd-canary.timer $(DESTDIR)$(unitdir)/genltestd-canary.timer
	rm -f $(DESTDIR)$(unitdir)/genltestd.service.d/25[34].conf
	for since in 253 254; do [ "$(SYSTEMD)" -lt $$since ] || install -D -m 0644 \
		packaging/systemd/genltestd-$$since.conf $(DESTDIR)$(unitdir)/genltestd.service.d/$$since.conf; done
	install -d $(DESTDIR)$(catalogdir)
	sed 's|@docdir@|$(docdir)|' packaging/systemd/genltestd.catalog | \
		install -m 0644 /dev/stdin $(DESTDIR)$(catalogdir)/genltestd.catalog
	install -d $(DESTDIR)$(sysconfdir)/genltestd.d
	install -d $(DESTDIR)$(sysconfdir)/genltestd $(DESTDIR)$(sysconfdir)/genltestd/specs
	[ -e $(DESTDIR)$(sysconfdir)/genltestd.yaml ] || \
		$(set-schema) config/installed.yaml | install -D -m 0644 /dev/stdin $(DESTDIR)$(sysconfdir)/genltestd.yaml
ifeq ($(DESTDIR),)
	@$(update-catalog)
	@if command -v systemd-sysusers >/dev/null; then systemd-sysusers $(sysusersdir)/genltestd.conf; \
	else echo 'systemd is not installed: create the system user genltestd, as $(sysusersdir)/genltestd.conf has it'; fi
	@if $(systemd-runs); then systemctl daemon-reload; fi
	@if $(systemd-runs) && systemctl --quiet is-active genltestd; then \
		echo 'Installed. Next: systemctl restart genltestd'; \
	else echo 'Installed. Next: make kmod-install; systemctl enable --now genltestd'; fi
endif

.PHONY: kmod-install
kmod-install: ## build and install the module for the running kernel (needs its headers)
	$(MAKE) -C kmod install
	depmod -a

.PHONY: uninstall
uninstall: ## stop and disable the daemon, and remove what install put there, but not configuration, data and user
ifeq ($(DESTDIR),)
	@if [ -e $(unitdir)/genltestd.service ] && command -v systemctl >/dev/null; then \
		echo 'stop and disable genltestd.service'; \
		if $(systemd-runs); then systemctl stop genltestd-canary.timer genltestd-canary.service genltestd.socket genltestd; fi; \
		systemctl --quiet disable genltestd-canary.timer genltestd.socket genltestd; fi
endif
	rm -f $(DESTDIR)$(sbindir)/genltestd $(DESTDIR)$(bindir)/genltestctl
	rm -f $(DESTDIR)$(unitdir)/genltestd.service $(DESTDIR)$(unitdir)/genltestd.socket $(DESTDIR)$(sysusersdir)/genltestd.conf $(DESTDIR)$(catalogdir)/genltestd.catalog
	rm -f $(DESTDIR)$(unitdir)/genltestd-canary.service $(DESTDIR)$(unitdir)/genltestd-canary.timer
	rm -f $(DESTDIR)$(mandir)/man1/genltestctl.1 $(DESTDIR)$(mandir)/man5/genltestd.yaml.5 $(DESTDIR)$(mandir)/man8/genltestd.8
	rm -rf $(DESTDIR)$(datadir) $(DESTDIR)$(docdir) $(DESTDIR)$(unitdir)/genltestd.service.d
	@if $(systemd-runs); then systemctl daemon-reload; fi
ifeq ($(DESTDIR),)
	@$(update-catalog)
	@echo 'Removed. Left: $(sysconfdir)/genltestd.yaml, $(sysconfdir)/genltestd.d, $(sysconfdir)/genltestd, /var/lib/genltestd, /var/log/genltestd, the user genltestd'
endif

.PHONY: help
help: ## show this list
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} \
		/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
