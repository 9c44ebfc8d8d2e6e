#!/usr/bin/env bats
# One data directory, in turn under mq and under Kafka: the tools make it, Kafka
# starts on it, serves it, writes, is stopped, and later killed; in between the
# tools read what Kafka wrote and go on. The tests build on each other, in order.

setup_file()
{
	words
	export STORE=$BATS_FILE_TMPDIR/store
	make_store "$STORE"
}

teardown_file()
{
	words
	kafka_stop "$STORE"
}

setup()
{
	words
	MQ_DIR=$STORE
	cd "$BATS_FILE_TMPDIR" || return
	[ ! -e "$STORE.kafka/pid" ] || bootstrap=$(kafka_bootstrap "$STORE")
}

words()
{
	# shellcheck source=t/interop/kafka.sh
	. "$BATS_TEST_DIRNAME/kafka.sh"
	# shellcheck source=t/interop/mq-store.sh
	. "$BATS_TEST_DIRNAME/mq-store.sh"
}

# Kafka begins to load groups before it leads their partitions, and again then; and on
# a busy machine its controller may fail its own first registration, and tries again.
broker_is_content()
{
	grep -E ' ERROR |[Cc]orrupt|[Ss]tray|[Ii]nvalid' "$STORE.kafka/server.log" |
		grep -v -e CoordinatorRuntime -e 'ControllerApis.*CONTROLLER_REGISTRATION' |
		same - /dev/null
}

# Makes what Kafka's consumer sees what is expected from here on.
expect_what_kafka_reads()
{
	rm -rf "$STORE.expect" "$STORE.committed"
	printf '%s\n' "all	KafkaReadAll	$bootstrap	$STORE.expect" \
		"committed	KafkaReadAll	$bootstrap	$STORE.committed	read_committed" \
		"$STORE.state	KafkaState	$bootstrap" | kafka_batch
	for file in "$STORE.expect"/*; do
		without_ts <"$file" >new
		mv new "$file"
	done
}

mq_reads_committed_as_kafka()
{
	for file in "$STORE.committed"/*; do
		mq-consume -e -J -t "$(basename "$file" .jsonl)" | "$BATS_TEST_DIRNAME/mq-records.py" read | same - "$file"
	done
}

# epochs PARTITION: the leader epochs of its batches, and those of its checkpoint.
epochs()
{
	mq-dump-log -J "$STORE/$1"/*.log | jq -r 'select(.type == "batch") | .epoch' | uniq
}

leader_epoch()
{
	mq-topics describe -J "$1" | jq -r 'select(.partition == 0) | .epoch'
}

# The tools write on, into every topic, and change what is not records.
write_on()
{
	for topic in codec-none codec-gzip codec-snappy codec-lz4 codec-zstd old trimmed; do
		produce "$topic" 20 -- -B 6 -z lz4
	done
	produce append-time 20 --append-time -- -B 6
	produce segments 60 --partitions 3 -- -B 3
	produce compact 20 --keys 7 -- -B 5
	produce "new-$1" 10 --
	mq-consume -t segments -G one -e >/dev/null
	mq-groups seek all -t codec-zstd -o -5 >/dev/null
	mq-topics alter altered -X "retention.ms=${1}d"
}

each_partition_has_the_leader_epoch()
{
	for topic in codec-none compact segments; do
		epoch=$(leader_epoch "$topic")
		[ "$epoch" -gt "$1" ]
		[ "$(epochs "$topic-0" | tail -n 1)" -eq "$epoch" ]
		[ "$(tail -n 1 "$STORE/$topic-0/leader-epoch-checkpoint" | cut -d ' ' -f 1)" -eq "$epoch" ]
		epochs "$topic-0" | sort -nc
	done
}

# The newest time of a partition comes from its time index. (In transactions the
# markers have times of their own.)
newest_times()
{
	jq -c 'select(.maxTs > 0 and (.topic | test("^(codec-(none|lz4|zstd)|large|old|trimmed)$")))
		| [.topic, .maxTs]' "$STORE.state" >theirs
	for topic in codec-lz4 codec-none codec-zstd large old trimmed; do
		jq -sc --arg topic "$topic" '[$topic, (map(.ts) | max)]' "$STORE.read/$topic.jsonl"
	done | same - theirs
}

sound()
{
	mq-dump-log --verify "$STORE" >found || :
	grep -Ev '^(file|note) ' found | same - /dev/null
	mq-index check "$STORE" >found || :
	grep -v $'^note\t' found | same - /dev/null
}

@test "a broker starts on a store, told no more than its node id" {
	kafka_start_idle "$STORE"
	broker_is_content
	[ -z "$(find "$STORE" -name '*-stray')" ]
}

@test "it serves every record that was produced" {
	kafka_look "$bootstrap"
	kafka_reads_as_expected
}

@test "it says of topics, configurations, ends and commits what mq says" {
	mq_state >state.mq
	[ "$(grep -c '"group"' state.mq)" -eq 10 ]
	kafka_state | same - state.mq
}

@test "kafka-consumer-groups and kafka-configs show what mq committed and configured" {
	printf '%s\n' "groups	org.apache.kafka.tools.consumer.group.ConsumerGroupCommand	--bootstrap-server	$bootstrap	--describe	--group	one" \
		"configs	kafka.admin.ConfigCommand	--bootstrap-server	$bootstrap	--describe	--topic	altered" |
		kafka_batch
	grep -E '^one +codec-none +0 +30 +120 +90 ' groups
	grep -E '^ +max.message.bytes=2097152 ' configs
}

# Kafka looks into one segment, the first whose newest time is not older, and may
# find nothing there: where compaction left a segment empty (its file's time
# stands for its records'), where the newest record is one that was trimmed. mq
# looks on, so those topics are not compared.
@test "records are found by time where mq finds them" {
	for topic in append-time codec-lz4 large old segments; do
		jq -r --arg topic "$topic" 'select(input_line_number % 37 == 1) | .ts - 1, .ts, .ts + 1 | "\($topic) \(.)"' "$STORE.read/$topic.jsonl"
	done | sort -u >times.txt
	while read -r topic ts; do
		printf '%s\n' "time.$topic.$ts	org.apache.kafka.tools.GetOffsetShell	--bootstrap-server	$bootstrap	--topic	$topic	--time	$ts"
	done <times.txt | kafka_batch >/dev/null
	[ "$(wc -l <times.txt)" -gt 50 ]
	while read -r topic ts; do
		# Where there is none, mq says the end, Kafka nothing.
		mq-topics offsets "$topic" -o "@$ts" | tr '\t' : | grep -vxFf <(mq-topics offsets "$topic" | tr '\t' :) >ours || :
		grep -v ':$' "time.$topic.$ts" | same - ours || { echo "$topic @$ts"; false; }
	done <times.txt
}

@test "librdkafka reads every record, whatever the codec" {
	for topic in $(store_topics "$STORE"); do
		echo "topic $topic"
		cat "$STORE.expect/$topic.jsonl"
	done >want
	# shellcheck disable=SC2046 # one word each
	"$BATS_TEST_DIRNAME/mq-clients.py" librdkafka "$bootstrap" $(store_topics "$STORE") | without_ts | same - want
}

@test "kcat prints the bytes that mq-consume prints" {
	for topic in codec-none codec-gzip codec-snappy codec-lz4 codec-zstd append-time trimmed compact; do
		kcat -q -X fetch.wait.max.ms=10 -C -b "$bootstrap" -t "$topic" -p 0 -o beginning -e -f '%t %o %T %K %k %R%s\n' >theirs
		mq-consume -t "$topic" -e -f '%t %o %T %K %k %R%s\n' | cmp - theirs
		[ -s theirs ]
	done
}

# It has no more codecs where Debian's packages of them are not installed.
@test "kafka-python reads what it can decompress" {
	for topic in codec-none codec-gzip append-time compact; do
		echo "topic $topic"
		cat "$STORE.expect/$topic.jsonl"
	done >want
	"$BATS_TEST_DIRNAME/mq-clients.py" kafka-python "$bootstrap" codec-none codec-gzip append-time compact |
		without_ts | same - want
}

@test "no tool writes while Kafka runs" {
	cksum "$STORE"/[a-z]*/*.log "$STORE"/__consumer*/*.log >before
	while read -r -a command; do
		run "${command[@]}" -m 0.05 <<<"record"
		echo "${command[*]}: $output"
		[ "$status" -eq 75 ]
		[[ $output == *"locked by another process"* ]]
	done <<-'COMMANDS'
		mq-produce -t codec-none
		mq-produce -t not-there
		mq-topics create not-there
		mq-topics alter altered -X retention.ms=1
		mq-topics alter altered --partitions 9
		mq-topics delete -y altered
		mq-topics trim codec-none -o 5
		mq-topics clean compact
		mq-groups seek one -o 5
		mq-groups delete -y one
		mq-consume -t codec-none -G one -e
		mq-index rebuild codec-none
	COMMANDS
	cksum "$STORE"/[a-z]*/*.log "$STORE"/__consumer*/*.log | same - before
}

@test "mq reads while Kafka runs and writes" {
	mq_reads_as_expected
	[ "$(kafka_java KafkaWrite "$bootstrap" first)" -eq 30 ]
	expect_what_kafka_reads
	[ "$(cat "$STORE.expect"/codec-*.jsonl | grep -c "$(printf 'first of Kafka' | base64 | cut -c 1-12)")" -gt 100 ]
	mq_reads_as_expected
	mq_reads_committed_as_kafka
}

@test "after a clean stop mq reads all that Kafka wrote" {
	kafka_state >state.kafka
	kafka_stop "$STORE"
	mq_reads_as_expected
	mq_reads_committed_as_kafka
	mq_state | diff state.kafka -
	[ "$(mq-consume -t segments -e -f '%x\n' | sort -u | wc -l)" -eq 2 ]
	sound
}

@test "the tools write on where Kafka stopped, with its leader epoch" {
	write_on 1
	each_partition_has_the_leader_epoch 0
	mq_reads_as_expected
	sound
}

@test "Kafka serves it all again" {
	mq_state >state.mq
	kafka_start_idle "$STORE"
	kafka_look "$bootstrap"
	kafka_reads_as_expected
	kafka_state | same - state.mq
	newest_times
}

@test "after kill -9, a transaction open, mq reads all that Kafka wrote" {
	kafka_java KafkaWrite "$bootstrap" second open
	expect_what_kafka_reads
	kafka_state >state.kafka
	kafka_kill "$STORE"
	mq_reads_as_expected
	mq_reads_committed_as_kafka
	mq_state | diff state.kafka -
	[ "$(wc -l <"$STORE.committed/codec-gzip.jsonl")" -lt "$(wc -l <"$STORE.expect/codec-gzip.jsonl")" ]
}

@test "the tools write on after the crash" {
	write_on 2
	each_partition_has_the_leader_epoch 1
	mq_reads_as_expected
	sound
}

@test "Kafka recovers and serves it all once more" {
	mq_state >state.mq
	kafka_start_idle "$STORE"
	kafka_look "$bootstrap"
	kafka_reads_as_expected
	kafka_state | same - state.mq
	newest_times
	broker_is_content
	kafka_stop "$STORE"
}
