#!/usr/bin/env bats
# Our compaction against Kafka's: both clean the same logs, twice, and what is
# left is the same: without compression every byte of logs and indexes, with it
# every header and record.

setup_file()
{
	# shellcheck source=t/interop/kafka.sh
	. "$BATS_TEST_DIRNAME/../kafka.sh"
	cd "$BATS_FILE_TMPDIR" || return
	top=$BATS_TEST_DIRNAME/../../..
	cc -O1 -D_GNU_SOURCE -std=gnu11 -I"$top/lib" -o compact-log "$BATS_TEST_DIRNAME/../compact-log.c" \
		"$top"/lib/base/*.c "$top"/lib/log/*.c "$top"/lib/os/*.c \
		-lev -lz -llz4 -lzstd -lbsd -ldl -pthread
	make_topics
	clean 1 make
	clean 2 more
}

setup()
{
	# shellcheck source=t/interop/kafka.sh
	. "$BATS_TEST_DIRNAME/../kafka.sh"
	cd "$BATS_FILE_TMPDIR" || return
}

teardown_file()
{
	# shellcheck source=t/interop/kafka.sh
	. "$BATS_TEST_DIRNAME/../kafka.sh"
	kafka_stop "$BATS_FILE_TMPDIR/store"
}

codecs_of()
{
	[ "$1" = plain ] && echo 1 || echo 5
}

# Two empty compacted topics, with no file but what names them.
make_topics()
{
	local bootstrap topic
	bootstrap=$(kafka_start store log.cleaner.enable=false)

	for topic in plain codecs; do
		printf '%s\t' "create.$topic" org.apache.kafka.tools.TopicCommand --bootstrap-server \
			"$bootstrap" --create --topic "$topic" --config cleanup.policy=compact \
			--config internal.segment.bytes=3000 --config index.interval.bytes=200 \
			--config min.cleanable.dirty.ratio=0 --config delete.retention.ms=1000
		echo
	done | sed 's/\t$//' | kafka_batch
	kafka_stop store
	for topic in plain codecs; do
		find "store/$topic-0" -type f ! -name partition.metadata -delete
	done
	printf '0\n0\n' >store/cleaner-offset-checkpoint
}

# The first dirty offset that Kafka has come to.
checkpoint()
{
	sed -n "s/^$1 0 //p" store/cleaner-offset-checkpoint
}

# Adds dirty segments with compact-log COMMAND, lets both clean a copy each: into
# TOPIC.kafka.ROUND and TOPIC.ours.ROUND.
clean()
{
	local round=$1 command=$2 topic deadline=$((SECONDS + 30))
	local -A dirty

	for topic in plain codecs; do
		dirty[$topic]=$(checkpoint "$topic")
		find "store/$topic-0" -name '*.deleted' -delete
		./compact-log "$command" "store/$topic-0" "$(codecs_of "$topic")"
		cp -r "store/$topic-0" "$topic.ours.$round"
	done
	# Else a cleaning could come before the broker knows that all is stable.
	sed -i -E 's/^(plain|codecs) 0 .*/\1 0 1000000/' store/replication-offset-checkpoint
	kafka_start_on_existing store log.cleaner.backoff.ms=100
	for topic in plain codecs; do
		while [ "$(checkpoint "$topic")" = "${dirty[$topic]}" ] && [ "$SECONDS" -lt "$deadline" ]; do
			sleep 0.1
		done
	done
	kafka_stop store
	for topic in plain codecs; do
		cp -r "store/$topic-0" "$topic.kafka.$round"
		rm -f "$topic.kafka.$round"/*.deleted
		ORACLE=$topic.kafka.$round ./compact-log clean "$topic.ours.$round" "${dirty[$topic]:-0}"
	done
}

# Epochs and the snapshot at the end are of the broker's stop, not the cleaner's.
same_files()
{
	local last
	last=$(find "$1" -name '*.snapshot' | sort | tail -n 1)

	diff -r -x leader-epoch-checkpoint -x "$(basename "$last")" "$1" "$2"
}

@test "the first cleaning leaves the same bytes in logs and indexes" {
	[ "$(find plain.kafka.1 -name '*.log' | wc -l)" -ge 5 ]
	same_files plain.kafka.1 plain.ours.1
}

@test "the second, of what was clean and what was not, does too" {
	[ -n "$(find plain.kafka.2 -name '*.txnindex' -size +0)" ]
	same_files plain.kafka.2 plain.ours.2
}

@test "with every codec the same batches and records are left" {
	for round in 1 2; do
		./compact-log print "codecs.kafka.$round" >kafka
		./compact-log print "codecs.ours.$round" >ours
		[ "$(wc -l <ours)" -ge 100 ]
		diff kafka ours
	done
}

@test "Kafka's tools find nothing wrong with what we leave" {
	kafka_dump_log --deep-iteration --print-data-log codecs.ours.2/*.{log,index,timeindex,txnindex} >dump 2>&1
	grep -q 'deleteHorizonMs: OptionalLong\[' dump
	grep -Ei 'mismatch|corrupt|invalid|error' dump >complaints || :
	[ ! -s complaints ]
}

@test "a broker goes on from what we leave" {
	cp -r store again
	rm -rf again/codecs-0
	cp -r codecs.ours.2 again/codecs-0
	bootstrap=$(kafka_start_on_existing again log.cleaner.enable=false)
	kafka_java KafkaRecords "$bootstrap" codecs >records || status=1
	kafka_stop again
	[ "${status:-0}" -eq 0 ]
	[ "$(wc -l <records)" -eq "$(./compact-log print codecs.ours.2 | grep -c "'")" ]
}
