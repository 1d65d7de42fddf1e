# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034,SC2154
#
# Common parts of the two "go test -exec" runners. They are called in the package's
# directory as RUNNER TEST-BINARY FLAG... Sourced.

# parse_test sets $binary, $flags (for the guest), $coverprofile (the host's file, or
# empty) and $test_seconds (the test's own limit plus a margin).
parse_test() { # BINARY FLAG...
	local flag limit=10m
	binary=$1 flags=() coverprofile=
	shift
	for flag; do
		case $flag in
		-test.coverprofile=*)
			coverprofile=${flag#*=}
			flags+=("-test.coverprofile=/tmp/genltest-cover")
			;;
		-test.timeout=*) limit=${flag#*=} && flags+=("$flag") ;;
		-test.outputdir=* | -test.gocoverdir=* | -test.testlogfile=*) ;; # folders of the host
		*) flags+=("$flag") ;;
		esac
	done
	test_seconds=$(($(go_seconds "$limit") + 60))
}

# go_seconds rounds a Go duration like 1h10m0s up; 0s, no limit, is a day.
go_seconds() { # DURATION
	local rest=$1 sum=0
	while [[ $rest =~ ^([0-9]+)(\.[0-9]+)?(h|ms|m|s)(.*)$ ]]; do
		case ${BASH_REMATCH[3]} in
		h) sum=$((sum + BASH_REMATCH[1] * 3600)) ;;
		m) sum=$((sum + BASH_REMATCH[1] * 60)) ;;
		*) sum=$((sum + BASH_REMATCH[1] + 1)) ;;
		esac
		rest=${BASH_REMATCH[4]}
	done
	[ "$sum" -gt 1 ] && echo "$sum" || echo 86400
}

# test_files copies to DIR the files of a test, which are at /work in the guest: the
# binary, testdata/, kmod/genltest.yaml. Files of GENLTEST_FILES=host=guest,... are
# copied to DIR/files.
test_files() { # DIR
	local pair pairs
	mkdir -p "$1/work"
	cp "$binary" "$1/work/package.test"
	[ ! -d testdata ] || cp -RL testdata "$1/work/"
	[ ! -e "$repo/kmod/genltest.yaml" ] || cp "$repo/kmod/genltest.yaml" "$1/work/"
	IFS=, read -r -a pairs <<<"${GENLTEST_FILES:-}"
	for pair in "${pairs[@]}"; do
		mkdir -p "$1/files/$(dirname "${pair#*=}")"
		cp -RL "${pair%%=*}" "$1/files/${pair#*=}"
	done
}

# test_command prints the script that runs the test in the guest. NAME=VALUE
# pairs are added to GENLTESTD_SOAK and the GENLTEST_* variables of this environment.
test_command() { # NAME=VALUE...
	local name pair value
	for name in "${!GENLTEST_@}" ${GENLTESTD_SOAK+GENLTESTD_SOAK}; do
		case $name in
		GENLTEST_FILES | GENLTEST_VM_*) ;;
		*) value=$(quote "${!name}") && printf 'export %s=%s\n' "$name" "${value# }" ;;
		esac
	done
	for pair in "GENLTEST_KERNEL=$kernel" GENLTEST_SPEC=/work/genltest.yaml "$@"; do
		printf 'export%s\n' "$(quote "$pair")"
	done
	printf 'cd /work && exec ./package.test%s\n' "$(quote "${flags[@]}")"
}

# finish_test ends the script with STATUS, or with 1 if the kernel logged a fault.
finish_test() { # STATUS COVERPROFILE KERNEL-LOG
	[ -z "$coverprofile" ] || [ ! -s "$2" ] || cp "$2" "$coverprofile"
	if [ -s "$3" ]; then
		printf '%s: kernel %s complained during the test:\n' "${0##*/}" "$kernel" >&2
		cat "$3" >&2
		[ "$1" -ne 0 ] || exit 1
	fi
	exit "$1"
}
