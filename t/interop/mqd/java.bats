#!/usr/bin/env bats
# Apache Kafka's own tools, unmodified. See broker.sh for which broker. All run in
# one JVM, which lives as long as this file: a test gives it lines of tools.

bats_require_minimum_version 1.5.0

setup_file()
{
	words
	broker_up "$BATS_FILE_TMPDIR/data"
	"$BATS_TEST_DIRNAME/../kafka-fetch.sh"
	mkfifo "$BATS_FILE_TMPDIR/in" "$BATS_FILE_TMPDIR/out"
	: >"$BATS_FILE_TMPDIR/err"
	kafka_java KafkaBatch <"$BATS_FILE_TMPDIR/in" >"$BATS_FILE_TMPDIR/out" 2>>"$BATS_FILE_TMPDIR/err" 3>&- &
	# Held open by one that does nothing else, so that tests may open and close.
	# shellcheck disable=SC2217
	sleep 1000000 <"$BATS_FILE_TMPDIR/out" >"$BATS_FILE_TMPDIR/in" 3>&- &
	echo $! >"$BATS_FILE_TMPDIR/holder"
}

teardown_file()
{
	words
	kill "$(cat "$BATS_FILE_TMPDIR/holder")"
	broker_down "$BATS_FILE_TMPDIR/data"
}

setup()
{
	words
	cd "$BATS_TEST_TMPDIR" || return
	: >"$BATS_FILE_TMPDIR/err"
	name=java-$BATS_TEST_NUMBER-$RANDOM
}

words()
{
	# shellcheck source=t/interop/mqd/broker.sh
	. "$BATS_TEST_DIRNAME/broker.sh"
}

teardown()
{
	[ -n "${BATS_TEST_COMPLETED-}" ] || tail -n 20 "$BATS_FILE_TMPDIR/err" out
	jobs -p | xargs -r kill -KILL 2>/dev/null || :
}

# tool OUT CLASS [ARG...]: runs it, its output into OUT; its status.
tool()
{
	local out=$1 class=$2 status
	shift 2

	case $class in
	org.* | kafka.* | Kafka*) ;;
	*) class=org.apache.kafka.tools.$class ;;
	esac
	{
		printf '%s' "$PWD/$out	$class"
		[ $# -eq 0 ] || printf '\t%s' "$@"
		printf '\n'
	} >"$BATS_FILE_TMPDIR/in"
	IFS=$'\t' read -r status _ <"$BATS_FILE_TMPDIR/out"
	return "$status"
}

on_broker()
{
	tool "$1" "$2" --bootstrap-server "$BROKER" "${@:3}"
}

topics()
{
	on_broker "$1" TopicCommand "${@:2}"
}

groups()
{
	on_broker "$1" consumer.group.ConsumerGroupCommand "${@:2}"
}

configs()
{
	on_broker "$1" kafka.admin.ConfigCommand "${@:2}"
}

# create TOPIC PARTITIONS [OPTION...]
create()
{
	topics created --create --topic "$1" --partitions "$2" "${@:3}"
}

# console_produce FILE TOPIC [OPTION...]
console_produce()
{
	tool produced KafkaFed "$PWD/$1" org.apache.kafka.tools.ConsoleProducer --bootstrap-server "$BROKER" --topic "$2" "${@:3}"
}

# console_consume OUT TOPIC COUNT [OPTION...]
console_consume()
{
	on_broker "$1" consumer.ConsoleConsumer --topic "$2" --max-messages "$3" --timeout-ms 20000 "${@:4}"
}

@test "topics: create, list, describe, alter, delete" {
	create "$name" 3 --replication-factor 1 --config retention.ms=1234567
	topics out --list
	grep -qx "$name" out
	topics out --describe --topic "$name"
	grep -q "Topic: $name.*PartitionCount: 3.*ReplicationFactor: 1.*retention.ms=1234567" out
	[ "$(grep -c 'Leader: [0-9]' out)" -eq 3 ]
	topics out --alter --topic "$name" --partitions 5
	eventually_five() { topics out --describe --topic "$name" && grep -q 'PartitionCount: 5' out; }
	eventually eventually_five
	run -1 topics out --alter --topic "$name" --partitions 2
	run -1 create "$name" 1
	create "$name" 1 --if-not-exists
	topics out --delete --topic "$name"
	gone() { topics out --list && ! grep -qx "$name" out; }
	eventually gone
	run -1 topics out --describe --topic "$name"
}

@test "topics: those under their minimum, those without a leader" {
	create "$name" 1
	for what in under-replicated-partitions unavailable-partitions under-min-isr-partitions at-min-isr-partitions; do
		topics "$what" --describe --topic "$name" "--$what"
	done
	[ ! -s under-replicated-partitions ]
	[ ! -s unavailable-partitions ]
	topics out --describe --topic "$name" --topics-with-overrides
	if grep -q 'retention' out; then false; fi
}

@test "configs of topics, the broker, all brokers" {
	create "$name" 1
	configs out --alter --topic "$name" --add-config "retention.ms=99999999,cleanup.policy=[compact,delete]"
	configs out --describe --topic "$name"
	grep -q 'retention.ms=99999999 .*DYNAMIC_TOPIC_CONFIG:retention.ms=99999999' out
	grep -q 'cleanup.policy=compact,delete ' out
	configs out --alter --topic "$name" --delete-config retention.ms
	configs out --describe --topic "$name" --all
	grep -q '  retention.ms=604800000 ' out
	[ "$(wc -l <out)" -gt 25 ]
	run -1 configs out --alter --topic "$name" --add-config retention.ms=many
	run -1 configs out --alter --topic "$name" --add-config no.such.key=1
	node=$(kcat -b "$BROKER" -L -J | jq '.brokers[0].id')
	configs out --describe --broker "$node" --all
	grep -q '  log.retention.check.interval.ms=1000 .*STATIC_BROKER_CONFIG' out
	configs out --alter --broker-defaults --add-config log.cleaner.backoff.ms=15001
	configs out --describe --broker-defaults
	grep -q 'log.cleaner.backoff.ms=15001' out
	configs out --alter --broker-defaults --delete-config log.cleaner.backoff.ms
}

@test "console: every codec, keys, headers, nulls" {
	create "$name" 1
	lines 300 >want
	for codec in none gzip snappy lz4 zstd; do
		console_produce want "$name" --compression-codec "$codec"
	done
	console_consume got "$name" 1500 --from-beginning
	for _ in 1 2 3 4 5; do cat want; done | diff - got

	printf 'a:1,b:2\tk1\tv1\nc:\tk2\tNULL\n' >records
	console_produce records "$name" --reader-property parse.headers=true --reader-property parse.key=true \
		--reader-property null.marker=NULL
	console_consume got "$name" 2 --partition 0 --offset 1500 --formatter-property print.headers=true \
		--formatter-property print.key=true --formatter-property print.offset=true
	printf 'Offset:1500\ta:1,b:2\tk1\tv1\nOffset:1501\tc:\tk2\tnull\n' | diff - got
}

@test "console: acks 0, 1 and all, idempotent or not" {
	create "$name" 1
	lines 100 >want
	console_produce want "$name" --producer-property acks=0 --producer-property enable.idempotence=false
	console_produce want "$name" --producer-property acks=1 --producer-property enable.idempotence=false
	console_produce want "$name" --producer-property acks=all --producer-property enable.idempotence=true
	console_consume got "$name" 300 --from-beginning --isolation-level read_committed
	cat want want want | diff - got
}

@test "get-offsets: earliest, latest, by time, of the largest time" {
	create "$name" 2
	lines 50 >want
	console_produce want "$name"
	on_broker out GetOffsetShell --topic "$name"
	[ "$(awk -F : '{ n += $3 } END { print n }' out)" -eq 50 ]
	for time in earliest -2 0; do
		on_broker out GetOffsetShell --topic-partitions "$name:0-1" --time "$time"
		if grep -v ':0$' out | grep -v ':$'; then false; fi
	done
	on_broker out GetOffsetShell --topic "$name" --time max-timestamp
	[ "$(awk -F : '$3 != "" && $3 >= 0' out | wc -l)" -ge 1 ]
	on_broker out GetOffsetShell --topic "$name" --time 4102444800000
	if grep -q ':[0-9][0-9]*:[0-9]' out; then false; fi
}

@test "delete-records" {
	create "$name" 1
	lines 50 >want
	console_produce want "$name"
	echo '{"partitions":[{"topic":"'"$name"'","partition":0,"offset":20}],"version":1}' >what.json
	on_broker out DeleteRecordsCommand --offset-json-file "$PWD/what.json"
	grep -q 'low_watermark: 20' out
	on_broker out GetOffsetShell --topic "$name" --time earliest
	[ "$(cat out)" = "$name:0:20" ]
	console_consume got "$name" 30 --from-beginning
	tail -n 30 want | diff - got
}

@test "log-dirs" {
	create "$name" 2
	lines 50 >want
	console_produce want "$name"
	on_broker out LogDirsCommand --describe --topic-list "$name"
	tail -n 1 out | jq -e --arg name "$name" '[.brokers[0].logDirs[].partitions[] | select(.partition | startswith($name)) | .size]
		| length == 2 and add > 500'
}

# consumed: a group that has read COUNT records of the topic and is gone.
consumed()
{
	create "$name" 1
	lines 100 >want
	console_produce want "$name"
	console_consume got "$name" "$1" --from-beginning --group "$name"
	groups out --describe --group "$name"
	[ "$(offset_of)" -eq "$1" ]
}

offset_of()
{
	awk -v topic="$name" '$2 == topic { print $4 }' out
}

@test "consumer-groups: list, describe, state, members, delete" {
	consumed 40
	grep -Eq "^$name +$name +0 +40 +100 +60 " out
	groups out --list
	grep -qx "$name" out
	groups out --list --state
	grep -Eq "^$name +.*Empty" out
	groups out --describe --group "$name" --state
	grep -Eq "^$name .*Empty +0" out
	groups out --describe --group "$name" --members
	groups out --describe --all-groups
	[ "$(offset_of)" -eq 40 ]
	groups out --delete-offsets --group "$name" --topic "$name"
	groups out --describe --group "$name"
	[ -z "$(offset_of)" ]
	groups out --delete --group "$name"
	groups out --describe --group "$name"
	grep -q '^Error: .*GroupIdNotFoundException' out
}

# want=OFFSET reset OPTION...: to where that takes the group.
# shellcheck disable=SC2154
reset()
{
	groups out --reset-offsets --group "$name" --topic "$name" "$@" --execute
	[ "$(awk -v topic="$name" '$2 == topic { print $4 }' out)" -eq "$want" ]
	groups out --describe --group "$name"
	[ "$(offset_of)" -eq "$want" ]
}

@test "consumer-groups: every way to reset" {
	consumed 40
	want=0 reset --to-earliest
	want=100 reset --to-latest
	want=33 reset --to-offset 33
	want=43 reset --shift-by 10
	want=23 reset --shift-by -20
	want=0 reset --shift-by -1000
	want=100 reset --to-offset 5000
	want=0 reset --to-datetime 2020-01-01T00:00:00.000
	want=0 reset --by-duration P1D
	want=0 reset --to-current
	want=7 reset --to-offset 7
	groups plan.csv --reset-offsets --group "$name" --topic "$name:0" --to-offset 77 --export --dry-run
	groups out --reset-offsets --group "$name" --from-file "$PWD/plan.csv" --execute
	groups out --describe --group "$name"
	[ "$(offset_of)" -eq 77 ]
	groups out --reset-offsets --group "$name" --all-topics --to-earliest --execute
	groups out --describe --group "$name"
	[ "$(offset_of)" -eq 0 ]
	groups out --reset-offsets --group "$name-new" --topic "$name" --to-offset 5 --execute
	console_consume got "$name" 95 --group "$name-new"
	tail -n 95 want | diff - got
}

@test "a group with a live member cannot be reset or deleted" {
	create "$name" 1
	kcat -q -b "$BROKER" -G "$name" "$name" >/dev/null 2>&1 3>&- &
	has_member() { groups out --describe --group "$name" --members && grep -q rdkafka out; }
	eventually has_member
	groups out --describe --group "$name" --members --verbose
	grep -q "$name(0)\|$name:0" out
	groups out --delete --group "$name"
	grep -q 'GroupNotEmptyException' out
	groups out --reset-offsets --group "$name" --topic "$name" --to-earliest --execute
	grep -q '^Error: .*inactive' out
	kill %1
}

@test "leader-election, cluster id, API versions" {
	create "$name" 1
	on_broker out LeaderElectionCommand --election-type preferred --topic "$name" --partition 0
	tool out ClusterTool cluster-id --bootstrap-server "$BROKER"
	grep -q 'Cluster ID: ' out
	on_broker out BrokerApiVersionsCommand
	grep -q 'Produce(0): 0 to ' out
	if grep -q 'UNKNOWN' out; then false; fi
}

@test "perf: produce with every codec and acks, consume" {
	create "$name" 4
	for codec in none gzip snappy lz4 zstd; do
		on_broker out ProducerPerformance --topic "$name" --num-records 5000 --record-size 100 --throughput -1 \
			--command-property "compression.type=$codec" --command-property acks=all
		grep -q '^5000 records sent' out
	done
	on_broker out ConsumerPerformance --topic "$name" --num-records 25000 --group "$name" --timeout 20000 \
		--command-property auto.offset.reset=earliest
	grep -q ', 25000,' out
}

@test "verifiable producer and consumer" {
	create "$name" 2
	# It tells its count as its JVM ends, so it has one of its own.
	kafka_tool org.apache.kafka.tools.VerifiableProducer --bootstrap-server "$BROKER" --topic "$name" \
		--max-messages 500 --acks -1 >out 2>/dev/null
	grep -q '"name":"tool_data".*"sent":500.*"acked":500' out
	on_broker out VerifiableConsumer --topic "$name" --group-id "$name" --max-messages 500 --reset-policy earliest \
		--session-timeout 10000
	grep -q '"name":"shutdown_complete"' out
	[ "$(jq -s 'map(select(.name == "records_consumed") | .count) | add' out)" -eq 500 ]
	groups out --describe --group "$name"
	[ "$(awk -v topic="$name" '$2 == topic { n += $4 } END { print n }' out)" -eq 500 ]
}
