#!/usr/bin/env bats
# Directories that Kafka made and that hold nothing yet, under mq and Kafka again.

setup()
{
	# shellcheck source=t/interop/kafka.sh
	. "$BATS_TEST_DIRNAME/../kafka.sh"
	# shellcheck source=t/interop/mq-store.sh
	. "$BATS_TEST_DIRNAME/../mq-store.sh"
	cd "$BATS_TEST_TMPDIR" || return
	data=$BATS_TEST_DIRNAME/../../data
	MQ_DIR=$PWD/store
}

teardown()
{
	[ ! -e "$MQ_DIR.kafka/pid" ] || kafka_stop "$MQ_DIR"
}

start()
{
	bootstrap=$(kafka_start_on_existing "$MQ_DIR" log.initial.task.delay.ms=86400000 \
		log.cleaner.enable=false transaction.abort.timed.out.transaction.cleanup.interval.ms=86400000)
}

# Kafka serves what the tools and it itself wrote.
served()
{
	mq_state >state.mq
	start
	kafka_look "$bootstrap"
	kafka_reads_as_expected
	kafka_state | same - state.mq
}

@test "mq writes into a directory that was formatted, and one that was started once" {
	for name in formatted fresh; do
		rm -rf store store.*
		cp -r "$data/$name" store
		chmod -R u+w store
		mkdir store.expect
		produce first 20 -- -z lz4
		mq-consume -t first -G group -c 7 >/dev/null
		id=$(grep cluster.id store/meta.properties)
		served
		kafka_stop store
		[ "$(grep cluster.id store/meta.properties)" = "$id" ]
		produce first 20 --
		mq_reads_as_expected
	done
}
