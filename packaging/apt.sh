# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Installs Debian packages on this machine. Sourced, after steps.sh.

# apt_install installs PACKAGEs, as a job, because it prints much. Servers are not
# started, neither now nor at boot: the tests start them.
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
		systemctl disable --quiet "$package.service" 2>/dev/null || true # packages with a service
	done
)
