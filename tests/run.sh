#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# tests/run.sh BUILD_FOLDER [TEST...] [-- PYTEST_OPTION...]
#
# The unit tests, then every test in Python. All of them run even when one
# fails; the last lines say what was tested, and the exit status what failed.
set -u
cd "$(dirname "$0")/.."
out=$1
shift

tests=
while [ $# -gt 0 ] && [ "$1" != -- ]; do
	tests="$tests $1"
	shift
done
[ $# -gt 0 ] && shift

failed=

if [ -z "$tests" ]; then
	echo "== interpreters"
	if [ "$(id -u)" = 0 ] && command -v debootstrap >/dev/null; then
		# A version that cannot be had here is a line, not the end: what
		# has to be there is PYDUMPD_REQUIRE's to say.
		tools/interpreters.sh </dev/null ||
			echo "not every interpreter could be provided; see above"
	else
		echo "not root: testing with the interpreters that are here"
	fi
	"$out/venv/bin/python" tests/e2e/interpreters.py

	echo "== unit tests"
	"$out/unit" -j"$(nproc)" --timeout 120 || failed="$failed unit"
	tests=$(for t in tests/e2e tests/loader tests/offsets; do
		[ ! -d "$t" ] || echo "$t"
	done)
fi

echo "== end to end tests"
PYDUMPD_BUILD=$out
export PYDUMPD_BUILD
workers="-n $(nproc)"
"$out/venv/bin/python" -c 'import xdist' 2>/dev/null || workers=
# shellcheck disable=SC2086
"$out/venv/bin/python" -m pytest -q -p no:cacheprovider -rfEs $workers \
	"$@" $tests </dev/null || failed="$failed python"

if [ -n "$failed" ]; then
	echo "FAILED:$failed"
	exit 1
fi
echo "all tests passed"
