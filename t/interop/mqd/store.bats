#!/usr/bin/env bats
# One data directory, in turn under the tools, mqd and Apache Kafka: each finds and
# serves what the others wrote, and goes on. The tests build on each other, in order.

setup_file()
{
	words
	export STORE=$BATS_FILE_TMPDIR/store
	make_store "$STORE"
}

teardown_file()
{
	words
	broker_down "$STORE"
	kafka_stop "$STORE"
}

setup()
{
	words
	MQ_DIR=$STORE
	cd "$BATS_FILE_TMPDIR" || return
	[ ! -e "$STORE.address" ] || BROKER=$(cat "$STORE.address")
	[ ! -e "$STORE.kafka/pid" ] || bootstrap=$(kafka_bootstrap "$STORE")
}

words()
{
	unset MQ_TEST_BROKER MQ_TEST_KAFKA
	# shellcheck source=t/interop/mqd/broker.sh
	. "$BATS_TEST_DIRNAME/broker.sh"
	# shellcheck source=t/interop/mq-store.sh
	. "$BATS_TEST_DIRNAME/../mq-store.sh"
}

# One under which neither age nor compaction takes anything.
start_mqd()
{
	_broker_properties+=(log.cleaner.enable=false log.retention.check.interval.ms=86400000)
	broker_up "$STORE"
	printf '%s\n' "$BROKER" >"$STORE.address"
}

# What it answers to Kafka's own client is what mq said before it came. It lists no
# internal.segment.bytes, and numbers as they are stored.
mqd_serves_all()
{
	mq_state >state.mq
	start_mqd
	# What a killed one wrote is not known to be on disk; reading has it synced.
	for topic in $(store_topics "$STORE"); do
		kcat_read "$topic" >/dev/null
	done
	kafka_look "$BROKER"
	kafka_reads_as_expected
	kafka_state | sed 's/\(dirty.ratio":"0\)"/\1.0"/' | sort |
		same - <(jq -c 'if .configs then del(.configs["internal.segment.bytes"]) else . end' state.mq | sort)
}

# More records, into some topics, with acks=all.
write_by_kcat()
{
	for topic in codec-none codec-lz4 segments compact; do
		lines 20 "by $1" | sed 's/.*/&:&/' | kcat -P -b "$BROKER" -t "$topic" -p 0 -K : -X acks=all
	done
	lines 10 "by $1" | kcat -P -b "$BROKER" -t "made-by-$1" -X acks=all
	expect_what_is_there "$1"
}

# What mq reads is what everybody is to read from here on.
expect_what_is_there()
{
	for topic in $(store_topics "$STORE") "made-by-$1"; do
		mq-consume -e -J --isolation=read_uncommitted -t "$topic" | "$BATS_TEST_DIRNAME/../mq-records.py" read |
			without_ts >"$STORE.expect/$topic.jsonl"
	done
}

epoch_of_metadata()
{
	mq-dump-log -J "$STORE"/__cluster_metadata-0/*.log | jq -r 'select(.type == "batch") | .epoch' | tail -n 1
}

leader_epoch()
{
	mq-topics describe -J "$1" | jq -r 'select(.partition == 0) | .epoch'
}

@test "mqd starts on the tools' store and serves all of it" {
	mqd_serves_all
}

@test "no tool does to its directory what a broker cannot be asked for" {
	while read -r want command; do
		# shellcheck disable=SC2086 # words
		run $command -m 0.05
		echo "$command: $output"
		[ "$status" -eq "$want" ]
	done <<-'COMMANDS'
		69 mq-topics clean compact
		75 mq-index rebuild codec-none
	COMMANDS
}

@test "after its stop the tools work on, in the epochs that it left" {
	broker_down "$STORE"
	[ "$(cat "$STORE/.kafka_cleanshutdown")" = "{\"version\":0,\"brokerEpoch\":$(broker_epoch)}" ]
	mq_reads_as_expected
	produce codec-none 20 -- -B 6
	produce new 10 --
	mq-topics alter altered -X retention.ms=3d
	[ ! -e "$STORE/.kafka_cleanshutdown" ]
	mq_reads_as_expected
}

broker_epoch()
{
	mq-dump-log -J --data "$STORE"/__cluster_metadata-0/*.log |
		jq 'select(.payload.name? == "RegisterBrokerRecord") | .payload.data.brokerEpoch' | tail -n 1
}

@test "Apache Kafka starts on it and serves all of it" {
	kafka_serves_all
	kafka_stop "$STORE"
}

@test "mqd goes on where Apache Kafka stopped" {
	before=$(epoch_of_metadata)
	mqd_serves_all
	[ "$(epoch_of_metadata)" -eq "$((before + 1))" ]
	[ "$(mq-topics describe -J codec-none | jq -r 'select(.partition == 0) | .leader')" -eq 1 ]
}

@test "what was acknowledged before kill -9 is there, for all three" {
	write_by_kcat kill
	before=$(leader_epoch codec-none)
	kill -9 "$(cat "$STORE.pid")"
	eventually _gone "$(cat "$STORE.pid")"
	rm "$STORE.pid"
	mq_reads_as_expected
	produce codec-none 20 -- -B 6
	mqd_serves_all
	[ "$(leader_epoch codec-none)" -eq "$((before + 1))" ]
	broker_down "$STORE"
	kafka_serves_all
	kafka_kill "$STORE"
	mqd_serves_all
	broker_down "$STORE"
}

@test "a clean stop and start leaves the leaders' epochs alone" {
	before=$(leader_epoch codec-none)
	start_mqd
	[ "$(leader_epoch codec-none)" -eq "$before" ]
	broker_down "$STORE"
	mq-dump-log --verify "$STORE" >found || :
	grep -Ev '^(file|note) ' found | same - /dev/null
}
