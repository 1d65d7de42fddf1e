# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2016
#
# What the host needs: a few Debian packages, and a Debian mirror. Sourced.

# command or file that proves it -> package
host_packages=(
	mmdebstrap:mmdebstrap
	qemu-system-x86_64:qemu-system-x86
	/usr/lib/qemu/virtiofsd:qemu-system-common
	cpio:cpio
	/bin/busybox:busybox-static
	mke2fs:e2fsprogs
	xz:xz-utils
)

install_host_packages() {
	local pair missing=()
	for pair in "${host_packages[@]}"; do
		command -v "${pair%%:*}" >/dev/null || missing+=("${pair#*:}")
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	[ "$(id -u)" -eq 0 ] || die "needs root to install: ${missing[*]}"
	progress "install on this machine: ${missing[*]}"
	apt_log=$(mktemp)
	on_exit 'rm -f "$apt_log"'
	if ! {
		apt-get update --quiet &&
			DEBIAN_FRONTEND=noninteractive apt-get install --quiet --yes --no-install-recommends "${missing[@]}"
	} >"$apt_log" 2>&1 </dev/null; then
		tail -n 20 "$apt_log" >&2
		die "could not install: ${missing[*]}"
	fi
}

# debian_mirror prints the archive this machine itself uses, so that a local
# mirror or proxy is respected and none is named here.
debian_mirror() {
	if [ -n "${DEBIAN_MIRROR:-}" ]; then
		echo "$DEBIAN_MIRROR"
		return
	fi
	# apt knows it once it has lists.
	configured_mirror || { apt-get update --quiet >&2 && configured_mirror; } ||
		die "no Debian mirror in this machine's apt configuration: set DEBIAN_MIRROR"
}
configured_mirror() {
	local codename
	# shellcheck disable=SC1091
	codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
	apt-get indextargets --format '$(RELEASE) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' |
		awk -v release="$codename" '$1 == release && $2 == "main" { print $3; found = 1; exit }
			END { exit !found }'
}
