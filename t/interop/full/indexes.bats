#!/usr/bin/env bats
# Index files that Kafka wrote, made anew by mq-index, and ours made anew by Kafka:
# byte for byte what they were.

words()
{
	# shellcheck source=t/interop/kafka.sh
	. "$BATS_TEST_DIRNAME/../kafka.sh"
	cd "$BATS_FILE_TMPDIR" || return
}

setup()
{
	words
}

# Every index.interval.bytes with every segment.index.bytes, for a name each, under
# both message.timestamp.types: 96 bytes are eight entries by time.
topics()
{
	local type interval size
	for type in create append; do
		for interval in 1 100 4096; do
			for size in 96 1000 10485760; do
				echo "$type-$interval-$size"
			done
		done
	done
}

create()
{
	local name type interval size
	while read -r name; do
		IFS=- read -r type interval size <<<"$name"
		mq-topics create -q -d store "$1-$name" -X retention.ms=-1 -X internal.segment.bytes=20000 \
			-X "index.interval.bytes=$interval" -X "segment.index.bytes=$size" \
			-X message.timestamp.type="$([ "$type" = append ] && echo LogAppendTime || echo CreateTime)"
	done
}

# Times that rise, go back, stay, and rise above all before.
times=("-700 10" "-900 -5" "-800 0" "-600 1000")

produced_by_kafka()
{
	local name begin step
	while read -r name; do
		for pair in "${times[@]}"; do
			read -r begin step <<<"$pair"
			printf 'produced\tKafkaProduce\t%s\tkafka-%s\tnone\t30\t3\t%s000\t%s\n' "$bootstrap" "$name" "$((now + begin))" "$step"
		done
	done
}

records()
{
	local begin step
	for pair in "${times[@]}"; do
		read -r begin step <<<"$pair"
		jq -nc --argjson at "$(((now + begin) * 1000))" --argjson step "$step" \
			'range(90) | {ts: ($at + . * $step), value: "record \(.) of \("text that repeats " * 5)"}'
	done
}

produced_by_mq()
{
	local name
	while read -r name; do
		mq-produce -q -J -d store -t "mq-$name" -B 3 input
	done
}

setup_file()
{
	words
	now=$(date +%s)
	records >input
	topics | create mq
	topics | create kafka
	topics | produced_by_mq
	mq-topics create -q -d store kafka-reopened -X retention.ms=-1 -X index.interval.bytes=1
	head -n 30 input | mq-produce -q -J -d store -t kafka-reopened -B 3
	cp -r store ours
	find store -path 'store/mq-*' \( -name '*.index' -o -name '*.timeindex' \) -delete
	bootstrap=$(kafka_start_on_existing store log.initial.task.delay.ms=86400000 log.cleaner.enable=false)
	{
		topics | produced_by_kafka
		printf 'produced\tKafkaProduce\t%s\tkafka-reopened\tnone\t10\t3\n' "$bootstrap"
	} | kafka_batch
	kafka_stop store
	cp -r store rebuilt
	find rebuilt -path 'rebuilt/kafka-*' \( -name '*.index' -o -name '*.timeindex' \) -delete
	mq-index rebuild -q -d rebuilt 'kafka-*'
}

teardown_file()
{
	words
	for store in store full; do
		[ ! -e "$store.kafka/pid" ] || kafka_stop "$store"
	done
}

indexes()
{
	(cd "$1" && find . -path "./$2-*.*index" | sort)
}

entries()
{
	find "$1" -name '*.index' -printf '%s\n' | jq -s 'add / 8'
}

@test "the settings make segments with few entries and with many, that end by their bytes and by their indexes" {
	[ "$(find store/kafka-create-1-96-0 -name '*.log' | wc -l)" -ge 9 ]
	[ "$(find store/kafka-create-1-10485760-0 -name '*.log' | wc -l)" -eq 3 ]
	[ "$(entries store/kafka-append-1-1000-0)" -ge 110 ]
	[ "$(entries store/kafka-create-4096-96-0)" -le 15 ]
}

@test "mq-index rebuild makes Kafka's index files as Kafka wrote them" {
	indexes store kafka | diff - <(indexes rebuilt kafka)
	[ "$(indexes store kafka | wc -l)" -ge 150 ]
	while read -r file; do
		cmp "store/$file" "rebuilt/$file"
	done < <(indexes store kafka | grep -v reopened)
}

# But for the last entry of the newest time index: we write it when the segment is
# closed for good, Kafka at each stop.
@test "Kafka makes ours as mq-produce wrote them" {
	indexes ours mq | diff - <(indexes store mq)
	[ "$(indexes ours mq | wc -l)" -ge 150 ]
	while read -r file; do
		size=$(stat -c %s "ours/$file")
		cmp -n "$size" "ours/$file" "store/$file"
		[ "$(stat -c %s "store/$file")" -eq "$size" ] || echo "$file"
	done < <(indexes ours mq) >longer
	while read -r file; do
		[ "$(find "ours/${file%/*}" -name '*.timeindex' | sort | tail -n 1)" = "ours/$file" ]
		[ "$(stat -c %s "store/$file")" -eq $(($(stat -c %s "ours/$file") + 12)) ]
	done <longer
}

@test "of the same records both write the same offset indexes, and time indexes where the producer gives the time" {
	while read -r file; do
		cmp "store/$file" "store/${file/kafka-/mq-}"
	done < <(indexes store kafka-create && indexes store kafka-append | grep '\.index$' | grep -v -- -96-0/)
}

# Kafka counts bytes from its start on, and its first batch gets no entry.
@test "where Kafka went on in a segment that was there, its index lacks an entry that a rebuilt one has" {
	[ "$(entries store/kafka-reopened-0)" -eq 18 ]
	[ "$(entries rebuilt/kafka-reopened-0)" -eq 19 ]
	mq-index check store/kafka-reopened-0
}

@test "Kafka does not start where an index made anew has no room for its entries; mq-index makes it longer" {
	mq-topics create -q -d full t -X index.interval.bytes=4096 -X segment.index.bytes=96
	seq 100 | mq-produce -q -d full -t t -B 3
	mq-topics alter -q -d full t -X index.interval.bytes=1
	mq-index rebuild -q -d full t
	[ "$(entries full/t-0)" -eq 33 ]
	run kafka_start_on_existing full
	[ "$status" -ne 0 ]
	grep -q 'Attempt to append to a full index (size = 12)' full.kafka/server.log
	mq-topics alter -q -d full t -X segment.index.bytes=1000
	bootstrap=$(kafka_start_on_existing full)
	kafka_java KafkaRecords "$bootstrap" t >got || :
	kafka_stop full
	[ "$(wc -l <got)" -eq 100 ]
	[ "$(entries full/t-0)" -eq 33 ]
}
