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

@test "mq writes into a directory that was formatted, and one that was started once" {
	for name in formatted fresh; do
		rm -rf store store.*
		cp -r "$data/$name" store
		chmod -R u+w store
		mkdir store.expect
		produce first 20 -- -z lz4
		mq-consume -t first -G group -c 7 >/dev/null
		id=$(grep cluster.id store/meta.properties)
		kafka_serves_all
		kafka_stop store
		[ "$(grep cluster.id store/meta.properties)" = "$id" ]
		produce first 20 --
		mq_reads_as_expected
	done
}
