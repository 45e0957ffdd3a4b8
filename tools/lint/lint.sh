#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# tools/lint/lint.sh BUILD_FOLDER: every static check; all are run, and the
# exit status is 1 when one has findings.
set -u
cd "$(dirname "$0")/../.."
out=$1
status=0

run() {
	name=$1
	shift
	if "$@"; then
		printf '  %-14s ok\n' "$name"
	else
		printf '  %-14s FAILED\n' "$name"
		status=1
	fi
}

sources=$(find src include tests tools \( -name '*.c' -o -name '*.h' \) | sort)

# Names the files; "clang-format -i FILE" mends them.
formatted() {
	found=$(clang-format --dry-run -Werror "$@" 2>&1 | sed -n 's/:.*: error: .*//p' |
		uniq -c)
	[ -z "$found" ] || { printf '%s\n' "$found"; return 1; }
}

run house "$out/venv/bin/python" tools/lint/check.py
# shellcheck disable=SC2086
run clang-format formatted $sources
# shellcheck disable=SC2046
run cppcheck cppcheck -q -j "$(nproc)" --std=c11 --error-exitcode=1 \
	--enable=warning,performance,portability --inline-suppr \
	--suppressions-list=tools/lint/cppcheck.txt -D_GNU_SOURCE \
	-D__x86_64__ '-DPYD_VERSION=""' -Iinclude -Isrc -I"$out" src
ruff=$out/venv/bin/ruff
if [ -x "$ruff" ]; then
	run ruff "$ruff" check -q .
else
	# Debian has no package of it.
	run python "$out/venv/bin/python" -m compileall -q tools tests
	echo "  ruff           not at hand (PyPI was not reached): skipped"
fi
exit $status
