#!/usr/bin/env bats
# mqd answers every case as Kafka does, in the lowest and in the highest version. What
# oracle.py compares is no chance: two fresh Kafkas do, too.

teardown_file()
{
	for broker in one two kafka; do
		"$BATS_TEST_DIRNAME/../oracle-kafka.sh" -s "$BATS_FILE_TMPDIR/$broker"
	done
	"$BATS_TEST_DIRNAME/../oracle-mqd.sh" -s "$BATS_FILE_TMPDIR/mqd"
}

@test "two fresh Kafkas do not differ" {
	cd "$BATS_TEST_DIRNAME/.."
	read -r one _ <<<"$(./oracle-kafka.sh "$BATS_FILE_TMPDIR/one" 3>&-)"
	read -r two _ <<<"$(./oracle-kafka.sh "$BATS_FILE_TMPDIR/two" 3>&-)"
	./oracle.py "$one" "$two" -V ends >"$BATS_TEST_TMPDIR/tap" || :
	grep -A 20 '^not ok' "$BATS_TEST_TMPDIR/tap" | head -n 200
	[ "$(grep -c '^ok' "$BATS_TEST_TMPDIR/tap")" -ge 1000 ]
	[ "$(grep -c '^not ok' "$BATS_TEST_TMPDIR/tap")" -eq 0 ]
}

@test "mqd answers as Kafka does, but where it means to differ" {
	cd "$BATS_TEST_DIRNAME/.."
	read -r kafka _ <<<"$(./oracle-kafka.sh "$BATS_FILE_TMPDIR/kafka" 3>&-)"
	mqd=$(./oracle-mqd.sh "$BATS_FILE_TMPDIR/mqd" 3>&-)
	./oracle.py "$kafka" "$mqd" -a -V ends >"$BATS_TEST_TMPDIR/tap" || :
	grep -A 20 '^not ok' "$BATS_TEST_TMPDIR/tap" | head -n 200
	[ "$(grep -c '^ok' "$BATS_TEST_TMPDIR/tap")" -ge 1000 ]
	[ "$(grep -c '^not ok' "$BATS_TEST_TMPDIR/tap")" -eq 0 ]
}
