#!/usr/bin/env bats
# Debian's Python clients, unmodified: see clients.py, and broker.sh for which broker.

bats_require_minimum_version 1.5.0

setup_file()
{
	words
	broker_up "$BATS_FILE_TMPDIR/data"
}

teardown_file()
{
	words
	broker_down "$BATS_FILE_TMPDIR/data"
}

words()
{
	# shellcheck source=t/interop/mqd/broker.sh
	. "$BATS_TEST_DIRNAME/broker.sh"
}

@test "python3-confluent-kafka" {
	"$BATS_TEST_DIRNAME/clients.py" confluent "$BROKER" 3>&-
}

@test "python3-kafka" {
	"$BATS_TEST_DIRNAME/clients.py" kafka-python "$BROKER" 3>&-
}
