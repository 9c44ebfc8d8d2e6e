# shellcheck shell=bash
# lib.bash (sourced): what the benches share. A bench measures both sides in
# turns, in one run, on one machine, and prints both; it fails for wrong results
# only, never for being slow.
#
#   command[NAME]='...'   what is timed, for sh -c
#   prepare[NAME]='...'   what happens before each run, untimed
#   race ROUNDS NAME...   runs each in turn, ROUNDS times
#   show NAME LABEL       prints best, median, CPU time, memory
#   budget NAME BASE N    prints how NAME's best compares with BASE's, and whether
#                         that is within N times (".5": at most half as long)
#   fact TEXT CMD...      a test: the command succeeds
#   done_facts            the plan
#
# Settings: BENCH_ROUNDS (5), BENCH_LINES (2000000), BENCH_TB (1024: GiB of the
# largest sparse log).
set -u
cd "${MQ_TOP:-$(dirname "${BASH_SOURCE[0]}")/../..}" || exit 1
MQ_TOP=$PWD
: "${MQ_BIN:=$MQ_TOP/bin}" "${BENCH_ROUNDS:=5}" "${BENCH_LINES:=2000000}" "${BENCH_TB:=1024}"
PATH=$MQ_BIN:$PATH
TMPDIR=$(mktemp -d "${TMPDIR:-/tmp}/bench.XXXXXX") || exit 1
export MQ_TOP MQ_BIN TMPDIR PATH
trap 'rm -rf "$TMPDIR"' EXIT
timed=$MQ_TOP/build/out/t/bench/timed
facts=0

declare -A command prepare

say() { printf '# %s\n' "$*"; }

fact() {
	local text=$1
	shift
	facts=$((facts + 1))
	if "$@"; then
		echo "ok $facts - $text"
	else
		echo "not ok $facts - $text"
	fi
}

done_facts() { echo "1..$facts"; }

# Once in the output of every bench.
conditions() {
	say "$(date -u +%Y-%m-%d), $(uname -sr), $(nproc) cores of" \
	    "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)," \
	    "$(awk '/^MemTotal/ { printf "%.0f GiB", $2 / 1048576 }' /proc/meminfo) of memory," \
	    "$(findmnt -n -o FSTYPE,SOURCE -T "$TMPDIR" | tr -s ' ')"
	say "mq $(git -C "$MQ_TOP" rev-parse --short HEAD 2>/dev/null), $(cc --version | head -n 1)," \
	    "load before $(cut -d' ' -f1 /proc/loadavg)"
}

# lines FILE COUNT: lines of 100 bytes, each another, as compressible as a log.
lines() {
	awk -v n="$2" 'BEGIN {
		srand(1)
		for (i = 0; i < n; i++) {
			s = sprintf("%08d user=%06d status=%d path=/item/%d/%d", i, rand() * 1e6,
			    200 + int(rand() * 5) * 100, rand() * 1e9, rand() * 1e9)
			printf "%s %.*s\n", s, 98 - length(s),
			    "the quick brown fox jumps over the lazy dog and runs away from all of it"
		}
	}' >"$1"
}

race() {
	local rounds=$1 round name
	shift
	for name; do : >"$TMPDIR/$name.times"; done
	for ((round = 0; round < rounds; round++)); do
		for name; do
			[ -z "${prepare[$name]:-}" ] || eval "${prepare[$name]}"
			if ! "$timed" "$TMPDIR/$name.times" sh -c "${command[$name]}"; then
				say "failed: ${command[$name]}"
				fact "$name runs" false
				return 1
			fi
		done
	done
}

# figure NAME best|median|cpu|rss: milliseconds with one decimal, MiB.
figure() {
	case $2 in
	best) cut -d' ' -f1 "$TMPDIR/$1.times" | sort -n | head -n 1 ;;
	median) cut -d' ' -f1 "$TMPDIR/$1.times" | sort -n |
		awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }' ;;
	cpu) awk '{ print $2 + $3 }' "$TMPDIR/$1.times" | sort -n | head -n 1 ;;
	rss) cut -d' ' -f4 "$TMPDIR/$1.times" | sort -n | tail -n 1 ;;
	esac | awk -v what="$2" '{ printf "%.1f", what == "rss" ? $1 / 1024 : $1 / 1000 }'
}

show() {
	say "$(printf '%-52s best %8s  median %8s  cpu %8s ms  peak %6s MiB' "$2" \
	    "$(figure "$1" best)" "$(figure "$1" median)" "$(figure "$1" cpu)" "$(figure "$1" rss)")"
}

budget() {
	awk -v a="$(figure "$1" best)" -v b="$(figure "$2" best)" -v n="$3" \
	    -v am="$(figure "$1" median)" -v bm="$(figure "$2" median)" -v what="$1 : $2" 'BEGIN {
		ratio = a / b
		printf "#   %s = %.2f (medians: %.2f), budget %.2f: %s\n", what, ratio, am / bm, n,
		    ratio <= n + 0 ? "within budget" : "OVER budget"
	}'
}

same_records() { mq-consume -F none -d "$1" -t t -e -q | cmp -s - "$2"; }
