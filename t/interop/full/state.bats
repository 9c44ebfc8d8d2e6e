#!/usr/bin/env bats
# What is left beside the records after rolls, retention and DeleteRecords: Kafka
# does it to its topics, we do the same to the same batches, and the files are the
# same, except where a test says otherwise.

words()
{
	# shellcheck source=t/interop/kafka.sh
	. "$BATS_TEST_DIRNAME/../kafka.sh"
	cd "$BATS_FILE_TMPDIR" || return
	topics=(bytes back ms size age inside seed edge end)
}

setup()
{
	words
}

# The setting by which a topic rolls, under the name that replay-log knows.
rolls_by()
{
	[ "$1" = ms ] && echo segment.ms=10000 || echo segment.bytes=3000
}

# One batch that nearly fills the first segment, in leader epoch 0: Kafka's begin
# the next one.
make_topics()
{
	local topic roll
	printf 'seed %s of a text that is long enough for that, as text goes, so that the next rolls\n' {101..128} >seed
	for topic in "${topics[@]}"; do
		roll=$(rolls_by "$topic")
		mq-topics create -q -d store "$topic" -X retention.ms=-1 -X index.interval.bytes=700 \
			-X file.delete.delay.ms=0 -X "${roll/segment.bytes/internal.segment.bytes}"
		mq-produce -q -d store -t "$topic" --ts="$(time_of "$topic")" seed
		rm "store/$topic-0/mq.tail"
	done
}

time_of()
{
	[ "$1" = age ] && echo 1700000000 || echo "$now"
}

start()
{
	bootstrap=$(kafka_start_on_existing store log.initial.task.delay.ms=100 \
		log.retention.check.interval.ms=200 log.flush.start.offset.checkpoint.interval.ms=200 \
		log.cleaner.enable=false)
}

# What one producer sends to a topic, from so many seconds after the topic's time
# on; a batch of five takes 625 bytes and, where time rolls, five seconds.
produced()
{
	local topic=$1 step=1000
	[ "$topic" != back ] || step=-1000
	printf 'produced.%s\tKafkaProduce\t%s\t%s\tnone\t20\t5\t%s000\t%s\tidempotent\n' \
		"$topic" "$bootstrap" "$topic" "$(($(time_of "$topic") + $2))" "$step"
}

altered()
{
	printf 'altered.%s\tkafka.admin.ConfigCommand\t--bootstrap-server\t%s\t--alter\t--topic\t%s\t--add-config\t%s\n' \
		"$1" "$bootstrap" "$1" "$2"
}

deleted()
{
	printf '{"version":1,"partitions":[{"topic":"%s","partition":0,"offset":%s}]}' "$1" "$2" >"before.$1"
	printf 'deleted.%s\torg.apache.kafka.tools.DeleteRecordsCommand\t--bootstrap-server\t%s\t--offset-json-file\tbefore.%s\n' \
		"$1" "$bootstrap" "$1"
}

# replay DIR SOURCE TOPIC...
replay()
{
	local dir=$1 source=$2 topic
	shift 2
	for topic; do
		./replay-log "$dir/$topic-0" "$source/$topic-0" index.interval.bytes=700 "$(rolls_by "$topic")"
	done
}

logs()
{
	(cd "$1" && find . -path "./${2:-*}-0/*.log" ! -path './__*' | sort)
}

# Kafka removes segments when it comes to it.
wait_for_logs()
{
	local deadline=$((SECONDS + 30))
	until [ "$(logs "$1" "$3")" = "$(logs "$2" "$3")" ] || [ "$SECONDS" -ge "$deadline" ]; do
		sleep 0.1
	done
}

first_half()
{
	start
	for topic in "${topics[@]}"; do
		produced "$topic" 500
	done | kafka_batch
	cp -r store kafka.rolled
	replay ours kafka.rolled "${topics[@]}"
	cp -r ours ours.rolled

	{
		altered size retention.bytes=7000
		altered age retention.ms=86400000
		deleted inside 75
		deleted seed 10
		deleted edge 88
		deleted end -1
	} | kafka_batch
	printf '0\n0\n' >ours/recovery-point-offset-checkpoint
	mq-topics alter -q -d ours size -X retention.bytes=7000
	mq-topics alter -q -d ours age -X retention.ms=86400000
	mq-topics trim -q -d ours inside -o 75
	mq-topics trim -q -d ours seed -o 10
	mq-topics trim -q -d ours edge -o 88
	mq-topics trim -q -d ours end -o end
	mq-topics clean -q -d ours size age
	wait_for_logs ours store
	sleep 0.5 # for the checkpoint
	cp -r store kafka.kept
	kafka_stop store
	cp -r store kafka.stopped
	cp -r ours ours.kept
}

second_half()
{
	again=(bytes inside end)
	start
	cp -r store kafka.again
	for topic in "${again[@]}"; do
		produced "$topic" 1000
	done | kafka_batch
	rm -f ours/*-0/mq.tail
	cp -r kafka.stopped theirs
	for dir in ours theirs; do
		replay "$dir" store "${again[@]}"
		mq-topics clean -q -d "$dir" "${again[@]}"
	done
	for topic in "${again[@]}"; do
		wait_for_logs ours store "$topic"
	done
	kafka_stop store
}

setup_file()
{
	words
	top=$BATS_TEST_DIRNAME/../../..
	cc -O1 -D_GNU_SOURCE -std=gnu11 -I"$top/lib" -o replay-log "$BATS_TEST_DIRNAME/../replay-log.c" \
		"$top"/lib/base/*.c "$top"/lib/log/*.c "$top"/lib/os/*.c \
		-lev -lz -llz4 -lzstd -lbsd -ldl -pthread
	now=$(date +%s)
	make_topics
	cp -r store ours
	first_half
	second_half
}

teardown_file()
{
	words
	[ ! -e store.kafka/pid ] || kafka_stop store
}

newest()
{
	logs "$1" "$2" | tail -n 1 | sed 's,.*/\(.*\)\.log,\1,'
}

# same_files DIR DIR TOPIC [FILE...]: but for FILEs, and what differs everywhere.
same_files()
{
	local a=$1 b=$2 topic=$3
	shift 3
	[ "$(logs "$a" "$topic" | wc -l)" -ge 1 ]
	diff -rq -x 'mq.*' "$a/$topic-0" "$b/$topic-0" | sed -n 's/^Files .* and [^ ]*\/\(.*\) differ/\1/p; s/^Only in [^ ]*: //p' |
		sort | diff - <([ $# -eq 0 ] || printf '%s\n' "$@" | sort)
}

@test "segments roll at the same offsets, by bytes and by time, also where times go back" {
	diff <(logs ours.rolled) <(logs kafka.rolled)
	[ "$(logs ours.rolled bytes | wc -l)" -eq 6 ]
	[ "$(logs ours.rolled back | wc -l)" -eq 6 ]
	[ "$(logs ours.rolled ms | wc -l)" -eq 8 ]
}

@test "after a roll each finished segment has the same indexes, closing entries, snapshot; and the same epochs" {
	for topic in "${topics[@]}"; do
		same_files ours.rolled kafka.rolled "$topic" "$(newest ours.rolled "$topic").index" "$(newest ours.rolled "$topic").timeindex"
	done
	[ "$(find ours.rolled/bytes-0 -name '*.snapshot' | wc -l)" -eq 5 ]
	[ "$(wc -l <ours.rolled/bytes-0/leader-epoch-checkpoint)" -eq 4 ]
	# Kafka closes the newest segment's time index, too, and snapshots the end, when it stops.
	base=$(newest ours.rolled bytes)
	same_files ours.rolled kafka.stopped bytes "$base.timeindex" 00000000000000000128.snapshot
	cmp -n "$(stat -c %s "ours.rolled/bytes-0/$base.timeindex")" {ours.rolled,kafka.stopped}/bytes-0/"$base.timeindex"
	[ "$(stat -c %s "kafka.stopped/bytes-0/$base.timeindex")" -eq $(($(stat -c %s "ours.rolled/bytes-0/$base.timeindex") + 12)) ]
}

@test "retention and DeleteRecords leave the same segments, snapshots and epochs" {
	for topic in size inside seed edge end; do
		same_files ours.kept kafka.kept "$topic" "$(newest ours.kept "$topic").index" "$(newest ours.kept "$topic").timeindex"
	done
	[ "$(logs ours.kept size | wc -l)" -eq 3 ]
	[ "$(logs ours.kept edge | wc -l)" -lt "$(logs ours.kept inside | wc -l)" ]
	# Where all went, Kafka makes the new segment's indexes with its first batch, or its stop.
	same_files ours.kept kafka.stopped age
	[ "$(stat -c %s ours.kept/age-0/*.log)" -eq 0 ]
}

@test "the epochs begin at the log's start" {
	while read -r topic start; do
		sed -n 3p "ours.kept/$topic-0/leader-epoch-checkpoint" | grep -E "^[0-9]+ $start$"
	done <<-'STARTS'
		size 68
		inside 75
		seed 10
		edge 88
		end 128
		age 128
	STARTS
	[ "$(wc -l <ours.kept/seed-0/leader-epoch-checkpoint)" -eq 4 ]
	[ "$(wc -l <ours.kept/inside-0/leader-epoch-checkpoint)" -eq 3 ]
}

starts()
{
	tail -n +3 "$1/log-start-offset-checkpoint" | grep -v ^__ | sort
}

@test "the log starts are the same; ours stay when the segments have caught up" {
	diff <(starts kafka.kept) <(starts kafka.stopped)
	diff <(starts kafka.kept) <(starts ours.kept | grep -v '^edge ')
	starts ours.kept | grep -x 'edge 0 88'
}

@test "in a new leader epoch both go on alike, whoever wrote the files" {
	for dir in ours theirs; do
		same_files "$dir" store bytes 00000000000000000208.timeindex 00000000000000000228.snapshot
	done
	[ "$(wc -l <ours/bytes-0/leader-epoch-checkpoint)" -eq 5 ]
}

producers()
{
	mq-dump-log -J "$1" | jq -s 'map(select(.pid != null)) | length'
}

@test "Kafka's next start forgets snapshots at or below the log's start, and producers known only by them; we keep both" {
	[ -e kafka.stopped/inside-0/00000000000000000068.snapshot ]
	[ ! -e kafka.again/inside-0/00000000000000000068.snapshot ]
	for dir in ours theirs; do
		same_files "$dir" store inside 00000000000000000068.snapshot \
			00000000000000000208.timeindex 00000000000000000228.snapshot
		same_files "$dir" store end 00000000000000000128.snapshot 00000000000000000{148,168,188,208}.snapshot \
			00000000000000000208.timeindex 00000000000000000228.snapshot
		[ "$(producers "$dir/end-0/00000000000000000208.snapshot")" -eq 2 ]
		[ "$(producers store/end-0/00000000000000000208.snapshot)" -eq 1 ]
	done
}
