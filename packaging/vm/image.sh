# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2016,SC2154
#
# The files that a VM is booted from: the base root file system (one per Debian release
# of the guest), an initramfs per kernel, and the payload that is copied onto the root.
# Sourced.

# The older kernels run with the systemd of Debian 12. The newer ones run with that of
# Debian 13, which keeps stored sockets across stop and start.
guest_suites=(bookworm trixie)
guest_suite() { # KERNEL
	case $1 in
	5.10 | 6.1) echo bookworm ;;
	*) echo trixie ;;
	esac
}
guest_systemd() { # SUITE
	case $1 in
	bookworm) echo 252 ;;
	trixie) echo 257 ;;
	esac
}

pack() { # DIR >archive: a layer of an initramfs; layers are simply concatenated
	(cd "$1" && find . -mindepth 1 -print0 | sort -z | cpio --quiet --null --create --format=newc --owner=+0:+0)
}

# base_image sets $REPLY: root.ext4, Debian with systemd, without files of this
# project.
base_image() { # SUITE
	cache_entry "base-$1" "$(key "$(declare -f bootstrap build_base_image)" <<<"$(cat "$vm_dir"/guest/{packages,masked-units})")" \
		"build the root file system of the guest ($1)" build_base_image "$1"
}
build_base_image() { # DIR SUITE
	local packages units
	packages=$(sed '/^#/d' "$vm_dir/guest/packages" | paste -sd,)
	units=$(sed '/^#/d' "$vm_dir/guest/masked-units" | paste -sd' ')
	bootstrap "$2" "$1/root" minbase "$packages" \
		--customize-hook="chroot \"\$1\" systemctl --quiet mask $units" \
		--customize-hook='chroot "$1" passwd --quiet --delete root' \
		--customize-hook='mkdir "$1/mnt/share"' \
		--customize-hook='rm -rf "$1"/etc/fstab "$1"/etc/hostname "$1"/etc/resolv.conf "$1"/var/lib/apt/lists/* "$1"/var/log/*'
	mke2fs -q -t ext4 -O ^has_journal -E root_owner=0:0 -d "$1/root" "$1/root.ext4" 2G
	rm -rf "$1/root"
}

# daemon_files sets $REPLY: the files of "make install", a directory per SUITE.
daemon_files() {
	cache_entry daemon "$(daemon_sources | xargs -0 sha256sum |
		key "$(go env GOVERSION GOFLAGS)" "$(declare -f guest_systemd build_daemon_files)")" \
		'build and install genltestd' build_daemon_files
}
daemon_sources() { # everything in the repository that cannot be ruled out
	find "$repo" \( -name '.?*' -o -path "$repo/build" -o -path "$repo/packaging/vm" -o -path "$repo/packaging/e2e" \
		-o -path "$repo/packaging/powercut" -o -path "$repo/packaging/bench" -o -path "$repo/kmod" -o -name testdata \) -prune \
		-o -type f ! -name '*_test.go' ! -name '*.md' -print0 | sort -z
}
build_daemon_files() { # DIR
	local suite
	for suite in "${guest_suites[@]}"; do
		make -s -C "$repo" install "DESTDIR=$1/$suite" "SYSTEMD=$(guest_systemd "$suite")"
	done
}

# initramfs sets $REPLY: boot.cpio for both lanes, and fast.cpio with the modules that
# tests of the fast lane load themselves.
initramfs() { # KERNEL
	local root modules
	kernel_root "$1"
	root=$REPLY/root
	kernel_modules "$1"
	modules=$REPLY
	cache_entry "initramfs-$1" \
		"$(key "${root#"$cache"/}" "${modules#"$cache"/}" "$(declare -f build_initramfs module_order pack)" \
			<<<"$(cat "$vm_dir"/guest/{init,run-command,check-kernel-log})")" \
		"pack the initramfs of kernel $1" build_initramfs "$root" "$modules"
}
build_initramfs() { # DIR ROOT MODULES
	local tree=$1/tree kernel=$2/kernel abi module
	abi=$(<"$kernel/abi")
	mkdir -p "$tree"/{bin,guest}
	cp /bin/busybox "$tree/bin/"
	cp "$vm_dir/guest/init" "$tree/init"
	cp "$vm_dir"/guest/{run-command,check-kernel-log} "$tree/guest/"
	chmod 755 "$tree/init"
	module_order "$2" virtio_pci virtio_blk virtio_console >"$tree/boot-modules"
	while read -r module; do
		install -D -m 644 "$kernel/$module" "$tree/$module"
	done <"$tree/boot-modules"
	pack "$tree" >"$1/boot.cpio"
	rm -rf "$tree"

	mkdir -p "$tree/lib/modules-test"
	cp "$3"/*.ko "$(find "$kernel/lib/modules/$abi" -name team.ko)" "$tree/lib/modules-test/"
	pack "$tree" >"$1/fast.cpio"
	rm -rf "$tree"
	cp --link "$kernel/vmlinux" "$1/"
}

# module_order prints the files to load for the MODULEs, dependencies first.
module_order() { # ROOT MODULE...
	local root=$1 module
	shift
	for module; do
		in_root "$root" "$root/src" modprobe -d /kernel -S "$(<"$root/kernel/abi")" --ignore-install --show-depends "$module"
	done | awk '$1 == "insmod" && !seen[$2]++ { sub(/^\/kernel\//, "", $2); print $2 }'
}

# payload sets $REPLY: full.cpio, the files that are copied onto the root of the full
# VM.
payload() { # KERNEL
	local suite root modules netdevsim clients daemon
	suite=$(guest_suite "$1")
	kernel_root "$1"
	root=$REPLY/root
	kernel_modules "$1"
	modules=$REPLY
	netdevsim_module "$1"
	netdevsim=$REPLY
	test_clients
	clients=$REPLY
	daemon_files
	daemon=$REPLY/$suite
	cache_entry "payload-$1" \
		"$(find "$vm_dir/guest" -type f -print0 | sort -z | xargs -0 sha256sum |
			key "${root#"$cache"/}" "${modules##*/}" "${netdevsim##*/}" "${clients##*/}" "${daemon#"$cache"/}" \
				"$(declare -f build_payload pack)")" \
		"pack the payload of kernel $1" build_payload "$root" "$modules" "$clients" "$daemon" "$netdevsim"
}
build_payload() { # DIR ROOT MODULES CLIENTS DAEMON NETDEVSIM
	local tree=$1/tree/payload root=$2 abi
	abi=$(<"$root/kernel/abi")
	mkdir -p "$tree/usr/lib"
	cp -a "$5/." "$tree/"
	cp -a "$vm_dir/guest/rootfs/." "$tree/"
	install -D -t "$tree/usr/local/lib/genltest-vm" "$vm_dir"/guest/{run-command,check-kernel-log}
	mkdir -p "$tree/etc/systemd/system/multi-user.target.wants"
	ln -s ../genltest-vm-command.service "$tree/etc/systemd/system/multi-user.target.wants/"
	cp -a "$4/bin" "$tree/usr/local/lib/genltest-tests"

	cp -a "$root/kernel/lib/modules" "$tree/usr/lib/"
	install -D -m 644 -t "$tree/usr/lib/modules/$abi/updates" "$3/genltest.ko"
	install -D -m 644 -t "$tree/usr/lib/modules/$abi/extra" "$3"/genltest_{tutorial,linkflap}.ko
	[ ! -e "$6/netdevsim.ko" ] || install -m 644 -t "$tree/usr/lib/modules/$abi/extra" "$6/netdevsim.ko"
	ln -s usr/lib "$tree/lib"
	in_root "$root" "$tree" depmod -b /src "$abi"
	rm "$tree/lib"
	pack "$1/tree" >"$1/full.cpio"
	rm -rf "$1/tree"
}
