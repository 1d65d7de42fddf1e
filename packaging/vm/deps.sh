# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2016,SC2154
#
# The requirements of the host: a few Debian packages, and a Debian mirror. Sourced.

. "$vm_dir/../apt.sh"

# command or file that proves it -> package
host_packages=(
	mmdebstrap:mmdebstrap
	qemu-system-x86_64:qemu-system-x86
	/usr/lib/qemu/virtiofsd:qemu-system-common
	cpio:cpio
	/bin/busybox:busybox-static
	mke2fs:e2fsprogs
	xz:xz-utils
	setpriv:util-linux
)

install_host_packages() {
	local pair missing=() status=0 log text
	for pair in "${host_packages[@]}"; do
		command -v "${pair%%:*}" >/dev/null || missing+=("${pair#*:}")
	done
	[ -s /etc/ssl/certs/ca-certificates.crt ] || missing+=(ca-certificates) # for Go's module proxy
	[ ${#missing[@]} -gt 0 ] || return 0
	[ "$(id -u)" -eq 0 ] || die "only root can install: ${missing[*]}"
	text="install on this machine: ${missing[*]}"
	progress "$text"
	log=$(mktemp)
	on_exit "stop_job; rm -f '$log' '$log.failed'"
	start_job "$log" apt_install "${missing[@]}"
	wait_for_job "$text" progress || status=$?
	if [ "$status" -ne 0 ]; then
		tail -n 20 "$log" >&2
		die "$text: $(job_failure "$log" "$status")"
	fi
}

# debian_mirror prints the archive that this machine itself uses, so that a local
# mirror or proxy is respected.
debian_mirror() {
	if [ -n "${DEBIAN_MIRROR:-}" ]; then
		echo "$DEBIAN_MIRROR"
		return
	fi
	# apt returns it after it has downloaded its lists.
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
