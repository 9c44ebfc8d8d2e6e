# shellcheck shell=bash
# setup_suite: one broker for all tests of this directory, since its start is
# what costs. Tests find it at MQ_KAFKA; they make topics with names of their own.

setup_suite()
{
	# shellcheck source=t/interop/kafka.sh
	. "$(dirname "${BASH_SOURCE[0]}")/kafka.sh"
	export MQ_KAFKA MQ_KAFKA_DIR=$BATS_SUITE_TMPDIR/broker
	MQ_KAFKA=$(kafka_start "$MQ_KAFKA_DIR")
}

teardown_suite()
{
	kafka_stop "$MQ_KAFKA_DIR"
}
