#!/usr/bin/env bats
# Every message schema of ours says what the pinned Kafka's own schema says:
# names, numbers, types, versions, flexible versions, nullability, tags, defaults,
# listeners.

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
	[ "${#names[@]}" -ge 140 ]
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

# Runs a unit test, which prints with some options what it would test.
unit_test() {
	local tmp=$BATS_TEST_TMPDIR

	"$gen" wire "$tmp" "${schemas[@]}"
	"$gen" wire_test "$tmp" "$top"/t/unit/wire_schema/*.txt
	cc -D_GNU_SOURCE -std=gnu11 -I"$top/lib" -I"$top/t/unit" -I"$tmp" -o "$tmp/$1" \
	    "$top/t/unit/$1.c" "$top"/lib/wire/*.c "$top"/lib/base/*.c "$tmp"/*_gen.c
	"$tmp/$1" "$2"
}

@test "Kafka's own classes read our messages, write the same bytes and the same JSON" {
	. "$top/t/interop/kafka.sh"
	# Random content for every schema at every version.
	unit_test wire_schemas --samples >"$BATS_TEST_TMPDIR/samples"
	run kafka_java WireOracle <"$BATS_TEST_TMPDIR/samples"
	echo "$output"
	[ "$status" -eq 0 ]
	[ "${lines[-1]}" = "$(wc -l <"$BATS_TEST_TMPDIR/samples") messages" ]
	[ "$(wc -l <"$BATS_TEST_TMPDIR/samples")" -ge 3000 ]
}

@test "our table of APIs has Kafka's versions, listeners and headers" {
	. "$top/t/interop/kafka.sh"
	unit_test wire_api --list >"$BATS_TEST_TMPDIR/ours"
	mapfile -t keys < <(cut -d ' ' -f 1 "$BATS_TEST_TMPDIR/ours")
	[ "${#keys[@]}" -ge 31 ]
	kafka_java WireOracle "${keys[@]}" >"$BATS_TEST_TMPDIR/kafkas"
	diff -u "$BATS_TEST_TMPDIR/kafkas" "$BATS_TEST_TMPDIR/ours"
}
