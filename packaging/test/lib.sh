# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Shared by the scripts in this folder; sourced.

section() { printf '\n--- %s (%d s)\n' "$*" "$SECONDS"; }

fail() {
	printf 'FAILED: %s\n' "$*" >&2
	exit 1
}

# install_packages installs those Debian packages that are missing.
install_packages() {
	local missing=() package
	for package; do
		dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q '^install ok installed$' || missing+=("$package")
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	echo "installing: ${missing[*]}"
	export DEBIAN_FRONTEND=noninteractive
	apt-get -q=2 update
	apt-get -q=2 install --no-install-recommends "${missing[@]}" >/dev/null
}
