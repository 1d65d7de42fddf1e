# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Shared by the scripts in this folder; sourced.

section() { printf '\n--- %s (%d s)\n' "$*" "$SECONDS"; }

fail() {
	printf 'FAILED: %s\n' "$*" >&2
	exit 1
}

# install_packages installs those Debian packages that are missing. Servers among them
# are for the tests to start: they are not started now, nor when the machine boots.
install_packages() {
	local missing=() package
	for package; do
		dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q '^install ok installed$' || missing+=("$package")
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	echo "installing: ${missing[*]}"
	export DEBIAN_FRONTEND=noninteractive
	apt-get -q=2 update
	local policy=/usr/sbin/policy-rc.d
	if [ -e "$policy" ]; then policy=; else
		printf '#!/bin/sh\nexit 101\n' >"$policy"
		chmod 0755 "$policy"
	fi
	local failed=
	apt-get -q=2 install --no-install-recommends "${missing[@]}" >/dev/null || failed=1
	[ -z "$policy" ] || rm -f "$policy"
	[ -z "$failed" ] || fail "could not install: ${missing[*]}"
	for package in "${missing[@]}"; do
		systemctl disable --quiet "$package.service" 2>/dev/null || true # those that are services
	done
}
