# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2016,SC2034
#
# Shared ground of the VM scripts: messages, the temporary directory, and the
# content-addressed cache. Sourced, never run.

vm_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repo=$(cd "$vm_dir/../.." && pwd)
. "$vm_dir/../steps.sh"
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
# command, failed; the same convention as chroot(1) and timeout(1). The first
# reason also goes to the script that runs this one in parallel with others.
die() { # TEXT
	local reasons=${GENLTEST_VM_REASONS:-}
	[ -z "$reasons" ] || printf '%s\n' "$*" >>"$reasons"
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 125
}
report_failure() { # STATUS
	[ "$1" -eq 125 ] || [ -z "$failed_command" ] || (die "$failed_command")
}

# in_parallel runs "COMMAND... WORD" for each line of standard input, two at a time,
# and ends the script with the reason of the first that fails.
in_parallel() { # COMMAND...
	local reasons
	reasons=$(mktemp)
	on_exit "rm -f '$reasons'"
	GENLTEST_VM_REASONS=$reasons xargs -n 1 -P 2 "$@" || die "$(head -n 1 "$reasons")"
}

check_kernel() { # KERNEL
	case " ${kernels[*]} " in
	*" $1 "*) ;;
	*) die "unknown kernel \"$1\": have ${kernels[*]}" ;;
	esac
}

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

# cache_entry sets $REPLY to the directory NAME-KEY of the cache and keeps it
# locked for the life of this process. If it does not exist, "FUNCTION DIR ARG..."
# fills a temporary directory that is renamed into place; entries of the same
# name with another key are removed unless some process holds them.
cache_entry() { # NAME KEY TEXT FUNCTION [ARG...]
	local name=$1 key=$2 text=$3 function=$4 lock hold tmp old status
	shift 4
	local entry=$cache/$name-$key
	mkdir -p "$cache/locks" "$cache/tmp"
	exec {lock}>"$cache/locks/$name"
	flock "$lock"
	if [ ! -d "$entry" ]; then
		rm -rf "$cache/tmp/$name".* # of a builder that was killed
		tmp=$(mktemp -d "$cache/tmp/$name.XXXXXXXX")
		chmod 755 "$tmp"
		on_exit "stop_job; rm -rf $(quote "$tmp")"
		progress "$text"
		start_job "$tmp/log" "$function" "$tmp" "$@"
		status=0
		wait_for_job "$text" progress || status=$?
		if [ "$status" -ne 0 ]; then
			tail -n 40 "$tmp/log" >&2
			die "$text: $(job_failure "$tmp/log" "$status")"
		fi
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
