#!/bin/bash
# Fuzzes the harnesses of t/fuzz for FUZZ_SECONDS (60) each, with clang's
# libFuzzer under address and undefined sanitizers. Starts from the corpus in
# t/fuzz/NAME and from what earlier runs kept in build/fuzz/corpus/NAME; an input
# that breaks something is left in build/fuzz/broken and belongs, small and
# named, into t/fuzz/NAME. A harness may have a dictionary, t/fuzz/NAME.dict.
# Then says what the corpora reach (t/fuzz/coverage.sh).
#
# usage: t/fuzz.sh [-m] [NAME...]
#   -m   fuzz nothing; put the few inputs into t/fuzz/NAME that reach what all
#        of them reach (t/fuzz/seeds.py's too). Named ones stay.
set -u
cd "$(dirname "$0")/.." || exit 1

build=build/fuzz
seconds=${FUZZ_SECONDS:-60}
merge=0
[ "${1:-}" != -m ] || { merge=1; shift; }
names=("$@")
if [ ${#names[@]} -eq 0 ]; then
	for source in t/fuzz/*.c; do
		names+=("$(basename "$source" .c)")
	done
fi
mkdir -p "$build/broken"
make -s -j "$(nproc)" BUILD="$build" CC=clang SAN=address,undefined,fuzzer-no-link \
    FUZZER=1 "${names[@]/#/$build/t/fuzz/}" >&2 ||
    { echo "Bail out! the harnesses do not build"; exit 1; }

limits=(-timeout=10 -rss_limit_mb=1024)

# libFuzzer names inputs by their checksum; people give other names.
merge_corpus() {
	local name=$1 old
	local all=("$build/corpus/$name" "$build/seeds/$name" "$build/old/$name")
	mkdir -p "t/fuzz/$name" "${all[@]}"
	for old in "t/fuzz/$name"/*; do
		[[ ${old##*/} =~ ^[0-9a-f]{40}$ ]] && mv "$old" "$build/old/$name"
	done
	"$build/t/fuzz/$name" -set_cover_merge=1 -use_counters=0 "${limits[@]}" "t/fuzz/$name" \
	    "${all[@]}" >"$build/$name.log" 2>&1 || { echo "$name: see $build/$name.log"; return 1; }
	rm -r "$build/old/$name"
}

if [ "$merge" = 1 ]; then
	python3 t/fuzz/seeds.py "$build/seeds" || exit 1
	for name in "${names[@]}"; do
		merge_corpus "$name" || exit 1
	done
	exit 0
fi

count=0 failed=0
result() { # STATUS WHAT
	count=$((count + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $count - $2"
	else
		failed=1
		echo "not ok $count - $2"
	fi
}

for name in "${names[@]}"; do
	mkdir -p "$build/corpus/$name"
	options=("${limits[@]}" -max_total_time="$seconds" -print_final_stats=1)
	[ ! -f "t/fuzz/$name.dict" ] || options+=(-dict="t/fuzz/$name.dict")
	seeds=()
	[ ! -d "t/fuzz/$name" ] || seeds=("t/fuzz/$name")
	"$build/t/fuzz/$name" "${options[@]}" -artifact_prefix="$build/broken/$name-" \
	    "$build/corpus/$name" "${seeds[@]}" >"$build/$name.log" 2>&1
	status=$?
	runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$build/$name.log")
	result "$status" "$name: ${runs:-no} inputs in at most $seconds s"
	if [ "$status" -ne 0 ]; then
		grep -a -m 1 -A 15 -E 'ERROR: |runtime error: ' "$build/$name.log" | sed 's/^/# /'
		sed -n 's/^artifact_prefix.*written to /# left in /p' "$build/$name.log"
	fi
done
t/fuzz/coverage.sh
result $? "the corpora reach 90 % of each parser's lines"
echo "1..$count"
exit "$failed"
