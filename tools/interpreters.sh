#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Provides Python versions to test with: small Debian systems in
# ${PYDUMPD_CACHE:-~/.cache/pydumpd}/suites/SUITE, which tests enter by chroot.
# Takes the mirror from apt's configuration, or from PYDUMPD_MIRROR. A second
# run finds everything there. Needs root, which it gets by sudo if it can.
#
#	tools/interpreters.sh [SUITE...]
set -eu

# Suite, then packages. "python3" is for the version that the suite has as its
# own. forky's Debian may be younger than debootstrap: sid's script serves it.
suites='
bullseye python3 python3.9-dbg python3.9-dev
trixie python3 python3.13 python3.13-dbg python3.13-dev
forky python3 python3.13 python3.13-dbg python3.13-dev python3.14 python3.14-dbg python3.14-dev python3.15 python3.15-dbg python3.15-dev
'
# Megabytes that the largest takes while it is made.
room=2500

say() { printf '%s\n' "interpreters: $*" >&2; }
die() {
	say "$*"
	exit 1
}

cache=${PYDUMPD_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/pydumpd}
top=$cache/suites

# The packages of a suite.
packages() {
	printf '%s\n' "$suites" | sed -n "s/^$1 //p"
}

# True when a folder has all packages of its suite.
has_packages() {
	[ -d "$1/var/lib/dpkg" ] || return 1
	for p in $2; do
		[ "$(dpkg-query --admindir="$1/var/lib/dpkg" -W \
			-f '${db:Status-Status}' "$p" 2>/dev/null)" = installed ] ||
			return 1
	done
}

stamp_of() {
	printf '%s\n' "$1 $(packages "$1")"
}

ready() {
	[ -d "$top/$1" ] &&
		[ "$(cat "$top/$1.stamp" 2>/dev/null)" = "$(stamp_of "$1")" ]
}

mirror() {
	if [ -n "${PYDUMPD_MIRROR:-}" ]; then
		printf '%s\n' "$PYDUMPD_MIRROR"
		return
	fi
	# $() is apt's, not the shell's.
	# shellcheck disable=SC2016
	apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(REPO_URI)' \
		'Created-By: Packages' 2>/dev/null |
		sed -n 's/^Debian|Debian|//p' | head -n 1
}

# Makes one suite in the folder $3. Runs in a mount namespace of its own where
# that can be had: whatever debootstrap mounts ends with it.
build() {
	suite=$1 uri=$2 dir=$3
	script=$suite
	[ -e "/usr/share/debootstrap/scripts/$suite" ] || script=sid
	debootstrap --variant=minbase "$suite" "$dir" "$uri" "$script"
	# No index is too old: a suite that has moved on is still good to test with.
	echo "deb [check-valid-until=no] $uri $suite main" \
		>"$dir/etc/apt/sources.list"
	rm -f "$dir"/etc/apt/sources.list.d/*
	cat >"$dir/etc/dpkg/dpkg.cfg.d/pydumpd" <<-EOT
		path-exclude=/usr/share/doc/*
		path-exclude=/usr/share/man/*
		path-exclude=/usr/share/locale/*
		path-exclude=/usr/lib/*.a
	EOT
	# Nothing that a package brings is to be started.
	printf '#!/bin/sh\nexit 101\n' >"$dir/usr/sbin/policy-rc.d"
	chmod 755 "$dir/usr/sbin/policy-rc.d"
	in_suite="chroot $dir env DEBIAN_FRONTEND=noninteractive LC_ALL=C"
	$in_suite apt-get update -q
	# shellcheck disable=SC2046
	$in_suite apt-get install -q -y --no-install-recommends \
		$(packages "$suite")
	$in_suite apt-get clean
	rm -rf "$dir"/var/lib/apt/lists/* "$dir"/var/cache/debconf/*-old
	for python in "$dir"/usr/bin/python3.*; do
		name=${python##*/}
		case $name in *-config) continue ;; esac
		$in_suite "/usr/bin/$name" -c 'import ctypes, threading'
	done
}

provide() {
	suite=$1
	new=$top/.$suite.$$
	log=$top/$suite.log
	if has_packages "$top/$suite" "$(packages "$suite")"; then
		# Of a run that had no time to say so, or made by hand.
		stamp_of "$suite" >"$top/$suite.stamp"
		say "$suite: was there"
		return 0
	fi
	free=$(df -Pm "$top" | awk 'NR == 2 { print $4 }')
	if [ "$free" -lt "$room" ]; then
		say "$suite: $free MB are free in $top, $room are needed"
		return 1
	fi
	uri=$(mirror)
	if [ -z "$uri" ]; then
		say "$suite: apt knows no Debian mirror here; set PYDUMPD_MIRROR"
		return 1
	fi
	say "$suite: making it, which takes minutes; see $log"
	mkdir "$new" || return 1
	if ! $namespace sh "$0" --build "$suite" "$uri" "$new" \
		>"$log" 2>&1 </dev/null; then
		say "$suite: failed: $(reason "$log"); see $log"
		remove "$new"
		return 1
	fi
	# Called in a condition, where set -e is off.
	rm -f "$top/$suite.stamp"
	if [ -e "$top/$suite" ]; then
		mv "$top/$suite" "$new.old" || return 1
	fi
	mv "$new" "$top/$suite" || return 1
	stamp_of "$suite" >"$top/$suite.stamp" || return 1
	remove "$new.old"
	rm -f "$log"
	say "$suite: done"
}

# The line of a log that says why.
reason() {
	grep -E '^(E|W): ' "$1" | tail -n 1 | grep . || tail -n 1 "$1"
}

# Never across a mount that something left in there.
remove() {
	rm -rf --one-file-system "$1"
}

clean_up() {
	for leftover in "$top"/.*.$$ "$top"/.*.$$.old; do
		if [ -d "$leftover" ]; then
			remove "$leftover"
		fi
	done
}

if [ "${1:-}" = --build ]; then
	shift
	build "$@"
	exit
fi

all=$(printf '%s\n' "$suites" | awk 'NF { print $1 }')
want=${*:-$all}
todo=
for suite in $want; do
	[ -n "$(packages "$suite")" ] ||
		die "no suite $suite; there are:" $all
	ready "$suite" || todo="$todo $suite"
done
[ -n "$todo" ] || exit 0

if [ "$(id -u)" != 0 ]; then
	command -v sudo >/dev/null ||
		die "cannot provide$todo: not root, and there is no sudo"
	sudo -n true 2>/dev/null || [ -t 0 ] ||
		die "cannot provide$todo: not root, and sudo asks for a password"
	exec sudo env PYDUMPD_CACHE="$cache" \
		PYDUMPD_MIRROR="${PYDUMPD_MIRROR:-}" "$0" "$@"
fi
command -v debootstrap >/dev/null ||
	die "cannot provide$todo: no debootstrap; run: make deps"
# Where apt goes by a proxy, so must debootstrap and the apt inside.
proxy=
eval "$(apt-config shell proxy Acquire::http::Proxy 2>/dev/null)"
[ -z "$proxy" ] || export http_proxy="$proxy"

mkdir -p "$top"
exec 9>"$top/.lock"
flock 9
trap clean_up EXIT
trap 'exit 1' HUP INT TERM
namespace=
! unshare --mount true 2>/dev/null || namespace='unshare --mount'
status=0
for suite in $todo; do
	# Another run may have made it while we waited.
	ready "$suite" || provide "$suite" || status=1
done
exit $status
