#!/usr/bin/env bats
# runs: plain
# A file system that is full (FAULTS 12, 13) and a wall clock that jumps (20).
# shellcheck disable=SC2154 # run sets stderr and stderr_lines
bats_require_minimum_version 1.5.0

setup()
{
	# shellcheck source=t/lib/fault.bash
	. "$BATS_TEST_DIRNAME/../lib/fault.bash"
	fault_setup
	new_history
}

# on_small_disk SIZE FUNCTION: in a mount namespace of its own, with $store on a
# new tmpfs of that size.
on_small_disk()
{
	mkdir disk
	# shellcheck disable=SC2163 # the name of a function
	export -f "$2"
	export -f append_more settle see check_history check_files check_store must lines partition_dirs fill
	export store=$PWD/disk/store ACK_FORMAT SEEN_FORMAT MQ_FAULT_DIR=$PWD/disk/store
	unshare -Urm bash -e -o pipefail -c 'mount -t tmpfs -o size="$1" tmpfs disk; "$2"' - "$1" "$2"
}

# fill TOPIC BATCH NAME: records called NAME, in batches of so many, until one is
# refused; then $refused is the producer's status.
fill()
{
	refused=0
	awk -v name="$3" 'BEGIN { pad = sprintf("%900s", ""); gsub(/ /, "x", pad); while (1) print name, ++i, pad }' |
		{ mq-produce -d "$store" -t "$1" -B "$2" --ack-format "$ACK_FORMAT" >>"acked/$3" 2>fill.err || refused=$?
		  return "$refused"; } || refused=$?
}

full_disk()
{
	mq-topics -d "$store" create t -X segment.bytes=1M
	mq-topics -d "$store" create other
	lines before 5 | mq-produce -d "$store" -t t --ack-format "$ACK_FORMAT" >acked/before
	fill t 100 fill
	fill t 1 last # what is left is less than any batch
	echo "full: $refused: $(cat fill.err)"
	[ "$refused" -eq 74 ]
	[ "$(wc -l <fill.err)" -eq 1 ]
	[[ $(cat fill.err) == "mq-produce: $store: "*free* ]]

	# Reading goes on, also as a group, whose commits have a reserve.
	check_store t
	[ "$(mq-consume -d "$store" -t t -G g -c 3 | wc -l)" -eq 3 ]
	[ "$(mq-consume -d "$store" -t t -G g -c 1 -f '%o\n')" -eq 3 ]
	# It stays refused, with the disk named; nothing half-written.
	status=0
	mq-produce -d "$store" -t other <<<'no 1' 2>again.err || status=$?
	[ "$status" -eq 74 ]
	grep -q "^mq-produce: $store: .*free" again.err

	# Deleting and trimming make room, and service is back by itself.
	mq-topics -d "$store" delete -y other
	mq-topics -d "$store" trim t -o 2000
	for f in acked/*; do
		awk '$3 >= 2000' "$f" >"$f.new"
		mv "$f.new" "$f"
	done
	append_more t
	check_store t
}

@test "12, 13: a full disk refuses records with 74 and names itself; all else works, and room brings service back" {
	on_small_disk 24M full_disk
}

# Nothing kept free: the disk itself says no, in the middle of a batch.
really_full()
{
	lines before 5 | mq-produce -d "$store" -t t --ack-format "$ACK_FORMAT" >acked/before
	cat /dev/zero >disk/hog 2>/dev/null || :
	for i in 1 2 3; do
		status=0
		lines "try$i" 3 | mq-produce -d "$store" -t t --ack-format "$ACK_FORMAT" >"acked/try$i" 2>try.err || status=$?
		echo "try $i: $status: $(cat try.err)"
		[ "$status" -eq 74 ]
		[ ! -s "acked/try$i" ]
	done
	check_store t
	rm disk/hog
	append_more t
	check_store t
}

@test "12: no byte left on the disk: 74, nothing acknowledged, and service when there is room" {
	on_small_disk 4M really_full
}

# --- the clock --------------------------------------------------------------------

# at TIME COMMAND...: with the wall clock there; the monotonic one stays.
at()
{
	faketime --exclude-monotonic -f "$1" "${@:2}"
}

aged_topic()
{
	mq-topics -d "$store" create t -X segment.bytes=1M -X retention.ms=7d
	awk 'BEGIN { pad = sprintf("%4000s", ""); gsub(/ /, "x", pad); for (i = 1; i <= 700; i++) print "a", i, pad }' |
		mq-produce -d "$store" -t t -B 20 --ack-format "$ACK_FORMAT" >acked/a
	[ "$(find "$store" -path '*/t-0/*.log' | wc -l)" -ge 3 ]
}

# The clock jumps while a producer runs, segments roll: nothing is deleted by it.
@test "20: a clock that jumps ten years while a producer runs wipes nothing" {
	aged_topic
	echo '+0' >clock
	pad=$(printf '%4000s' '' | tr ' ' x)
	# shellcheck disable=SC2094 # what was acknowledged decides what comes next
	{
		for ((i = 1; i <= 300; i++)); do
			echo "b $i $pad"
			if [ "$i" -eq 20 ]; then
				until [ "$(wc -l <acked/b)" -eq 20 ]; do sleep 0.01; done
				echo '+3650d' >clock.new
				mv clock.new clock
			fi
		done
	} | FAKETIME_TIMESTAMP_FILE=$PWD/clock FAKETIME_NO_CACHE=1 FAKETIME_DONT_FAKE_MONOTONIC=1 \
	    LD_PRELOAD="$(faketime_lib) $faults" mq-produce -d "$store" -t t --ack-format "$ACK_FORMAT" >acked/b
	check_store t
	[ "$(wc -l <seen)" -eq 1000 ]
}

faketime_lib()
{
	find /usr/lib -name libfaketimeMT.so.1 | head -n 1
}

@test "20: mq-topics clean at a clock a day ahead or behind deletes nothing that is young" {
	aged_topic
	at '+1d' mq-topics -d "$store" clean t
	at '-1d' mq-topics -d "$store" clean t
	at '-3650d' mq-topics -d "$store" clean t
	check_store t
	[ "$(wc -l <seen)" -eq 700 ]
}
