#!/usr/bin/env bats
# Every message schema of ours says what the pinned Kafka's own schema says:
# names, numbers, types, versions, flexible versions, nullability, tags, defaults.

setup() {
	top=$BATS_TEST_DIRNAME/../..
	schemas=("$top"/lib/wire/schema/*/*.txt)
	gen=$BATS_TEST_TMPDIR/wire-gen
	cc -D_GNU_SOURCE -o "$gen" "$top"/lib/wire/gen/*.c
}

@test "our schemas say what Kafka's say" {
	"$gen" --dump "${schemas[@]}" >"$BATS_TEST_TMPDIR/all"
	# The numbers of control records stand in no schema of Kafka's.
	sed -E 's/^([^ .]+) control [0-9,]+ /\1 data /' "$BATS_TEST_TMPDIR/all" >"$BATS_TEST_TMPDIR/ours"
	mapfile -t names < <(grep -oE '^[^ .]+ ' "$BATS_TEST_TMPDIR/ours" | tr -d ' ')
	python3 "$top/t/interop/schema-dump.py" "$("$top/t/interop/schema-extract.sh")" "${names[@]}" \
	    >"$BATS_TEST_TMPDIR/kafkas"
	[ "${#names[@]}" -ge 80 ]
	diff -u "$BATS_TEST_TMPDIR/kafkas" "$BATS_TEST_TMPDIR/ours"
}

@test "every metadata and coordinator record of Kafka's has a schema" {
	dir=$("$top/t/interop/schema-extract.sh")
	"$gen" --dump "${schemas[@]}" | grep -oE '^[^ .]+ ' | tr -d ' ' | sort >"$BATS_TEST_TMPDIR/ours"
	grep -hoE '^  "name": "[A-Za-z]+"' "$dir"/{metadata,group-coordinator,transaction-coordinator,share-coordinator}/*.json |
	    cut -d'"' -f4 | sort >"$BATS_TEST_TMPDIR/kafkas"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/kafkas")" -ge 60 ]
	run comm -23 "$BATS_TEST_TMPDIR/kafkas" "$BATS_TEST_TMPDIR/ours"
	[ "$output" = "" ]
}
