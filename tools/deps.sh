#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# tools/deps.sh BUILD_FOLDER build|check|lint|all
#
# Installs what is missing and nothing else: Debian packages by apt (by sudo
# when not root), then the loader's Python packages into BUILD_FOLDER/venv. A
# second run finds everything there and starts neither apt nor pip.
set -eu
cd "$(dirname "$0")/.."
out=$1
group=${2:-all}
venv=$out/venv

say() { printf '%s\n' "deps: $*" >&2; }
die() { say "$*"; exit 1; }

# One word a package; "a|b" is the first of both that the release knows.
build="gcc make pkg-config libc6-dev libunwind-dev libelf-dev libdw-dev
	libmsgpack-c-dev|libmsgpack-dev libzstd-dev liblz4-dev
	liblzma-dev zlib1g-dev libjson-c-dev libpcre2-dev
	libiberty-dev
	libseccomp-dev python3 python3-venv"
check="libcriterion-dev debootstrap strace gdb"
lint="clang libclang-rt-dev clang-format clang-tidy cppcheck"

case $group in
build) want=$build ;;
check) want="$build $check" ;;
lint) want="$build $lint" ;;
all) want="$build $check $lint" ;;
*) die "no group '$group': build, check, lint or all" ;;
esac

installed() {
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# Prints the packages that are missing, alternatives unresolved.
missing() {
	for p in $want; do
		first=${p%%|*}
		other=${p#*|}
		installed "$first" || installed "$other" || printf '%s ' "$p"
	done
}

# Makes "a|b" the one that apt can install.
resolve() {
	for p in "$@"; do
		first=${p%%|*}
		other=${p#*|}
		if [ "$first" != "$other" ] &&
			! apt-cache show "$first" >/dev/null 2>&1; then
			first=$other
		fi
		printf '%s ' "$first"
	done
}

as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		die "cannot install packages: not root and no sudo; as root: $*"
	fi
}

apt_install() {
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y \
		--no-install-recommends "$@" </dev/null >&2
}

packages() {
	if ! command -v dpkg-query >/dev/null; then
		say "no dpkg here: install the like of: $(echo "$want" | tr -s '\n\t ' ' ')"
		return
	fi
	lack=$(missing)
	[ -n "$lack" ] || return 0
	say "installing: $lack"
	# shellcheck disable=SC2046,SC2086
	if ! apt_install $(resolve $lack); then
		say "once more with fresh package lists"
		as_root apt-get update -q </dev/null >&2 || true
		# shellcheck disable=SC2046,SC2086
		apt_install $(resolve $lack) || die "apt could not install: $lack"
	fi
}

# The first python3 that can make environments. The loader wants 3.8.
find_python() {
	for p in "${PYTHON:-python3}" /usr/bin/python3; do
		if "$p" -c 'import sys, venv, ensurepip
assert sys.version_info >= (3, 8)' 2>/dev/null; then
			printf '%s' "$p"
			return
		fi
	done
	die "no Python 3.8 or later with the venv module found"
}

have_modules() {
	"$venv/bin/python" -c 'import msgpack, pytest, zstandard' 2>/dev/null
}

environment() {
	stamp=$venv/.made-from
	if [ -e "$stamp" ] && cmp -s "$stamp" tools/requirements.txt && have_modules
	then
		return
	fi
	python=$(find_python)
	say "making $venv with $("$python" -V)"
	rm -rf "$venv"
	mkdir -p "$out"
	"$python" -m venv "$venv"
	if "$venv/bin/python" -m pip install -q --disable-pip-version-check \
		--retries 1 --timeout 15 -r tools/requirements.txt </dev/null >&2
	then
		cp tools/requirements.txt "$stamp"
		return
	fi
	say "PyPI is not reached; taking the distribution's packages"
	rm -rf "$venv"
	want="python3-msgpack python3-zstandard python3-pytest
		python3-pytest-xdist python3-pytest-timeout python3-venv"
	packages
	/usr/bin/python3 -m venv --system-site-packages "$venv"
	have_modules || die "the distribution's packages do not serve either"
	cp tools/requirements.txt "$stamp"
}

packages
environment
