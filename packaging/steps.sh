# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2016
#
# Shared by the scripts in vm, test and demo: teardown, progress of a silent step, and
# the reason of a failure in a script's last line. Sourced. A script that sources it
# may define report_failure STATUS, which is called before it fails.

# Settings that a minimal machine, sudo or cron may lack or change.
umask 022
export LC_ALL=C.UTF-8 PATH=$PATH:/usr/local/go/bin:/usr/sbin:/sbin
[ -n "${HOME:-}" ] || { HOME=$(getent passwd "$(id -u)" | cut -d : -f 6) && export HOME; }
# Go builds programs in this directory and runs them.
if [ -z "${TMPDIR:-}" ] && findmnt -n -o OPTIONS -T /tmp | grep -qw noexec; then export TMPDIR=/var/tmp; fi

# Teardown: a LIFO of commands, run once however the script ends.
teardown=()
on_exit() { # COMMAND (evaluated at exit)
	teardown=("$1" "${teardown[@]}")
}
run_teardown() {
	local status=$? step
	trap - EXIT ERR
	trap '' INT TERM HUP
	set +e
	for step in "${teardown[@]}"; do eval "$step"; done
	[ "$status" -eq 0 ] || ! declare -F report_failure >/dev/null || report_failure "$status"
	exit "$status"
}
trap run_teardown EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

# failed_command describes the command by which errexit ended the script.
set -o errtrace
failed_command=
trap 'failed_command=$(describe_failure "$?" "${BASH_SOURCE[0]-}" "$LINENO" "$BASH_COMMAND")' ERR
describe_failure() { # STATUS FILE LINE COMMAND
	local command=${4%%$'\n'*}
	[ ${#command} -le 100 ] || command="${command:0:100}..."
	printf '%s:%s: status %s of: %s' "${2##*/}" "$3" "$1" "$command"
}

# start_job runs a command in its own process group, so that a signal to the script
# also ends compilers and package managers immediately. Sets $job and $job_done, and the
# next job replaces them. It must not be called in a condition: there bash ignores
# errexit, also in the job.
job='' job_done=''
start_job() { # LOG COMMAND...
	local log=$1
	shift
	: >"$log.failed"
	exec {job_done}<> <(:) # a pipe, both ends
	set -m
	(
		set +m
		trap - INT TERM HUP
		trap 'printf %s "$failed_command" >"$log.failed"; echo >&"$job_done"' EXIT
		"$@"
	) >"$log" 2>&1 </dev/null &
	job=$!
	set +m
}
stop_job() { # [JOB]
	local running=${1-$job}
	[ -z "$running" ] || { kill -TERM -- "-$running" && wait "$running"; } 2>/dev/null
}

# wait_for_job returns the status of a job, by default of the last one. Once a minute it
# calls "REPORT TEXT" to show that a long step is still running.
wait_for_job() { # TEXT REPORT [JOB JOB_DONE]
	local begin=$SECONDS status=0 running=${3-$job} ended=${4-$job_done}
	until read -r -t 60 -u "$ended"; do
		kill -0 "$running" 2>/dev/null || break
		"$2" "$1: still running, $((SECONDS - begin)) s"
	done
	wait "$running" || status=$?
	[ "$running" != "$job" ] || job=
	exec {ended}>&-
	return "$status"
}

# job_failure prints the reason of a job's failure in one line: the command, and the
# line of its output that contains an error, or else the last line.
job_failure() { # LOG STATUS
	local command line
	command=$(<"$1.failed")
	line=$(tail -n 40 "$1" | grep -m 1 -iE '(^|[^a-z])(e|error|fatal|fail|failed):|not found|cannot|could not|no space|no such file') ||
		line=$(grep -v '^[[:space:]]*$' "$1" | tail -n 1) || true
	printf '%s: %s' "${command:-status $2}" "$(cut -c 1-200 <<<"${line:-no output}")"
}
