#!/usr/bin/env bats
# The tools' own tests, run against Apache Kafka: what they say of a store holds of its
# brokers too, but for those tagged "store". And what only brokers have: they go away.

setup_file()
{
	words
	export STORE=$BATS_FILE_TMPDIR/kafka
	kafka_start "$STORE" group.min.session.timeout.ms=500 >/dev/null
}

teardown_file()
{
	words
	kafka_stop "$STORE"
}

setup()
{
	words
	brokers=$(kafka_bootstrap "$STORE")
	cd "$BATS_TEST_TMPDIR" || return
}

words()
{
	# shellcheck source=t/interop/kafka.sh
	. "$BATS_TEST_DIRNAME/../kafka.sh"
}

@test "the tools' tests hold of it" {
	failed=0
	mapfile -t files < <(grep -l '^# runs: brokers' "$MQ_TOP"/t/[0-9]*.bats)
	for file in "${files[@]}"; do
		echo "$file"
		MQ_BROKERS=$brokers "$MQ_TOP/t/lib/on-brokers" "$file" </dev/null >out 3>&- || failed=1
		grep -v '^ok ' out
	done
	[ "$failed" -eq 0 ]
}

@test "a broker that is killed and comes back: each record once; who follows goes on" {
	export MQ_BROKERS=$brokers MQ_CONFIG=none
	mq-topics create kk --partitions 3
	{
		for ((i = 1; i <= 2000; i++)); do
			echo "$i"
			((i % 20)) || read -rt 0.05 <> <(:) || :
		done
	} | mq-produce -t kk --partitioner rr -B 5 --ack-format '%i\n' >acks 2>/dev/null 3>&- &
	produce=$!
	mq-consume -t kk >followed 2>/dev/null 3>&- &
	follow=$!
	until [ "$(wc -l <acks)" -ge 100 ]; do
		kill -0 "$produce"
	done
	kafka_kill "$STORE"
	# On the same port, as nobody could tell clients of another.
	_kafka_launch "$STORE"
	wait "$produce"
	[ "$(wc -l <acks)" -eq 2000 ]
	mq-consume -t kk -e | sort -n | cmp - <(seq 2000)
	until [ "$(sort -nu followed | wc -l)" -eq 2000 ]; do
		kill -0 "$follow"
	done
	kill "$follow"
	sort -n followed | cmp - <(seq 2000)
}
