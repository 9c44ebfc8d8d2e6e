#!/usr/bin/env bats
# The broker on its own directories: it serves the fixtures as they say it does,
# and stops and dies as the other tests need it.

setup()
{
	# shellcheck source=t/interop/kafka.sh
	. "$BATS_TEST_DIRNAME/../kafka.sh"
	cd "$BATS_TEST_TMPDIR" || return
	data=$BATS_TEST_DIRNAME/../../data
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
