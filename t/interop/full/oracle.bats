#!/usr/bin/env bats
# What oracle.py compares is no chance: two fresh Kafkas answer every case alike,
# in the lowest and in the highest version.

teardown_file()
{
	"$BATS_TEST_DIRNAME/../oracle-kafka.sh" -s "$BATS_FILE_TMPDIR/one"
	"$BATS_TEST_DIRNAME/../oracle-kafka.sh" -s "$BATS_FILE_TMPDIR/two"
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
