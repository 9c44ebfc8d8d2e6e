#!/usr/bin/env bats
# runs: plain
# kill -9 before, in the middle of and after every call that changes the store, and the
# power cut there (FAULTS 1, 2, 3, 4, 41): what was acknowledged is there, once and in order, nothing is torn,
# and the next process goes on.
bats_require_minimum_version 1.5.0

setup()
{
	# shellcheck source=t/lib/fault.bash
	. "$BATS_TEST_DIRNAME/../lib/fault.bash"
	fault_setup
}

# kill_everywhere LIMIT PREPARE WORK CHECK: WORK FAULT is run on what PREPARE made,
# with a kill at sampled calls, about LIMIT for each way to kill; then CHECK. The last
# way is that the power fails: what was not synced is there, or not, or in part.
kill_everywhere()
{
	local limit=$1 prepare=$2 work=$3 check=$4 mode n killed modes=(kill kill-mid kill-after)

	# Of one that dies several times not all calls are known.
	[ "$work" = die_thrice ] || modes+=(power)
	for mode in "${modes[@]}"; do
		unset MQ_FAULT_ONLY
		[ "$mode" != kill-mid ] || export MQ_FAULT_ONLY=write
		"$prepare"
		rm -f calls
		MQ_FAULT_COUNT=$PWD/calls "$work" count
		calls=$(count_in calls)
		[ "$calls" -gt 0 ]
		killed=0
		for n in $(sample "$limit" "$calls"); do
			"$prepare"
			if [ "$mode" = power ]; then
				until_power_fails "$n" "$work" "kill:$n"
			else
				"$work" "$mode:$n"
			fi || killed=$((killed + 1))
			unset_faults "$check" "$mode:$n" || return 1
		done
		progress "$mode: $killed times, of $calls calls"
		[ "$killed" -gt 0 ]
	done
	unset MQ_FAULT_ONLY
	keep_for_kafka "$work"
}

# The check itself is to see no faults; what it says gets the fault's name.
unset_faults()
{
	local said

	said=$(unset MQ_FAULT_ONLY; "$1" 2>&1) && return
	printf '%s:\n%s\n' "$2" "$said"
	return 1
}

# once NAME: makes something that several iterations start from, and a copy of it each time.
from_copy()
{
	local name=$1

	new_history
	if [ ! -d "made.$name" ]; then
		"$name"
		cp -r "$store" "made.$name"
		cp -r acked "made.acked.$name"
		return
	fi
	rm -rf "$store" acked
	cp -r "made.$name" "$store"
	cp -r "made.acked.$name" acked
}

# Segments of three batches or so: an entry in the index for each batch, and an
# index that is soon full.
SMALL_SEGMENTS=(-X index.interval.bytes=0 -X segment.index.bytes=24)

records_for()
{
	lines "$2" "$3" | mq-produce -d "$store" -t "$1" -B "${4:-3}" --partitioner rr \
	    --ack-format "$ACK_FORMAT" >"acked/$2"
}

# --- producing ------------------------------------------------------------------

readable_then_appendable()
{
	check_store t && append_more t && check_store t
}

produce_into_nothing()
{
	talk w 3 faulty "$1" mq-produce -d "$store" -t t --ack-format "$ACK_FORMAT"
	return "$talk_status"
}

@test "1: killed while it makes a store, a topic and its first records" {
	kill_everywhere 15 new_history produce_into_nothing readable_then_appendable
}

three_partitions()
{
	mq-topics -d "$store" create t --partitions 3 "${SMALL_SEGMENTS[@]}"
	records_for t base 20
}
prepare_three() { from_copy three_partitions; }

produce_and_roll()
{
	talk w 15 faulty "$1" mq-produce -d "$store" -t t --partitioner rr --ack-format "$ACK_FORMAT"
	return "$talk_status"
}

@test "1: killed while it appends to three partitions and rolls their segments" {
	kill_everywhere 15 prepare_three produce_and_roll readable_then_appendable
	[ "$(find "$store" -name '*.log' -path '*/t-*' | wc -l)" -gt 5 ]
}

produce_stream()
{
	local status=0

	faulty "$1" mq-produce -d "$store" -t t -B 4 -z lz4 --partitioner rr --ack-format "$ACK_FORMAT" \
	    input >acked/s || status=$?
	# A line that the kill cut short says nothing.
	sed -i '/^[^ ]* [^ ]* [^ ]* [0-9]*$/!d' acked/s
	return "$status"
}

@test "1: killed in the middle of a stream of compressed batches" {
	lines s 60 >input
	kill_everywhere 8 prepare_three produce_stream readable_then_appendable
}

# The next two are killed while they take up where the first was killed.
die_thrice()
{
	produce_and_roll "$1"
	[ "$1" != count ] || return 0
	faulty "kill:${1#*:}" mq-produce -d "$store" -t t <<<'again 1' || :
	MQ_FAULT_ONLY='write' faulty kill-mid:2 mq-produce -d "$store" -t t <<<'third 1' || :
	faulty kill:3 mq-produce -d "$store" -t t <<<'fourth 1' || :
	return 1
}

# A recovery that was killed while it made indexes anew leaves them unfinished until
# the next writer comes, who begins again: only then are they looked at.
taken_up()
{
	see t && check_history seen acked/* && append_more t && check_store t
}

@test "2: killed again and again while it recovers from a kill" {
	kill_everywhere 6 prepare_three die_thrice taken_up
}

forget_hints()
{
	rm -f "$store"/*/mq.tail
	taken_up
}

@test "2: the same without the hints, as after a boot" {
	kill_everywhere 6 prepare_three die_thrice forget_hints
}

# --- groups ---------------------------------------------------------------------

group_of_two()
{
	three_partitions
	mq-consume -d "$store" -t t -G g -c 7 -f "$SEEN_FORMAT" >taken
	cp taken taken.before
}
prepare_group() { from_copy group_of_two; cp taken.before taken; }

consume_more()
{
	faulty "$1" mq-consume -d "$store" -t t -G g -c 6 -f "$SEEN_FORMAT" >>taken
}

# At least once, and no further than what was printed.
nothing_passed_over()
{
	see t && check_files || return
	mq-consume -d "$store" -t t -G g -e -f "$SEEN_FORMAT" >>taken || return
	sort -u taken >taken.sorted
	sort seen | diff - taken.sorted
}

@test "1: killed while a group commits" {
	kill_everywhere 10 prepare_group consume_more nothing_passed_over
}

# --- topics ---------------------------------------------------------------------

two_topics()
{
	mq-topics -d "$store" create t --partitions 2 "${SMALL_SEGMENTS[@]}"
	records_for t base 12
	mq-topics -d "$store" create other
	mq-produce -d "$store" -t other <<<'other 1'
}
prepare_topics() { from_copy two_topics; }

topics()
{
	mq-topics -d "$store" list | sort | tr '\n' ' '
}

partitions_of()
{
	mq-topics -d "$store" offsets "$1" | wc -l
}

others_are_untouched()
{
	[ "$(mq-consume -d "$store" -t other -e)" = 'other 1' ] || { echo "other has changed"; return 1; }
	check_store t && append_more t && check_store t
}

create_new()
{
	faulty "$1" mq-topics -d "$store" create new --partitions 3 -X retention.ms=7d
}

new_whole_or_not()
{
	case $(topics) in
	'new other t ') [ "$(partitions_of new)" -eq 3 ] || return ;;
	'other t ') ;;
	*) topics; return 1 ;;
	esac
	mq-topics -d "$store" create new --partitions 3 -X retention.ms=7d --if-not-exists || return
	[ "$(partitions_of new)" -eq 3 ] || return
	mq-produce -d "$store" -t new <<<'new 1' || return
	[ "$(mq-consume -d "$store" -t new -e)" = 'new 1' ] || return
	others_are_untouched
}

@test "1: killed while it makes a topic" {
	kill_everywhere 8 prepare_topics create_new new_whole_or_not
}

delete_t()
{
	faulty "$1" mq-topics -d "$store" delete -y t
}

# Still there with all it had, or gone for good: what comes under its name later
# begins empty.
gone_or_not()
{
	case $(topics) in
	'other t ') check_store t && mq-topics -d "$store" delete -y t || return ;;
	'other ') ;;
	*) topics; return 1 ;;
	esac
	rm acked/*
	: >acked/none
	others_are_untouched || return
	mq-topics -d "$store" alter t --partitions 2 && check_store t || return
	# The next one who deletes removes what is left of it.
	mq-topics -d "$store" create x && mq-topics -d "$store" delete -y x || return
	[ -z "$(find "$store" -name '*-delete')" ] || { echo "left over: $(ls "$store")"; return 1; }
}

@test "1: killed while it deletes a topic" {
	kill_everywhere 8 prepare_topics delete_t gone_or_not
}

alter_t()
{
	faulty "$1" mq-topics -d "$store" alter t --partitions 4 -X retention.ms=9d
}

altered_or_not()
{
	local n

	n=$(partitions_of t)
	[ "$n" -eq 2 ] || [ "$n" -eq 4 ] || { echo "$n partitions"; return 1; }
	others_are_untouched || return
	[ "$n" -eq 4 ] || mq-topics -d "$store" alter t --partitions 4 || return
	[ "$(partitions_of t)" -eq 4 ]
}

@test "1: killed while it changes a topic" {
	kill_everywhere 8 prepare_topics alter_t altered_or_not
}

# --- taking away ----------------------------------------------------------------

one_partition()
{
	mq-topics -d "$store" create t "${SMALL_SEGMENTS[@]}"
	records_for t base 40 2
}
prepare_one() { from_copy one_partition; }

trim_t()
{
	faulty "$1" mq-topics -d "$store" trim t -o 23
}

# acked_from OFFSET: only what was acknowledged from there on must be there.
acked_from()
{
	local f

	for f in acked/*; do
		awk -v from="$1" '$3 >= from' "$f" >"$f.new" && mv "$f.new" "$f"
	done
}

trimmed_or_not()
{
	local start

	settle t && see t || return
	start=$(awk '{ print $3; exit }' seen)
	[ "$start" -eq 0 ] || [ "$start" -eq 23 ] || { echo "begins at $start"; return 1; }
	acked_from "$start"
	check_store t && mq-topics -d "$store" trim t -o 23 || return
	acked_from 23
	check_store t && append_more t && check_store t && [ "$(awk '{ print $3; exit }' seen)" -eq 23 ]
}

@test "1: killed while it trims" {
	kill_everywhere 10 prepare_one trim_t trimmed_or_not
}

half_kept()
{
	one_partition
	size=$(cat "$store"/t-0/*.log | wc -c)
	mq-topics -d "$store" alter t -X retention.bytes=$((size / 2))
}
prepare_half() { from_copy half_kept; }

clean_t()
{
	faulty "$1" mq-topics -d "$store" clean t
}

# Whole segments from the front, or none.
oldest_gone()
{
	local start

	settle t && see t || return
	start=$(awk '{ print $3; exit }' seen)
	acked_from "$start"
	check_store t && mq-topics -d "$store" clean t && see t || return
	start=$(awk '{ print $3; exit }' seen)
	[ "$start" -gt 0 ] || { echo "nothing was deleted"; return 1; }
	acked_from "$start"
	check_store t && append_more t && see t || return
	# A segment that it finished made others too many.
	acked_from "$(awk '{ print $3; exit }' seen)"
	check_store t
}

@test "1: killed while retention deletes segments" {
	kill_everywhere 10 prepare_half clean_t oldest_gone
}

keyed()
{
	mq-topics -d "$store" create c "${SMALL_SEGMENTS[@]}" -X cleanup.policy=compact
	awk 'BEGIN { for (i = 1; i <= 60; i++) print "k" (i % 7) ":v" i }' |
		mq-produce -d "$store" -t c -K : -B 2
}
prepare_keyed() { from_copy keyed; }

compact_c()
{
	faulty "$1" mq-topics -d "$store" clean c
}

# The last value of each key, whatever was compacted; offsets ascend.
last_of_each_key()
{
	mq-consume -d "$store" -t c -e -f '%o %k %s\n' >seen || return
	awk '$1 <= last && NR > 1 { print "offset " $1 " after " last; exit 1 } { last = $1 }' seen || return
	awk '{ v[$2] = $3 } END { for (k in v) print k, v[k] }' seen | sort | diff expected -
}

# A swap that was killed between the renames of a segment's files is finished by the
# next writer: only then are the files looked at.
compacted_or_not()
{
	last_of_each_key || return
	mq-produce -d "$store" -t c -K : <<<'k7:v61' || return
	none_is_temporary && mq-topics -d "$store" clean c || return
	echo 'k7 v61' >>expected
	last_of_each_key && check_files || return
	sed -i '$d' expected
	[ "$(wc -l <seen)" -lt 40 ] || { echo "not compacted: $(wc -l <seen) records"; return 1; }
	none_is_temporary
}

none_is_temporary()
{
	[ -z "$(find "$store" -name '*.cleaned' -o -name '*.swap' -o -name '*.deleted')" ] || { find "$store"; return 1; }
}

@test "41: killed while it compacts" {
	awk 'BEGIN { for (i = 54; i <= 60; i++) print "k" (i % 7), "v" i }' | sort >expected
	kill_everywhere 10 prepare_keyed compact_c compacted_or_not
}

# --------------------------------------------------------------------------------

@test "1: Apache Kafka's DumpLogSegments accepts what was left" {
	kafka_accepts
}
