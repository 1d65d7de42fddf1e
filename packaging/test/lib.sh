# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154
#
# Shared by the scripts in this folder; sourced.

. packaging/steps.sh
. packaging/apt.sh

section=
section() {
	section=$*
	printf '\n--- %s (%d s)\n' "$*" "$SECONDS"
}

fail() {
	printf 'FAILED: %s\n' "$*" >&2
	failed_command=
	exit 1
}
# The last line names the section, as its output may be long.
report_failure() { # STATUS
	[ -z "$failed_command" ] || printf 'FAILED: %s: %s\n' "${section:-${0##*/}}" "$failed_command" >&2
}

# quietly runs a command that prints much, or nothing for long: its output is shown
# only if it fails, and "still running" once a minute.
quietly() { # TEXT COMMAND...
	local text=$1 log status=0 begin=$SECONDS
	shift
	log=$(mktemp)
	on_exit "stop_job; rm -f '$log' '$log.failed'"
	echo "$text ..."
	start_job "$log" "$@"
	wait_for_job "$text" echo || status=$?
	if [ "$status" -ne 0 ]; then
		cat "$log" >&2
		fail "$text: $(job_failure "$log" "$status")"
	fi
	[ $((SECONDS - begin)) -lt 5 ] || echo "$text: done, $((SECONDS - begin)) s"
}

# unit_tests runs the tests that need no kernel. Half of their time is waiting, so twice as
# many packages as processors run at once.
unit_tests() { # PACKAGES FLAG...
	local packages
	read -ra packages <<<"$1"
	shift
	quietly 'build the unit tests' go test "$@" -run '^$' "${packages[@]}"
	go test "$@" -p $(($(nproc) * 2)) -timeout 15m "${packages[@]}"
}

# install_packages installs those Debian packages that are missing.
install_packages() { # PACKAGE...
	local missing=() package
	for package; do
		dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q '^install ok installed$' || missing+=("$package")
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	[ "$(id -u)" -eq 0 ] || fail "only root can install: ${missing[*]}"
	quietly "install ${missing[*]}" apt_install "${missing[@]}"
}
