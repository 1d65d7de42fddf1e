# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2016,SC2154
#
# Kernels: for each one, a root of the Debian release that ships it, with its compiler,
# headers, image and modules; and our modules, compiled in it. Sourced.

kernel_suite() { # KERNEL
	case $1 in
	5.10) echo bullseye ;;
	6.1) echo bookworm ;;
	6.12) echo trixie ;;
	7) echo trixie-backports ;;
	esac
}

# The 6.1 root also contains the tools for kmod-check and the C test client.
kernel_packages() { # KERNEL
	local packages=make,binutils,kmod,lz4,xz-utils,zstd
	case $1 in
	6.1) packages+=,linux-headers-cloud-amd64,perl,sparse,gcc,libc6-dev,libnl-genl-3-dev,pkg-config ;;
	7) packages+=,linux-headers-cloud-amd64/trixie-backports ;;
	6.12) packages+=,linux-headers-cloud-amd64,perl ;;
	*) packages+=,linux-headers-cloud-amd64 ;;
	esac
	echo "$packages"
}

# bootstrap runs mmdebstrap in a separate mount namespace, so that no mount remains
# after it. It omits files that a throwaway root does not need.
bootstrap() { # SUITE DIR VARIANT PACKAGES [OPTION...]
	local suite=$1 dir=$2 variant=$3 packages=$4 mirror lines=()
	shift 4
	mirror=$(debian_mirror)
	lines=("deb $mirror ${suite%-backports} main")
	[ "$suite" = "${suite%-backports}" ] || lines+=("deb $mirror $suite main")
	unshare --mount mmdebstrap --quiet --variant="$variant" --include="$packages" \
		--aptopt='Acquire::Languages "none"' --aptopt='APT::Install-Recommends "false"' \
		--dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
		--dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/info/*' \
		--dpkgopt='path-exclude=/usr/share/i18n/*' --dpkgopt='path-exclude=/usr/lib/gcc/*/lto1' \
		"$@" "${suite%-backports}" "$dir" "${lines[@]}"
}

# kernel_root sets $REPLY: root/ for chroot; root/kernel/ with abi, vmlinux,
# lib/modules/, and the sources netdevsim/ if this kernel can load it.
kernel_root() { # KERNEL
	local suite packages hook=$vm_dir/unpack-kernel input=$vm_dir/guest/modules
	suite=$(kernel_suite "$1")
	packages=$(kernel_packages "$1")
	cache_entry "kernel-$1" \
		"$(key "$suite" "$packages" "$(declare -f bootstrap)" <<<"$(cat "$hook" "$input")")" \
		"build root for kernel $1 ($suite)" build_kernel_root "$suite" "$packages" "$hook" "$input"
}
build_kernel_root() { # DIR SUITE PACKAGES HOOK INPUT
	bootstrap "$2" "$1/root" apt "$3" --customize-hook="$(quote "$4") \"\$1\" $(quote "$5")"
}

# in_root runs a command in a kernel root with SOURCES bound to /src. objtool needs
# /proc. Both mounts and all processes end with the command. A shell is process 1: make
# kills itself repeatedly when it is terminated, which process 1 cannot do.
in_root() { # ROOT SOURCES COMMAND...
	unshare --mount --pid --fork --kill-child sh -euc '
		root=$1 src=$2
		shift 2
		mount --bind "$src" "$root/src"
		mount -t proc proc "$root/proc"
		chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/ LC_ALL=C.UTF-8 "$@"
		exit' \
		in_root "$@"
}

# Folders with one module each: genltest, and the modules that its tests load.
module_dirs=(kmod kmod/tests/tutorial kmod/tests/squatter kmod/tests/linkflap)

# module_sources lists the files that the compiler needs from kmod/, NUL-separated,
# without Go tests and products of an earlier make.
module_sources() {
	(cd "$repo" && find kmod -type f \( -name '*.[ch]' -o -name Kbuild -o -name Makefile \) ! -name '*.mod.c' -print0 | sort -z)
}
module_sources_key() { # STRING...
	(cd "$repo" && module_sources | xargs -0 sha256sum | key "$@")
}

# kernel_modules sets $REPLY: genltest.ko and the modules of its tests.
kernel_modules() { # KERNEL
	local root
	[ -e "$repo/kmod/genltest.c" ] || die "kmod/genltest.c does not exist"
	kernel_root "$1"
	root=$REPLY/root
	cache_entry "modules-$1" \
		"$(module_sources_key "${root#"$cache"/}" "${module_dirs[*]}" "$(declare -f build_kernel_modules)")" \
		"compile genltest.ko for kernel $1" build_kernel_modules "$root"
}
build_kernel_modules() { # DIR ROOT
	local dir=$1 root=$2 abi sub
	abi=$(<"$root/kernel/abi")
	mkdir "$dir/src"
	(cd "$repo" && module_sources | cpio --quiet -0pdm "$dir/src")
	for sub in "${module_dirs[@]}"; do
		in_root "$root" "$dir/src/$sub" make -C "/lib/modules/$abi/build" M=/src W=1 modules
		mv "$dir/src/$sub"/genltest*.ko "$dir/"
	done
	! grep -q -i 'warning' "$dir/log" || return 1 # the caller then prints the log
	rm -rf "$dir/src"
}

# netdevsim_module sets $REPLY: netdevsim.ko, whose simulated devices have devlink, or an
# empty directory if this kernel cannot load it.
netdevsim_module() { # KERNEL
	local root
	kernel_root "$1"
	root=$REPLY/root
	cache_entry "netdevsim-$1" "$(key "${root#"$cache"/}" "$(declare -f build_netdevsim)" </dev/null)" \
		"compile netdevsim.ko for kernel $1" build_netdevsim "$root"
}
build_netdevsim() { # DIR ROOT
	local sources=$2/kernel/netdevsim
	[ -d "$sources" ] || return 0
	cp -a "$sources" "$1/src"
	in_root "$2" "$1/src" make -j2 -C "/lib/modules/$(<"$2/kernel/abi")/build" M=/src CONFIG_NETDEVSIM=m modules
	in_root "$2" "$1/src" strip --strip-debug /src/netdevsim.ko
	mv "$1/src/netdevsim.ko" "$1/"
	rm -rf "$1/src"
}

# test_clients sets $REPLY: the programs of kmod/tests/client. They are compiled with
# the libraries of the older guest, and also run in the newer one.
test_clients() {
	local root
	kernel_root 6.1
	root=$REPLY/root
	cache_entry clients "$(module_sources_key "${root#"$cache"/}" "$(declare -f build_test_clients)")" \
		'compile the C test clients' build_test_clients "$root"
}
build_test_clients() { # DIR ROOT
	local source name
	mkdir "$1/bin" "$1/src"
	(cd "$repo" && module_sources | cpio --quiet -0pdm "$1/src")
	for source in "$1"/src/kmod/tests/client/*.c; do
		name=$(basename "$source" .c)
		in_root "$2" "$1/src" sh -euc 'gcc -Wall -Wextra -Werror -O2 -I/src/kmod -o "/src/$1" "/src/kmod/tests/client/$1.c" \
			$(pkg-config --cflags --libs libnl-genl-3.0)' build "$name"
		mv "$1/src/$name" "$1/bin/"
	done
	rm -rf "$1/src"
}
