# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2016,SC2054,SC2154
#
# Boots QEMU and waits for the command in it. Sourced.
#
# The guest writes to virtio-serial ports, each of which is a plain file in $run_dir.
# Data is in the file when the guest's write returns, so killing QEMU loses no data,
# and a slow reader of our output does not delay the guest. The port "status" is QEMU's
# standard output, a pipe to the script; its end of file means that QEMU has ended.

qemu=
readers=

now_ms() { echo $((${EPOCHREALTIME/[.,]/} / 1000)); }

# seconds converts 90, 90s, 5m or 1h to seconds.
seconds() { # DURATION
	local unit=1
	[[ $1 =~ ^[0-9]+[smh]?$ ]] || die "not a duration: \"$1\" (try 90s, 5m or 1h)"
	case $1 in
	*h) unit=3600 ;;
	*m) unit=60 ;;
	esac
	echo $((10#${1%[smh]} * unit))
}

# machine_arguments sets $machine. The CPU is an old model, because each feature of a
# newer one must be probed, patched in and emulated. The kernel's watchdogs are off: if
# the host does not schedule the VM for seconds, they report a lockup, which would fail
# a test. A real lockup ends in the test's timeout. LAYERs are cpio archives; the last
# one, made from $run_dir/layer, contains the command of this run.
machine_arguments() { # KERNEL-IMAGE LAYER...
	local image=$1
	shift
	pack "$run_dir/layer" | cat "$@" - >"$run_dir/initrd"
	machine=(
		-machine q35 -accel "${VM_ACCEL:-tcg,thread=multi}" -cpu Nehalem,+rdrand
		-smp "${VM_CPUS:-2}" -m "${VM_MEMORY:-1024}"
		-nodefaults -no-user-config -display none -no-reboot
		-kernel "$image" -initrd "$run_dir/initrd"
	)
	[ -z "${VM_ICOUNT:-}" ] || machine+=(-icount "$VM_ICOUNT")
	kernel_arguments='console=ttyS0 quiet panic=-1 oops=panic mitigations=off tsc=reliable no_timer_check'
	kernel_arguments+=' cryptomgr.notests random.trust_cpu=on 8250.nr_uarts=1'
	kernel_arguments+=' nowatchdog rcupdate.rcu_cpu_stall_suppress=1 sysctl.kernel.hung_task_timeout_secs=0'
}

# share_arguments starts virtiofsd for DIR and adds its device to $machine.
share_arguments() { # DIR
	local server socket=$run_dir/share.sock
	for server in /usr/lib/qemu/virtiofsd /usr/libexec/virtiofsd; do
		[ ! -x "$server" ] || break
	done
	setpriv --pdeathsig KILL "$server" --socket-path="$socket" -o source="$1" -o cache=auto \
		>"$run_dir/virtiofsd.log" 2>&1 </dev/null &
	virtiofsd=$!
	on_exit 'kill "$virtiofsd" 2>/dev/null; wait "$virtiofsd"'
	until [ -S "$socket" ]; do
		kill -0 "$virtiofsd" 2>/dev/null || die "virtiofsd: $(<"$run_dir/virtiofsd.log")"
		sleep 0.02
	done
	machine+=(
		-object "memory-backend-memfd,id=memory,size=${VM_MEMORY:-1024}M,share=on"
		-machine memory-backend=memory
		-chardev "socket,id=share,path=$socket"
		-device vhost-user-fs-pci,chardev=share,tag=share
	)
}

# disk_arguments adds the disk FILE to $machine. The log has its full length from the
# beginning, and QEMU updates its header after each entry, because QEMU will be killed.
disk_arguments() { # FILE
	rm -f "$1.log"
	truncate --size=64G "$1.log"
	machine+=(
		-blockdev "driver=raw,node-name=disk-file,file.driver=file,file.filename=$1"
		-blockdev "driver=raw,node-name=disk-log,file.driver=file,file.filename=$1.log"
		-blockdev driver=blklogwrites,node-name=disk,file=disk-file,log=disk-log,log-sector-size=512,log-super-update-interval=1
		-device virtio-blk-pci,drive=disk
	)
}

# port_arguments adds the serial console and the named ports to $machine. With
# ioeventfd a write to "status" could overtake one to another port. The data that the guest writes
# to the port "monitor" is a command to QEMU, such as system_powerdown.
port_arguments() { # NAME...
	local port
	machine+=(
		-chardev "file,id=console,path=$run_dir/console" -serial chardev:console
		-device virtio-serial-pci,ioeventfd=off
		-chardev file,id=status,path=/dev/stdout -device virtserialport,chardev=status,name=status
		-chardev "socket,id=commands,path=$run_dir/monitor.sock,server=on,wait=off" -mon chardev=commands
		-chardev "socket,id=monitor,path=$run_dir/monitor.sock" -device virtserialport,chardev=monitor,name=monitor
	)
	kernel_arguments+=" genltest_vm.ports=$(($# + 2))"
	for port; do
		: >"$run_dir/$port"
		machine+=(
			-chardev "file,id=$port,path=$run_dir/$port,append=on"
			-device "virtserialport,chardev=$port,name=$port"
		)
	done
}

# boot runs $machine until the guest has reported the exit status of its command, and
# returns that status, or 124 after the timeout. Otherwise it ends the script with 125.
boot() { # SECONDS
	local status_port line='' begin deadline left started=
	begin=$(now_ms)
	deadline=$((begin + $1 * 1000))
	exec {status_port}< <(trap - EXIT && exec setpriv --pdeathsig KILL qemu-system-x86_64 "${machine[@]}" \
		-append "$kernel_arguments" 2>"$run_dir/qemu.log" </dev/null)
	qemu=$!
	on_exit 'kill $readers 2>/dev/null; stop_qemu'
	tail -f -c +1 -s 0.1 --pid="$qemu" "$run_dir/stdout" &
	readers=$!
	tail -f -c +1 -s 0.1 --pid="$qemu" "$run_dir/stderr" >&2 &
	readers+=" $!"

	while left=$((deadline - $(now_ms))) && [ "$left" -gt 0 ]; do
		line=
		if read -r -t "$((left / 1000)).$(printf %03d $((left % 1000)))" -u "$status_port" line; then
			case $line in
			started)
				started='while the command ran'
				progress "kernel $kernel: the command starts, $(($(now_ms) - begin)) ms after power-on"
				;;
			exit\ *)
				stop_qemu
				return "${line#exit }"
				;;
			esac
		elif [ $? -le 128 ]; then # end of file
			stop_qemu
			tail -n 120 "$run_dir/qemu.log" "$run_dir/console" >&2
			die "the VM (kernel $kernel) broke down ${started:-before the command started}, console above"
		fi
	done
	stop_qemu
	[ -n "$started" ] || tail -n 40 "$run_dir/console" >&2
	printf '%s: timeout after %ss %s\n' "${0##*/}" "$1" "${started:-before the command started, console above}" >&2
	return 124
}

# stop_qemu also waits until all output has been copied.
stop_qemu() {
	[ -n "$qemu" ] || return 0
	kill -KILL "$qemu" 2>/dev/null || true
	# shellcheck disable=SC2086  # a list
	wait "$qemu" $readers || true
	qemu='' readers=''
}
