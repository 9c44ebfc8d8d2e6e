#!/usr/bin/env bats
# What the other tests of this directory stand on: Kafka's tools run here, and say
# what the fixtures say.

setup()
{
	# shellcheck source=t/interop/kafka.sh
	. "$BATS_TEST_DIRNAME/kafka.sh"
	cd "$BATS_TEST_TMPDIR" || return
	data=$BATS_TEST_DIRNAME/../data
}

@test "the pinned version is the one that runs" {
	run -0 kafka_tool org.apache.kafka.tools.TopicCommand --version
	[[ $output == "$KAFKA_VERSION"* ]]
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
