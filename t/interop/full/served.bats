#!/usr/bin/env bats
# What a broker does with what is produced and committed: facts that the tools
# follow, each stated by a Kafka of its own.

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

create()
{
	local topic=$1 config
	shift
	printf 'create.%s\torg.apache.kafka.tools.TopicCommand\t--bootstrap-server\t%s\t--create\t--topic\t%s' \
		"$topic" "$bootstrap" "$topic"
	for config; do
		printf '\t--config\t%s' "$config"
	done
	printf '\n'
}

# Kafka's console consumer in a group that stands beyond the end.
consume()
{
	printf 'consume.%s\torg.apache.kafka.tools.consumer.ConsoleConsumer\t--bootstrap-server\t%s\t--topic\tbeyond' \
		"$1" "$bootstrap"
	printf '\t--group\t%s\t--consumer-property\tauto.offset.reset=%s\t--timeout-ms\t3000\n' "beyond-$1" "$1"
}

# The tools commit what is to be beyond the end, before the start.
setup_file()
{
	words
	seq 10 | mq-produce -q -d store -t beyond
	for group in describe earliest latest; do
		mq-groups seek -q -d store "beyond-$group" -t beyond -o 10 >/dev/null
	done
	# The log loses its tail: the commits are beyond its end now.
	rm -r store/beyond-0/mq.tail
	truncate -s 0 store/beyond-0/00000000000000000000.log
	head -n 6 <(seq 10) | mq-produce -q -d store -t beyond
	bootstrap=$(kafka_start_on_existing store)
	{
		create to-zstd compression.type=zstd
		create to-gzip compression.type=gzip compression.gzip.level=9
		create to-none compression.type=uncompressed
	} | kafka_batch
	for topic in to-zstd to-gzip to-none; do
		kafka_java KafkaProduce "$bootstrap" "$topic" none 3 20
		kafka_java KafkaProduce "$bootstrap" "$topic" gzip 3 20
	done
	{
		printf 'describe\torg.apache.kafka.tools.consumer.group.ConsumerGroupCommand\t--bootstrap-server\t%s\t--describe\t--group\tbeyond-describe\n' "$bootstrap"
		consume earliest
		consume latest
		printf 'describe.after\torg.apache.kafka.tools.consumer.group.ConsumerGroupCommand\t--bootstrap-server\t%s\t--describe\t--group\tbeyond-earliest\n' "$bootstrap"
	} | kafka_batch || :
	kafka_stop store
}

teardown_file()
{
	words
	[ ! -e store.kafka/pid ] || kafka_stop store
}

# batches TOPIC: codec and offsets of its batches.
batches()
{
	mq-dump-log -J "store/$1-0"/*.log | jq -r 'select(.type == "batch") | "\(.codec) \(.offset) \(.last)"'
}

size_of()
{
	mq-dump-log -J "store/$1-0"/*.log | jq -s 'map(select(.type == "batch"))[-1].size'
}

@test "a topic's compression.type: each batch is made anew in that codec, as one batch" {
	for codec in zstd gzip none; do
		batches "to-$codec" >got
		for first in 0 20 40 60 80 100; do
			echo "$codec $first $((first + 19))"
		done | diff - got
	done
	[ "$(size_of to-gzip)" -lt 300 ]
	[ "$(size_of to-none)" -gt 2000 ]
}

@test "kafka-consumer-groups shows a commit beyond the log's end as it is, with a negative lag" {
	grep -E '^beyond-describe +beyond +0 +10 +6 +-4 ' describe
}

@test "a consumer that stands beyond the end begins where auto.offset.reset says, and commits that" {
	grep -xE '[0-9]+' consume.earliest | diff - <(seq 6)
	[ "$(grep -cxE '[0-9]+' consume.latest)" -eq 0 ]
	grep -E '^beyond-earliest +beyond +0 +6 +6 +0 ' describe.after
}
