#!/usr/bin/env bats
# Data directories of Kafka under mq, and crashes: what one left torn or without
# indexes the other recovers, to the same ends and the same bytes.

setup()
{
	# shellcheck source=t/interop/kafka.sh
	. "$BATS_TEST_DIRNAME/kafka.sh"
	# shellcheck source=t/interop/mq-store.sh
	. "$BATS_TEST_DIRNAME/mq-store.sh"
	cd "$BATS_TEST_TMPDIR" || return
	data=$BATS_TEST_DIRNAME/../data
	MQ_DIR=$PWD/store
}

teardown()
{
	[ ! -e "$MQ_DIR.kafka/pid" ] || kafka_stop "$MQ_DIR"
}

# Half a batch behind the newest segment of a partition: a write that was cut.
tear()
{
	local log
	log=$(find "$MQ_DIR/$1" -name '*.log' | sort | tail -n 1)
	head -c 100 "$log" >torn
	cat torn >>"$log"
}

# What Kafka said of a fixture is expected; what begins here is added.
expect_fixture()
{
	cp -r "$data/$1.expect/records" "$MQ_DIR.expect"
	rm -f "$MQ_DIR.expect"/*.committed.jsonl
	for file in "$MQ_DIR.expect"/*.jsonl; do
		without_ts <"$file" >new
		mv new "$file"
	done
}

reads_as_fixture()
{
	for file in "$data/$1.expect/records"/*.jsonl; do
		topic=$(basename "$file" .jsonl) isolation=read_uncommitted
		[ "${topic%.committed}" = "$topic" ] || isolation=read_committed
		echo "topic $topic"
		mq-consume -e -J --isolation=$isolation -t "${topic%.committed}" |
			"$BATS_TEST_DIRNAME/mq-records.py" read | same - "$file"
	done
}

@test "mq reads a store of Kafka as Kafka does" {
	cp -r "$data/kafka-store" store
	chmod -R a-w store
	reads_as_fixture kafka-store
	state_of <"$data/kafka-store.expect/state.jsonl" >want
	mq_state | same - want
	diff -r store "$data/kafka-store"
	chmod -R u+w store
}

@test "what mq adds to a store of Kafka, Kafka serves" {
	cp -r "$data/kafka-store" store
	expect_fixture kafka-store
	for topic in codec-none headers idempotent txn txn-open segments trimmed epochs; do
		produce "$topic" 20 -- -p 0 -B 7 -z zstd
	done
	produce compact 20 --keys 9 -- -p 0
	mq-consume -t segments -G classic -e >/dev/null
	mq-topics create made -X retention.ms=-1
	produce made 5 --
	mq_reads_as_expected
	kafka_serves_all
}

@test "mq reads a killed Kafka's directory, torn too, and goes on; Kafka serves it" {
	tar -xzf "$data/killed.tar.gz"
	mv killed store
	state_of <"$data/killed.expect/state.jsonl" >want
	tear killed-0
	tear killed-txn-0
	reads_as_fixture killed
	mq_state | same - want
	expect_fixture killed
	produce killed 30 -- -B 7
	produce killed-txn 10 -- -B 7
	mq-dump-log --verify "$MQ_DIR"/killed-0/*.log | same - /dev/null
	mq_reads_as_expected
	kafka_serves_all
}

# rebuilt FILE: Kafka's is ours. It ends each time index with the newest time,
# which we write when the segment is closed for good.
rebuilt()
{
	local size
	size=$(stat -c %s "ours/$1")

	cmp -n "$size" "ours/$1" "store/$1" || return
	[ "$(stat -c %s "store/$1")" -eq "$size" ] ||
		{ [[ $1 == *.timeindex ]] && is_newest "$1" && [ "$(stat -c %s "store/$1")" -eq $((size + 12)) ]; }
}

is_newest()
{
	[ "$(find "ours/${1%/*}" -name '*.timeindex' -printf '%f\n' | sort | tail -n 1)" = "${1##*/}" ]
}

@test "Kafka rebuilds the indexes of a store as mq wrote them, and cuts torn tails where mq does" {
	make_store "$MQ_DIR"
	cp -r store ours
	find store ! -path '*__*' \( -name '*.index' -o -name '*.timeindex' \) -delete
	for partition in codec-none-0 codec-zstd-0 segments-1 large-0; do
		tear "$partition"
	done
	kafka_serves_all
	kafka_stop store
	count=0
	while read -r file; do
		rebuilt "$file"
		count=$((count + 1))
	done < <(cd ours && find . ! -path '*__*' \( -name '*.index' -o -name '*.timeindex' \) -printf '%P\n')
	echo "$count files"
	[ "$count" -gt 40 ]
	# And both ways: nothing to change for mq-index.
	cp -r store theirs
	mq-index rebuild -d theirs 'codec-*' segments large compact trimmed >changes
	for partition in codec-zstd-0 segments-1 large-0 compact-0; do
		diff -r -x mq.lock "store/$partition" "theirs/$partition"
	done
}
