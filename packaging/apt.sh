# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Installs Debian packages on this machine. Sourced, after steps.sh.

# apt_install installs PACKAGEs, as a job: it prints much. Servers among them are for
# the tests to start: they are not started now, nor when the machine boots.
apt_install() ( # PACKAGE...
	policy=/usr/sbin/policy-rc.d
	if [ ! -e "$policy" ]; then
		trap 'rm -f "$policy"' EXIT
		printf '#!/bin/sh\nexit 101\n' >"$policy"
		chmod 0755 "$policy"
	fi
	export DEBIAN_FRONTEND=noninteractive
	apt-get -q update
	apt-get -q -y -o DPkg::Lock::Timeout=300 install --no-install-recommends "$@"
	for package; do
		systemctl disable --quiet "$package.service" 2>/dev/null || true # those that are services
	done
)
