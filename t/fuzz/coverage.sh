#!/bin/bash
# Prints which share of each parser's lines the corpora of t/fuzz reach: every
# harness, built with clang's coverage, runs over its corpus; what all of them
# reach of a source file counts.
#
# usage: t/fuzz/coverage.sh [-l]
#   -l   list the lines that are not reached
set -u
cd "$(dirname "$0")/../.." || exit 1

build=build/coverage
wanted=90 # per cent, of each

# What reads bytes that others wrote.
parsers=(
	lib/base/{bytes,text,uuid}.c
	lib/wire/{decode,frame,print,record}.c
	lib/log/{batch,record,compress,compress_gzip,compress_lz4,compress_snappy,compress_zstd}.c
	lib/log/{index,checkpoint,checkpoint_text,epochs,producers,producers_snapshot}.c
	lib/log/{segment_name,segment_scan,segment_rebuild,recover,recover_cut,recover_replace}.c
	lib/log/{reader,reader_time,reader_txn,reader_view,verify,verify_index,verify_segment}.c
	lib/store/{tail,image,image_records,groups_replay,groups_offsets,groups_kept,members,topic_config}.c
	lib/cli/{dump,dump_damage,dump_index,dump_log,dump_range,dump_record,dump_text,line}.c
	lib/cli/{envelope_read,envelope_write,json,format_parse,format_run,framing}.c
	lib/cli/{range,times,escape,nearest,options,options_complete,config,select}.c
)

# What acts on requests, in the broker: FOLDER=PERCENT, of all its lines. What is left is
# what no request alone brings about: time, crowds, failing disks, starts, compaction.
handlers=(src/mqd/api=85 src/mqd/net=82 src/mqd/groups=80 src/mqd/cluster=75)
for folder in "${handlers[@]%=*}"; do
	parsers+=("$folder"/*.c)
done

programs=() objects=()
for source in t/fuzz/*.c; do
	programs+=("$build/${source%.c}")
	objects+=(-object "$build/${source%.c}")
done
coverage='-fprofile-instr-generate -fcoverage-mapping'
# Static functions are counted by their file's name, which is to be its path: there
# are several dump.c.
named="-Xclang -main-file-name -Xclang \$<"
make -s -j "$(nproc)" BUILD="$build" CC=clang OPT="-O1 -g $coverage $named" \
    LDFLAGS="$coverage -pthread -Wl,--as-needed" "${programs[@]}" >&2 || exit 1

failed=0
for program in "${programs[@]}"; do
	name=${program##*/}
	LLVM_PROFILE_FILE=$build/$name.raw "$program" "t/fuzz/$name" >"$build/$name.out" 2>&1 && continue
	echo "# $name: the corpus does not pass, see $build/$name.out"
	failed=1
done
llvm-profdata merge -sparse "$build"/*.raw -o "$build/all.profile" || exit 1
if [ "${1:-}" = -l ]; then
	llvm-cov show "${objects[@]:1}" -instr-profile="$build/all.profile" "${parsers[@]}" |
	    grep -E '^/|^ +[0-9]+\| +0\|'
	exit "$failed"
fi

printf '# %-30s %6s %7s\n' source lines reached
llvm-cov export -summary-only "${objects[@]:1}" -instr-profile="$build/all.profile" \
    "${parsers[@]}" | jq -r '.data[0].files[] | "\(.filename) \(.summary.lines.count) \(.summary.lines.covered)"' |
    awk -v wanted="$wanted" -v handlers="${handlers[*]}" '
	BEGIN {
		for (n = split(handlers, list, " "); n > 0; n--) {
			split(list[n], pair, "=")
			least[pair[1]] = pair[2]
		}
	}
	{
		sub(".*/lib/", "lib/", $1)
		sub(".*/src/", "src/", $1)
		share = $3 * 100 / $2
	}
	/^src/ {
		folder = $1
		sub("/[^/]*$", "", folder)
		of[folder] += $2; in_it[folder] += $3
		printf "# %-30s %6d %6.1f%%\n", $1, $2, share
		next
	}
	{
		low += share < wanted
		lines += $2; reached += $3
		printf "# %-30s %6d %6.1f%%%s\n", $1, $2, share, share < wanted ? " (low)" : ""
	}
	END {
		for (folder in of) {
			share = in_it[folder] * 100 / of[folder]
			low += share < least[folder]
			printf "# %-30s %6d %6.1f%%%s\n", folder, of[folder], share,
			    share < least[folder] ? " (low)" : ""
		}
		printf "# %-30s %6d %6.1f%%\n", "all", lines, reached * 100 / lines
		exit low > 0
	}' || failed=1
exit "$failed"
