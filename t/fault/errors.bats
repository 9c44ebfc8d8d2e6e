#!/usr/bin/env bats
# runs: plain
# The Nth call that changes the store fails, once or from then on; the Nth
# allocation fails (FAULTS 12, 15, 16, 18): a clear line and the right status, nothing that
# was acknowledged is lost, the next run works.
# shellcheck disable=SC2154 # run sets stderr and stderr_lines
bats_require_minimum_version 1.5.0

setup()
{
	# shellcheck source=t/lib/fault.bash
	. "$BATS_TEST_DIRNAME/../lib/fault.bash"
	fault_setup
}

# Three partitions whose segments are soon full.
three_partitions()
{
	new_history
	if [ -d made ]; then
		cp -r made "$store"
		cp made.acked acked/base
		return
	fi
	mq-topics -d "$store" create t --partitions 3 -X index.interval.bytes=0 -X segment.index.bytes=24
	lines base 20 | mq-produce -d "$store" -t t -B 3 --partitioner rr --ack-format "$ACK_FORMAT" >acked/base
	cp -r "$store" made
	cp acked/base made.acked
}

# says_clearly TOOL STATUS ERROR-TEXT WANTED-STATUS...: 0 and nothing or a warning
# (what failed was a hint or a cache), or one of the wanted with one line, before
# which there may be a few warnings.
says_clearly()
{
	local tool=$1 status=$2 text=$3 wanted
	shift 3

	[ "$status" -eq 0 ] && return
	for wanted; do
		[ "$status" -eq "$wanted" ] && break
		wanted=
	done
	[ -n "$wanted" ] || { echo "status $status: $text"; return 1; }
	awk -v tool="$tool: " -v most="${most:-4}" 'index($0, tool) != 1 { exit 1 } END { exit NR < 1 || NR > most }' <<<"$text" ||
		{ echo "not clear: $text"; return 1; }
}

# fail_everywhere LIMIT ERROR: producing, with an error at sampled calls.
fail_everywhere()
{
	local limit=$1 fault failed=0 n

	three_partitions
	MQ_FAULT_COUNT=$PWD/calls talk w 12 faulty count \
	    mq-produce -d "$store" -t t --partitioner rr --ack-format "$ACK_FORMAT"
	calls=$(count_in calls)
	for n in $(sample "$limit" "$calls"); do
		for fault in "fail:$n:$2" "fail:$n:$2:sticky" "short:$n:$2" "short:$n:$2:sticky"; do
			three_partitions
			talk w 12 faulty "$fault" \
			    mq-produce -d "$store" -t t --partitioner rr --ack-format "$ACK_FORMAT"
			said=$(says_clearly mq-produce "$talk_status" "$talk_error" 74 &&
				check_store t && append_more t && check_store t) || { echo "$fault: $said"; return 1; }
			[ "$talk_status" -eq 0 ] || failed=$((failed + 1))
		done
	done
	progress "$2: $failed runs failed, of $calls calls"
	[ "$failed" -gt 0 ]
}

@test "12: ENOSPC at any call ends a producer with 74, and loses nothing" {
	fail_everywhere 8 ENOSPC
}

@test "15: EIO at any call ends a producer with 74, and loses nothing" {
	fail_everywhere 8 EIO
}

# What decides over an acknowledgement may not fail unnoticed.
@test "15: a failed write of records is never acknowledged" {
	for fault in fail:1:EIO fail:2:EIO short:1:ENOSPC fail:3:ENOSPC:sticky; do
		three_partitions
		MQ_FAULT_ONLY='write' MQ_FAULT_NAME='t-*.log' talk w 12 faulty "$fault" \
		    mq-produce -d "$store" -t t --partitioner rr --ack-format "$ACK_FORMAT"
		echo "$fault: $talk_status: $talk_error"
		[ "$talk_status" -eq 74 ]
		[ "$(wc -l <acked/w)" -lt 3 ]
		[[ $talk_error == "mq-produce: t-"*.log:\ * ]]
		check_store t
		append_more t
		check_store t
	done
}

# acked_after_failed_sync LOG: an acknowledgement, or a sync of the same file, that
# came after a sync that failed.
acked_after_failed_sync()
{
	awk '
	$3 ~ /^f(data)?sync$/ && $NF == -1 { failed[$4] = 1; any = $1; next }
	$1 == any && $3 == "out" { print "acknowledged after a failed sync: " $0; bad = 1 }
	$3 ~ /-begin$/ && $4 in failed { print "synced again: " $0; bad = 1 }
	END { if (!any) { print "no sync failed"; bad = 1 } exit bad }' "$1"
}

@test "16: after a failed fsync nothing is acknowledged, and it is not tried again" {
	for n in 1 2 3 4 7; do
		for fault in "fail:$n:EIO" "fail:$n:EIO:sticky" "fail:$n:ENOSPC"; do
			three_partitions
			rm -f calls.log
			MQ_FAULT_LOG=$PWD/calls.log MQ_FAULT_ONLY='sync' MQ_FAULT_NAME='t-*' talk w 15 faulty "$fault" \
			    mq-produce -d "$store" -t t --partitioner rr --ack-format "$ACK_FORMAT"
			echo "$fault: $talk_status: $talk_error"
			[ "$talk_status" -eq 74 ]
			says_clearly mq-produce "$talk_status" "$talk_error" 74
			acked_after_failed_sync calls.log
			check_store t
			append_more t
			check_store t
		done
	done
}

# unsynced LOG: files of records that were written to after their last sync began.
unsynced()
{
	awk '
	$3 ~ /^(pwritev?2?|write|ftruncate)$/ && $4 ~ /\.log$/ { dirty[$4] = 1 }
	$3 ~ /-begin$/ { begun[$4] = 1; delete dirty[$4] }
	$3 ~ /^f(data)?sync$/ && $NF != 0 { dirty[$4] = 1 }
	END { for (f in dirty) { print "not synced: " f; bad = 1 } exit bad }' "$1"
}

@test "5: exit status 0 of a writer means that all its records are synced" {
	three_partitions
	lines s 3000 | MQ_FAULT_LOG=$PWD/calls.log faulty count mq-produce -d "$store" -t t -B 50 --partitioner rr
	grep -q '/t-2/.*\.log' calls.log
	unsynced calls.log
	MQ_FAULT_LOG=$PWD/calls.log faulty count mq-consume -d "$store" -t t -G g -e >/dev/null
	grep -q '/__consumer_offsets-' calls.log
	unsynced calls.log
	MQ_FAULT_LOG=$PWD/calls.log faulty count mq-topics -d "$store" create u
	unsynced calls.log
}

@test "5: what a consumer commits is synced first, also if its writer did not" {
	three_partitions
	lines s 30 | mq-produce -d "$store" -t t -a 1 --partitioner rr
	MQ_FAULT_LOG=$PWD/calls.log faulty count mq-consume -d "$store" -t t -G g -e >/dev/null
	awk '
	$3 ~ /^fdatasync$|^fsync$/ && $4 ~ "^/t-[0-9]/.*[.]log$" { split($4, d, "/"); synced[d[2]] = 1 }
	$3 ~ /^pwrite/ && $4 ~ "^/__consumer_offsets-.*[.]log$" && !asked++ { n = length(synced) }
	END { print n " partitions were synced before the commit"; exit n != 3 }' calls.log
}

@test "15: a read that fails ends a consumer with 74 and says where" {
	three_partitions
	MQ_FAULT_ONLY='read' MQ_FAULT_NAME='t-*.log' calls_of mq-consume -d "$store" -t t -e
	for n in $(sample 10 "$calls"); do
		for sticky in '' :sticky; do
			MQ_FAULT_ONLY='read' MQ_FAULT_NAME='t-*.log' run --separate-stderr \
			    faulty "fail:$n:EIO$sticky" mq-consume -d "$store" -t t -e -f "$SEEN_FORMAT"
			echo "fail:$n: $status: $stderr"
			[ "$status" -eq 74 ]
			[ "${#stderr_lines[@]}" -eq 1 ]
			[[ $stderr == "mq-consume: "*"t-"*.log*"error"* ]]
		done
	done
	check_store t
}

@test "13: no room for a commit: 74, and the group is where it was" {
	three_partitions
	mq-consume -d "$store" -t t -G g -c 5 >/dev/null
	before=$(mq-groups -d "$store" describe g)
	for fault in fail:1:ENOSPC:sticky short:1:ENOSPC:sticky fail:2:EIO; do
		MQ_FAULT_NAME='__consumer_offsets-*.log' run --separate-stderr \
		    faulty "$fault" mq-consume -d "$store" -t t -G g -c 5
		echo "$fault: $status: $stderr"
		says_clearly mq-consume "$status" "$stderr" 74
		[ "$status" -eq 74 ]
		[ "$(mq-groups -d "$store" describe g)" = "$before" ]
		check_files
	done
	[ "$(mq-consume -d "$store" -t t -G g -e | wc -l)" -eq 15 ]
}

topic_changes_fail()
{
	local n status

	three_partitions
	mq-topics -d "$store" create old
	rm -rf made.two
	cp -r "$store" made.two
	calls_of "$@"
	for n in $(sample 6 "$calls"); do
		for fault in "fail:$n:EIO" "fail:$n:ENOSPC:sticky"; do
			rm -rf "$store"
			cp -r made.two "$store"
			rm acked/*
			cp made.acked acked/base
			talks=0
			status=0
			said=$(faulty "$fault" "$@" 2>&1 >/dev/null) || status=$?
			said=$(says_clearly mq-topics "$status" "$said" 74 &&
				check_store t && append_more t && check_store t && must mq-topics -d "$store" describe) ||
				{ echo "$fault: $said"; return 1; }
		done
	done
}

@test "15: errors while topics are made, changed and deleted" {
	topic_changes_fail mq-topics -d "$store" create new --partitions 2
	topic_changes_fail mq-topics -d "$store" alter old --partitions 3 -X retention.ms=9d
	topic_changes_fail mq-topics -d "$store" delete -y old
}

# --- memory -----------------------------------------------------------------------

# no_memory LIMIT TOOL COMMAND...: with every sampled allocation failing, once and
# for good.
no_memory()
{
	local limit=$1 tool=$2 n sticky status said failed=0
	shift 2

	three_partitions
	MQ_NOMEM_COUNT=$PWD/allocations LD_PRELOAD="$nomem $faults" "$@" >/dev/null
	calls=$(count_in allocations)
	for n in $(sample "$limit" "$calls"); do
		for sticky in '' :sticky; do
			three_partitions
			status=0
			MQ_NOMEM=$n$sticky LD_PRELOAD="$nomem $faults" "$@" >got 2>said || status=$?
			said=$(most=12 says_clearly "$tool" "$status" "$(cat said)" 70 74 && after_no_memory) ||
				{ echo "MQ_NOMEM=$n$sticky: $said"; return 1; }
			[ "$status" -eq 0 ] || failed=$((failed + 1))
		done
	done
	progress "$tool: $failed runs failed, of $calls allocations"
	[ "$failed" -gt 0 ]
}

after_no_memory()
{
	sed -i '/^t [0-9]* [0-9]* [0-9]*$/!d' got
	mv got acked/m
	check_store t && append_more t && check_store t
}

@test "18: a producer without memory fails clearly, and loses nothing" {
	lines m 30 >input
	no_memory 15 mq-produce mq-produce -d "$store" -t t -B 4 -z gzip --partitioner rr --ack-format "$ACK_FORMAT" input
}

@test "18: a consumer without memory fails clearly, and changes nothing" {
	no_memory 15 mq-consume mq-consume -d "$store" -t t -G g -e -f '-\n'
}

@test "a limit on the size of files is an error that is told, and no death inside a write" {
	new_history
	mq-produce -d "$store" -t t --ack-format "$ACK_FORMAT" <<<'first 1' >acked/first
	lines big 4000 >input
	(
		ulimit -f 16
		run -74 --separate-stderr mq-produce -d "$store" -t t -B 100 --ack-format "$ACK_FORMAT" input
		printf '%s' "$output" >acked/big
		[[ $stderr == "mq-produce: "*"too large"* ]]
	)
	sed -i '/^[^ ]* [^ ]* [^ ]* [0-9]*$/!d' acked/big
	must mq-dump-log --verify "$store/t-0" >verified
	run ! grep -q torn verified
	append_more t
	check_store t
}
