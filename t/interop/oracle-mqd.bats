#!/usr/bin/env bats
# mqd answers as the pinned Kafka does, newest versions; all of them and every API:
# full/oracle.bats. What differs on purpose: oracle_accepted.py.

teardown_file()
{
	"$BATS_TEST_DIRNAME/oracle-kafka.sh" -s "$BATS_FILE_TMPDIR/kafka"
	"$BATS_TEST_DIRNAME/oracle-mqd.sh" -s "$BATS_FILE_TMPDIR/mqd"
}

@test "requests about records are answered as Kafka answers them" {
	cd "$BATS_TEST_DIRNAME"
	read -r kafka _ <<<"$(./oracle-kafka.sh "$BATS_FILE_TMPDIR/kafka" 3>&-)"
	mqd=$(./oracle-mqd.sh "$BATS_FILE_TMPDIR/mqd" 3>&-)
	./oracle.py "$kafka" "$mqd" -a -V newest '^(ApiVersions|Produce|Fetch|ListOffsets|OffsetForLeaderEpoch|'\
'DeleteRecords|InitProducerId|DescribeProducers|DescribeLogDirs): ' >"$BATS_TEST_TMPDIR/tap" || :
	grep -A 20 '^not ok' "$BATS_TEST_TMPDIR/tap" | head -n 200
	[ "$(grep -c '^ok' "$BATS_TEST_TMPDIR/tap")" -ge 300 ]
	[ "$(grep -c '^not ok' "$BATS_TEST_TMPDIR/tap")" -eq 0 ]
}
