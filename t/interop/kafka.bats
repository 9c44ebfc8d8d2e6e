#!/usr/bin/env bats
# What the other tests of this directory stand on: Kafka runs here, on a
# directory of its own and on one that it finds, and says what the fixtures say.

setup()
{
	# shellcheck source=t/interop/kafka.sh
	. "$BATS_TEST_DIRNAME/kafka.sh"
	cd "$BATS_TEST_TMPDIR" || return
	data=$BATS_TEST_DIRNAME/../data
	started=
}

teardown()
{
	[ -z "$started" ] || kafka_stop "$started"
}

start_on()
{
	started=$1
	bootstrap=$(kafka_start_on_existing "$@")
}

@test "the suite's broker serves" {
	run -0 kafka_tool org.apache.kafka.tools.TopicCommand --bootstrap-server "$MQ_KAFKA" --create --topic serves
	[ "$output" = "Created topic serves." ]
}

@test "the pinned version is the one that runs" {
	run -0 kafka_tool org.apache.kafka.tools.TopicCommand --version
	[[ $output == "$KAFKA_VERSION"* ]]
}

@test "a broker on the fixture store says what the fixture expects" {
	cp -r "$data/kafka-store" store
	# The fixture's open transaction is long past its time-out: no sweep may end it meanwhile.
	start_on "$PWD/store" log.cleaner.enable=false \
	    transaction.abort.timed.out.transaction.cleanup.interval.ms=86400000
	printf '%s\n' "state	KafkaState	$bootstrap" "txn	KafkaRecords	$bootstrap	txn	read_committed" |
		kafka_batch
	diff state "$data/kafka-store.expect/state.jsonl"
	diff txn "$data/kafka-store.expect/records/txn.committed.jsonl"
}

@test "a broker recovers the killed fixture" {
	tar -xzf "$data/killed.tar.gz"
	start_on "$PWD/killed"
	kafka_java KafkaRecords "$bootstrap" killed | diff - "$data/killed.expect/records/killed.jsonl"
}

@test "stopping leaves the clean-shutdown marker, killing does not" {
	cp -r "$data/fresh" fresh
	start_on "$PWD/fresh"
	[ ! -e fresh/.kafka_cleanshutdown ]
	kafka_stop fresh
	[ -e fresh/.kafka_cleanshutdown ]
	start_on "$PWD/fresh"
	kafka_kill fresh
	[ ! -e fresh/.kafka_cleanshutdown ]
}

@test "many dumps in one JVM are as one dump in its own" {
	cd "$data/kafka-store"
	out=$BATS_TEST_TMPDIR/out
	for file in txn-0/00000000000000000005.{log,txnindex,snapshot}; do
		printf '%s\n' "$out.${file##*.}	org.apache.kafka.tools.DumpLogSegments	--files	$file	--print-data-log"
	done | kafka_batch
	kafka_dump_log --print-data-log txn-0/00000000000000000005.log | diff - "$out.log"
	for ext in log txnindex snapshot; do
		diff "$out.$ext" "$data/kafka-store.expect/dump/txn-0/00000000000000000005.$ext.txt"
	done
}

@test "a tool's failure is its line's status" {
	run kafka_batch <<<"$PWD/out	org.apache.kafka.tools.TopicCommand	--no-such-option"
	[ "$status" -eq 1 ]
	[[ $output == *"1	$PWD/out"* ]]
}

@test "the batches of Kafka's own classes are made again byte for byte" {
	kafka_java MakeBatches "$PWD/batches"
	diff -r batches "$data/batches"
}

@test "the schemas of the pinned version are found" {
	dir=$("$BATS_TEST_DIRNAME/schema-extract.sh")
	[ -f "$dir/clients/ProduceRequest.json" ]
	[ -f "$dir/metadata/PartitionRecord.json" ]
	[ -f "$dir/raft/QuorumStateData.json" ]
	[ -f "$dir/group-coordinator/OffsetCommitValue.json" ]
	[ -f "$dir/transaction-coordinator/TransactionLogValue.json" ]
	[ -f "$dir/share-coordinator/ShareSnapshotValue.json" ]
	[ -f "$dir/storage/ProducerSnapshot.json" ]
}
