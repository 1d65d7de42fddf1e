# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2016,SC2034
#
# Shared by the VM scripts: messages, the temporary directory, and the
# content-addressed cache. Sourced, never run.

vm_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repo=$(cd "$vm_dir/../.." && pwd)
. "$vm_dir/../steps.sh"
cache=${GENLTESTD_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/genltestd}
kernels=(5.10 6.1 6.12 7)

# The scripts call make themselves, and must not use the job server of a surrounding
# make.
unset MAKEFLAGS MFLAGS MAKELEVEL

: "${GENLTEST_VM_START:=$(date +%s)}"
export GENLTEST_VM_START # so that child scripts count from the same moment
verbose=${GENLTEST_VM_VERBOSE:-}

progress() { # TEXT: a line for users who requested progress
	[ -z "$verbose" ] || printf '[%3ds] %s\n' $(($(date +%s) - GENLTEST_VM_START)) "$*" >&2
}

# Every script here returns 125 when the harness failed and not the caller's command,
# as chroot(1) and timeout(1) do. The first reason is also sent to a script that runs
# this one in parallel with others.
die() { # TEXT
	local reasons=${GENLTEST_VM_REASONS:-}
	[ -z "$reasons" ] || printf '%s\n' "$*" >>"$reasons"
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 125
}
report_failure() { # STATUS
	[ "$1" -eq 125 ] || [ -z "$failed_command" ] || (die "$failed_command")
}

# in_parallel runs "COMMAND... WORD" for each line of standard input, two at a time. It
# ends the script with the reason of the first failure.
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

# key prints one hash of its arguments and standard input. The callers list the inputs
# explicitly, so a change of a comment elsewhere rebuilds nothing.
key() { # STRING... <data
	{ printf '%s\0' "$@" && cat; } | sha256sum | cut -c1-16
}

# quote prints its arguments as one line of POSIX shell words.
quote() { # WORD...
	local word
	for word; do printf " '%s'" "${word//\'/\'\\\'\'}"; done
}

# cache_entry sets $REPLY to the directory NAME-KEY of the cache and keeps it locked
# until this process ends. If it does not exist, "FUNCTION DIR ARG..." fills a
# temporary directory that is renamed into place. Entries with the same name and
# another key are removed, unless another process has locked them.
cache_entry() { # NAME KEY TEXT FUNCTION [ARG...]
	local name=$1 key=$2 text=$3 function=$4 lock hold tmp old status
	shift 4
	local entry=$cache/$name-$key
	mkdir -p "$cache/locks" "$cache/tmp"
	exec {lock}>"$cache/locks/$name"
	flock "$lock"
	if [ ! -d "$entry" ]; then
		rm -rf "$cache/tmp/$name".* # from a builder that was killed
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
