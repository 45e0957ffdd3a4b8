#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# tests/fuzz.sh BUILD_FOLDER SECONDS: every fuzzer for so many seconds. What
# crashes one is kept in BUILD_FOLDER/fuzz, and its name printed.
set -u
cd "$(dirname "$0")/.."
out=$(cd "$1" && pwd)
seconds=$2
failed=

for fuzzer in "$out"/fuzz/fuzz_*; do
	[ -x "$fuzzer" ] && [ ! -d "$fuzzer" ] || continue
	case $fuzzer in *.*) continue ;; esac
	name=$(basename "$fuzzer")
	echo "== $name"
	mkdir -p "$out/fuzz/corpus-$name"
	"$fuzzer" -max_total_time="$seconds" -timeout=30 -len_control=0 \
		-print_final_stats=1 -artifact_prefix="$out/fuzz/$name-" \
		"$out/fuzz/corpus-$name" 2>"$out/fuzz/$name.log" ||
		failed="$failed $name"
	grep -E 'SUMMARY|ERROR|number_of_executed_units' "$out/fuzz/$name.log"
done

[ -z "$failed" ] || { echo "FAILED:$failed; see $out/fuzz/*.log"; exit 1; }
echo "fuzzers: nothing found"
