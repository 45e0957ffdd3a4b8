#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# tools/demo/demo.sh BUILD_FOLDER: a program hangs; what was it doing? Ends
# only the program that it started.
set -eu
cd "$(dirname "$0")/../.."
out=$(cd "$1" && pwd)
pydumpd=$out/pydumpd
work=$(mktemp -d)
shop=

end() {
	[ -z "$shop" ] || kill -9 "$shop" 2>/dev/null || true
	rm -rf "$work"
}
trap end EXIT
trap 'exit 1' INT TERM

step() {
	printf '\n\033[1m$ %s\033[0m\n' "$*" | if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
		cat
	else
		sed 's/\x1b\[[0-9]*m//g'
	fi
}

python=python3
command -v python3 >/dev/null || python=$out/venv/bin/python

step "$python tools/demo/shop.py &"
# Through exec, so that the process id is the program's and no shell's.
(exec "$python" tools/demo/shop.py) >"$work/said" 2>&1 &
shop=$!

# Once every thread sleeps and stays asleep, it hangs.
asleep=0
for _ in $(seq 200); do
	states=$(cat "/proc/$shop/task/"*/stat 2>/dev/null |
		sed 's/.*) \(.\).*/\1/' | tr -d '\n')
	case $states in
	SSS) asleep=$((asleep + 1)) ;;
	*) asleep=0 ;;
	esac
	[ "$asleep" -lt 5 ] || break
	sleep 0.05
done
if ! kill -0 "$shop" 2>/dev/null; then
	cat "$work/said"
	echo "demo: the program ended" >&2
	exit 1
fi
cat "$work/said"
echo "The shop is open, and nothing moves. It was not prepared for pydumpd."

run=
if [ "$(id -u)" != 0 ] && ! "$pydumpd" doctor "$shop" >/dev/null 2>&1 &&
	command -v sudo >/dev/null; then
	# ptrace_scope or a like setting: root may.
	run=sudo
fi

step "pydumpd attach $shop -o shop.pydump"
$run "$pydumpd" attach "$shop" -o "$work/shop.pydump"
[ -z "$run" ] || $run chown "$(id -u):$(id -g)" "$work/shop.pydump"

kill -9 "$shop"
wait "$shop" 2>/dev/null || true
shop=
echo "The shop is gone now; what follows is the dump alone."

# The prompt does the same; here its commands are given at once.
look() {
	thread=$1
	shift
	shown="pydumpd load shop.pydump --thread $thread"
	for command; do
		case $command in
		*' '*) shown="$shown -c '$command'" ;;
		*) shown="$shown -c $command" ;;
		esac
		set -- "$@" -c "$command"
		shift
	done
	step "$shown"
	"$pydumpd" load "$work/shop.pydump" --batch --thread "$thread" "$@"
}

step "pydumpd load shop.pydump -c threads"
"$pydumpd" load "$work/shop.pydump" --batch -c threads
step "pydumpd load shop.pydump -c waits"
"$pydumpd" load "$work/shop.pydump" --batch -c waits
look seller where args "p order.customer, order.problems" "p stock, ledger"
look auditor where longlist "pp checked"

cat <<'END'

The dump named the deadlock. To look around by hand:

  pydumpd attach PID       then       pydumpd load FILE
END
