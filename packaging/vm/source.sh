# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034,SC2154
#
# The source of Linux that tests compare with. It stays in the cache: no text of it becomes a
# part of this tree. Sourced, after lib.sh and deps.sh.

# The folders that tests read: the kernel's own client of YNL; its specifications, with their
# schema.
linux_source_folders=(tools/net/ynl Documentation/netlink)

# linux_source sets $REPLY: these folders of the newest source that Debian 13 has. The client
# can decode messages without a socket since Linux 6.13.
linux_source() {
	cache_entry linux-source "$(key "${linux_source_folders[@]}" <<<"$(declare -f fetch_linux_source)")" \
		'the source of Linux' fetch_linux_source
}
fetch_linux_source() { # DIR
	local mirror package packages=$1/packages apt
	mirror=$(debian_mirror)
	mkdir -p "$packages/lists/partial" "$packages/cache/archives/partial"
	echo "deb $mirror trixie-backports main" >"$packages/sources.list"
	apt=(-q -o Dir::Etc::SourceList="$packages/sources.list" -o Dir::Etc::SourceParts=/dev/null
		-o Dir::State::Lists="$packages/lists" -o Dir::Cache="$packages/cache"
		-o Acquire::Languages=none -o APT::Architectures=amd64 -o APT::Sandbox::User=root)
	apt-get "${apt[@]}" update
	package=$(apt-cache "${apt[@]}" depends linux-source | sed -n 's/^ *Depends: //p')
	(cd "$packages" && apt-get "${apt[@]}" download "$package")
	dpkg-deb --fsys-tarfile "$packages"/linux-source-*.deb | tar -x -O --wildcards './usr/src/linux-source-*.tar.xz' |
		tar -x -J -C "$1" --strip-components=1 --wildcards "${linux_source_folders[@]/#/linux-source-*/}"
	rm -rf "$packages"
}
