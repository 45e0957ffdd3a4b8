#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# tests/asan.sh BUILD_FOLDER: what was built under BUILD_FOLDER/asan with the
# address and undefined behaviour sanitizers: the unit tests, broken memory of
# every interpreter, and real attaches in every mode.
set -u
cd "$(dirname "$0")/.."
out=$(cd "$1" && pwd)
san=$out/asan
failed=
# The test runner itself leaks; our own programs may not.
UBSAN_OPTIONS=print_stacktrace=1
export UBSAN_OPTIONS

echo "== unit tests"
ASAN_OPTIONS=detect_leaks=0 "$san/unit" -j"$(nproc)" --timeout 300 ||
	failed="$failed unit"

echo "== live processes and broken memory"
PYDUMPD_BUILD=$san PYDUMPD_MUTATIONS=${PYDUMPD_MUTATIONS:-1000}
PYDUMPD_PYTHON=$out/venv/bin/python
export PYDUMPD_BUILD PYDUMPD_MUTATIONS PYDUMPD_PYTHON
"$out/venv/bin/python" -m pytest -q -p no:cacheprovider \
	tests/e2e/test_mutate.py tests/e2e/test_truth.py \
	tests/e2e/test_attach_cli.py </dev/null || failed="$failed python"

[ -z "$failed" ] || { echo "FAILED:$failed"; exit 1; }
echo "sanitizers: clean"
