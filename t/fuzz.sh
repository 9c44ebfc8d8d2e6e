#!/bin/bash
# Fuzzes every harness of t/fuzz for FUZZ_SECONDS (60) each, with clang's
# libFuzzer under address and undefined sanitizers. Starts from the corpus in
# t/fuzz/NAME and from what earlier runs kept in build/fuzz/corpus/NAME; an input
# that breaks something is left in build/fuzz/broken and belongs, small and
# named, into t/fuzz/NAME. A harness may have a dictionary, t/fuzz/NAME.dict.
set -u
cd "$(dirname "$0")/.." || exit 1

build=build/fuzz
seconds=${FUZZ_SECONDS:-60}
mkdir -p "$build/broken"
make -s -j "$(nproc)" BUILD="$build" CC=clang SAN=address,undefined,fuzzer-no-link \
    FUZZER=1 fuzzers >&2 || { echo "Bail out! the harnesses do not build"; exit 1; }

count=0 failed=0
for source in t/fuzz/*.c; do
	[ -f "$source" ] || continue
	name=$(basename "$source" .c)
	mkdir -p "$build/corpus/$name"
	options=(-max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -print_final_stats=1)
	[ ! -f "t/fuzz/$name.dict" ] || options+=(-dict="t/fuzz/$name.dict")
	"$build/t/fuzz/$name" "${options[@]}" -artifact_prefix="$build/broken/$name-" \
	    "$build/corpus/$name" ${seeds:+"$seeds"} >"$build/$name.log" 2>&1
	status=$?
	runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$build/$name.log")
	count=$((count + 1))
	if [ "$status" -eq 0 ]; then
		echo "ok $count - $name: ${runs:-no} inputs in $seconds s"
	else
		failed=1
		echo "not ok $count - $name after ${runs:-some} inputs, see $build/$name.log"
		grep -m 1 -A 15 -E 'ERROR: |runtime error: ' "$build/$name.log" | sed 's/^/# /'
		sed -n 's/^artifact_prefix.*written to /# left in /p' "$build/$name.log"
	fi
done
echo "1..$count"
exit "$failed"
