# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2016,SC2034
#
# Shared ground of the VM scripts: messages, the temporary directory, and the
# content-addressed cache. Sourced, never run.

vm_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repo=$(cd "$vm_dir/../.." && pwd)
cache=${GENLTESTD_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/genltestd}
kernels=(5.10 6.1 6.12 7)

# The scripts call make themselves; a surrounding make's job server is not theirs.
unset MAKEFLAGS MFLAGS MAKELEVEL

: "${GENLTEST_VM_START:=$(date +%s)}"
export GENLTEST_VM_START # so that child scripts count from the same moment
verbose=${GENLTEST_VM_VERBOSE:-}

progress() { # TEXT: a line for people who asked to see progress
	[ -z "$verbose" ] || printf '[%3ds] %s\n' $(($(date +%s) - GENLTEST_VM_START)) "$*" >&2
}

# 125 is what every script here returns when the harness, not the caller's
# command, failed; the same convention as chroot(1) and timeout(1).
die() { # TEXT
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 125
}

check_kernel() { # KERNEL
	case " ${kernels[*]} " in
	*" $1 "*) ;;
	*) die "unknown kernel \"$1\": have ${kernels[*]}" ;;
	esac
}

# Teardown: a LIFO of commands, run once however the script ends.
teardown=()
on_exit() { # COMMAND (evaluated at exit)
	teardown=("$1" "${teardown[@]}")
}
run_teardown() {
	local status=$? step
	trap - EXIT
	trap '' INT TERM HUP
	set +e
	for step in "${teardown[@]}"; do eval "$step"; done
	exit "$status"
}
trap run_teardown EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

# make_run_dir sets $run_dir, which is removed at exit.
make_run_dir() {
	run_dir=$(mktemp -d "${TMPDIR:-/tmp}/genltest-vm.XXXXXXXX")
	on_exit 'rm -rf "$run_dir"'
}

# key prints one hash over its arguments and standard input. Inputs are named
# explicitly by the callers, so a changed comment elsewhere rebuilds nothing.
key() { # STRING... <data
	{ printf '%s\0' "$@" && cat; } | sha256sum | cut -c1-16
}

# quote prints its arguments as one line of POSIX shell words.
quote() { # WORD...
	local word
	for word; do printf " '%s'" "${word//\'/\'\\\'\'}"; done
}

# start_builder runs a builder in its own process group, so that a signal to us
# ends compilers and package managers too, at once. Sets $builder. Not to be
# called in a condition: there bash ignores errexit, in the builder as well.
builder=
start_builder() { # LOG COMMAND...
	local log=$1
	shift
	set -m
	(
		set +m
		trap - EXIT INT TERM HUP
		"$@"
	) >"$log" 2>&1 </dev/null &
	builder=$!
	set +m
}
stop_builder() {
	[ -z "$builder" ] || { kill -TERM -- "-$builder" && wait "$builder"; } 2>/dev/null
}

# cache_entry sets $REPLY to the directory NAME-KEY of the cache and keeps it
# locked for the life of this process. If it does not exist, "FUNCTION DIR ARG..."
# fills a temporary directory that is renamed into place; entries of the same
# name with another key are removed unless some process holds them.
cache_entry() { # NAME KEY TEXT FUNCTION [ARG...]
	local name=$1 key=$2 text=$3 function=$4 lock hold tmp old
	shift 4
	local entry=$cache/$name-$key
	mkdir -p "$cache/locks" "$cache/tmp"
	exec {lock}>"$cache/locks/$name"
	flock "$lock"
	if [ ! -d "$entry" ]; then
		rm -rf "$cache/tmp/$name".* # of a builder that was killed
		tmp=$(mktemp -d "$cache/tmp/$name.XXXXXXXX")
		chmod 755 "$tmp"
		on_exit "stop_builder; rm -rf '$tmp'"
		progress "$text"
		start_builder "$tmp/log" "$function" "$tmp" "$@"
		if ! wait "$builder"; then
			tail -n 40 "$tmp/log" >&2
			builder=
			die "$text: failed"
		fi
		builder=
		mv "$tmp" "$entry"
		for old in "$cache/$name"-????????????????; do
			[ "$old" = "$entry" ] || flock --exclusive --nonblock "$old" rm -rf "$old" || true
		done
	fi
	exec {hold}<"$entry"
	flock --shared "$hold"
	exec {lock}>&-
	REPLY=$entry
}
