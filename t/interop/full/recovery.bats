#!/usr/bin/env bats
# Stores damaged in ways that no crash of ours leaves, under Kafka and under mq:
# what Kafka makes of them is stated here, and ours is held against it.

BASES=(00000000000000000000 00000000000000000040 00000000000000000080)
DAMAGED=(whole overlap long-index torn-middle cut-middle flipped)

words()
{
	# shellcheck source=t/interop/kafka.sh
	. "$BATS_TEST_DIRNAME/../kafka.sh"
	# shellcheck source=t/interop/mq-store.sh
	. "$BATS_TEST_DIRNAME/../mq-store.sh"
	cd "$BATS_FILE_TMPDIR" || return
	metadata=__cluster_metadata-0/${BASES[0]}.log
}

setup()
{
	words
}

# A batch of five takes 116 bytes here, so segments begin at 0, 40 and 80.
fill()
{
	seq 1000 1100 | mq-produce -q -d store -t "$1" -B 5 --ts=1700000000
}

damage()
{
	rm -f store/recovery-point-offset-checkpoint
	find store -name mq.tail -not -path '*/lost-0/*' -delete
	head -c 116 "store/overlap-0/${BASES[1]}.log" >>"store/overlap-0/${BASES[0]}.log"
	for base in "${BASES[0]}" "${BASES[2]}"; do
		printf '\0\0\0\x30\0\0\x09\0\0\0\0\x31\0\0\x09\x74' >>"store/long-index-0/$base.index"
	done
	head -c 50 "store/torn-middle-0/${BASES[1]}.log" >>"store/torn-middle-0/${BASES[0]}.log"
	truncate -s -10 "store/cut-middle-0/${BASES[0]}.log"
	printf X | dd of="store/flipped-0/${BASES[1]}.log" bs=1 seek=200 conv=notrunc status=none
}

# Partition directories that the metadata no longer name, or name another id for.
leave_behind()
{
	mq-topics create -q -d store --partitions 3 fewer deleted other -X retention.ms=-1
	mq-topics create -q -d store unnamed -X retention.ms=-1
	for topic in fewer deleted other unnamed; do
		fill "$topic"
	done
	mkdir left
	cp -r store/fewer-[12] store/deleted-0 store/other-0 left
	mq-topics delete -q -y -d store fewer deleted other
	mq-topics create -q -d store fewer other
	cp -r left/* store
	rm store/unnamed-0/partition.metadata
}

# What was acknowledged at -a 1 behind offset 50 goes with the power; the hints stay, and
# with them the records' times.
lose_a_tail()
{
	mq-topics create -q -d store lost -X retention.ms=-1 -X internal.segment.bytes=1000 \
		-X index.interval.bytes=100
	seq 1000 1049 | mq-produce -q -d store -t lost -B 5 --ts=1700000000
	seq 1050 1134 | mq-produce -q -d store -t lost -B 5 --ts=1700000500 -a 1
	rm store/lost-0/"${BASES[2]}".* store/lost-0/00000000000000000120.*
	truncate -s 232 "store/lost-0/${BASES[1]}.log"
}

setup_file()
{
	words
	for topic in "${DAMAGED[@]}"; do
		mq-topics create -q -d store "$topic" -X retention.ms=-1 -X internal.segment.bytes=1000 \
			-X index.interval.bytes=100
		fill "$topic"
	done

	lose_a_tail
	leave_behind
	damage
	kafka_java OpenTransaction "store/$metadata" \
		"$(($(mq-dump-log -J "store/$metadata" | jq -s 'map(select(.type == "batch"))[-1].last') + 1))" 1
	cp -r store theirs
	cp -r store ours
	bootstrap=$(kafka_start_on_existing theirs log.initial.task.delay.ms=86400000 log.cleaner.enable=false)
	find theirs -mindepth 1 -maxdepth 1 -type d -printf '%f\n' | sort >dirs
	kafka_batch <<-BATCH
		ends	org.apache.kafka.tools.GetOffsetShell	--bootstrap-server	$bootstrap
		topics	org.apache.kafka.tools.TopicCommand	--bootstrap-server	$bootstrap	--list
		overlap	KafkaRecords	$bootstrap	overlap
		lost	KafkaProduce	$bootstrap	lost	none	20	5	1700001000000	1
		delete	org.apache.kafka.tools.TopicCommand	--bootstrap-server	$bootstrap	--delete	--topic	fewer
	BATCH
	find theirs -mindepth 1 -maxdepth 1 -type d -printf '%f\n' | sort >dirs.deleted
	kafka_stop theirs
	for topic in "${DAMAGED[@]}"; do
		mq-topics trim -d ours "$topic" -o 0
	done >trimmed 2>notes
	mq-topics create -q -d ours after
}

teardown_file()
{
	words
	[ ! -e theirs.kafka/pid ] || kafka_stop theirs
}

end_of()
{
	grep "^$1:0:" ends | cut -d : -f 3
}

# Kafka's files of a partition are ours, but for hints, epochs, the snapshot of its stop,
# and the last time entry, which we write when a segment is closed for good.
same_but_for()
{
	local topic=$1
	shift
	newest=$(cd "theirs/$topic-0" && find . -name '*.log' -printf '%f\n' | sort | tail -n 1)

	diff -rq "ours/$topic-0" "theirs/$topic-0" >found || :
	sed -n 's/^Files .* and theirs\/[^/]*\/\(.*\) differ/\1/p; s/^Only in [^ ]*: //p' found |
		grep -vxE 'mq\.(lock|tail|times)|leader-epoch-checkpoint|.*\.deleted' |
		grep -vx "${newest%.log}.timeindex" |
		grep -vxE "0*$(end_of "$topic").snapshot" | sort | diff - <([ $# -eq 0 ] || printf '%s\n' "$@")
}

lines()
{
	wc -l <"$1"
}

@test "an open metadata transaction is ended by an AbortTransactionRecord, in a batch of its own" {
	for store in theirs ours; do
		mq-dump-log -J --data "$store/$metadata" | jq -cs '
			[.[] | select(.type == "record" and .payload.name == "AbortTransactionRecord")][0] as $abort |
			(.[] | select(.type == "batch" and .offset == $abort.offset) | .n), $abort.payload.version' >"$store.abort"
	done
	printf '1\n0\n' | diff - theirs.abort
	diff theirs.abort ours.abort
	run mq-topics -d ours
	[[ $output == *after* && $output != *swallowed* ]]
	run cat topics
	[[ $output == *whole* && $output != *swallowed* ]]
}

@test "recovery leaves a whole log alone" {
	[ "$(end_of whole)" -eq 101 ]
	same_but_for whole
}

@test "an index that is longer than its log is cut, in whichever segment" {
	[ "$(end_of long-index)" -eq 101 ]
	same_but_for long-index
}

@test "a torn batch ends the log also where segments follow; Kafka deletes them, we keep them" {
	[ "$(end_of torn-middle)" -eq 40 ]
	same_but_for torn-middle "${BASES[0]}.log.cut" "${BASES[1]}.log.cut" "${BASES[2]}.log.cut"
	[ "$(end_of cut-middle)" -eq 35 ]
	same_but_for cut-middle "${BASES[0]}.log.cut" "${BASES[1]}.log.cut" "${BASES[2]}.log.cut"
	[ "$(end_of flipped)" -eq 45 ]
	same_but_for flipped "${BASES[1]}.log.cut" "${BASES[2]}.log.cut"
	mq-consume -d ours -t torn-middle -t cut-middle -t flipped -e >got
	[ "$(lines got)" -eq 120 ]
	grep -q 'torn-middle-0: segment 00000000000000000040 follows a cut' notes
}

@test "a batch that reaches into the next segment: Kafka keeps it, we set it aside, both go on" {
	[ "$(end_of overlap)" -eq 101 ]
	[ "$(lines overlap)" -eq 101 ]
	[ "$(stat -c %s "theirs/overlap-0/${BASES[0]}.log")" -eq 1044 ]
	[ "$(stat -c %s "ours/overlap-0/${BASES[0]}.log")" -eq 928 ]
	same_but_for overlap "${BASES[0]}.index" "${BASES[0]}.log" "${BASES[0]}.log.cut"
	mq-consume -d ours -t overlap -e | diff - <(seq 1000 1100)
	mq-dump-log --verify ours/overlap-0/*.log
}

@test "directories of other topic ids, or of none, are put away by Kafka as NAME.ID-stray" {
	grep -E -- '-stray$' dirs | sed -E 's/\.[0-9a-f]{32}-stray$//' | diff - <(printf '%s\n' deleted-0 fewer-1 fewer-2 other-0 unnamed-0)
	# What the metadata still name begins anew.
	grep -x other-0 dirs
	[ "$(end_of other)" -eq 0 ]
	[ "$(end_of unnamed)" -eq 0 ]
	[ "$(grep -cE '^(deleted|fewer:[12])' ends)" -eq 0 ]
}

@test "mq serves no directory of another topic id, or of none, either" {
	mq-topics offsets -d ours >listed
	grep -x $'other\t0\t0' listed
	grep -x $'unnamed\t0\t0' listed
	[ "$(grep -cE $'^(deleted|fewer\t[12])' listed)" -eq 0 ]
	[ -z "$(mq-consume -d ours -t other -t unnamed -e)" ]
	mq-produce -d ours -t other <<<new
	[ "$(mq-consume -d ours -t other -e)" = new ]
}

@test "Kafka renames what is deleted to NAME.ID-delete; mq reads on beside that and beside strays" {
	grep -E '^fewer-0\.[0-9a-f]{32}-delete$' dirs.deleted
	[ "$(grep -cx fewer-0 dirs.deleted)" -eq 0 ]
	mq-topics list -d theirs | sort >ours.topics
	grep -vx fewer topics | sort | diff - ours.topics
	mq-dump-log --verify theirs >found || :
	# What Kafka keeps of the overlap is told.
	grep -Ev '^(file|note) ' found | grep -vx 'bad   pos=928 why=offset .*' | diff - /dev/null
}

# Offset 50 and all behind it are Kafka's now, with times of their own: those of its
# record i are i ms after its start. Kafka takes a new epoch at each start; a broker that
# does not is in t/unit/log_hints.c.
@test "Kafka goes on where a tail that tools wrote was lost, and their hints were not: nothing is passed over" {
	mq-dump-log -J theirs/lost-0/*.log | jq -r 'select(.type == "batch") | .epoch' | uniq -c |
		awk '{ print $1 }' | diff - <(printf '10\n20\n')
	[ "$(mq-topics offsets -d theirs lost)" = $'lost\t0\t150' ]
	for ((i = 0; i < 100; i += 7)); do
		[ "$(mq-consume -d theirs -t lost -o "@$((1700001000000 + i))" -c 1 -f '%o %T\n')" = "$((50 + i)) $((1700001000000 + i))" ]
		[ "$(mq-consume -d theirs -t lost -o "$((50 + i))" -c 1 -f '%T\n')" -eq "$((1700001000000 + i))" ]
	done
	[ "$(mq-consume -d theirs -t lost -e -f '%o\n' | paste -sd ' ')" = "$(seq -s ' ' 0 149)" ]
	[ "$(mq-consume -d theirs -t lost --tail 100 -e -f '%o\n' | paste -sd ' ')" = "$(seq -s ' ' 50 149)" ]
	mq-index check theirs/lost-0
	# A tool's rolls make the hints of these segments.
	seq 20 | mq-produce -q -d theirs -t lost -B 5 --ts=1700002000
	[ "$(mq-consume -d theirs -t lost -o @1700001000050 -c 1 -f '%o\n')" -eq 100 ]
	[ "$(mq-consume -d theirs -t lost -o @1700002000 -e | paste -sd ' ')" = "$(seq -s ' ' 1 20)" ]
	[ "$(mq-consume -d theirs -t lost -e -f '%o\n' | wc -l)" -eq 170 ]
}
