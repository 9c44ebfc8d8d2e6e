#!/usr/bin/env bats
# Every file of a store that the tools made, under Kafka's DumpLogSegments: it
# accepts them, and reads in them what was produced.

setup_file()
{
	words
	export STORE=$BATS_FILE_TMPDIR/store DUMPS=$BATS_FILE_TMPDIR/dumps
	make_store "$STORE"
	dump_all
}

setup()
{
	words
	MQ_DIR=$STORE
	cd "$STORE" || return
}

words()
{
	# shellcheck source=t/interop/kafka.sh
	. "$BATS_TEST_DIRNAME/kafka.sh"
	# shellcheck source=t/interop/mq-store.sh
	. "$BATS_TEST_DIRNAME/mq-store.sh"
}

# A file's name among the dumps, which has no slashes.
dump_of()
{
	printf '%s\n' "$DUMPS/${1//\//,}"
}

# job OUT FILE [OPTION...]: a line for kafka_batch.
job()
{
	local out=$1 file=$2
	shift 2
	printf '%s\torg.apache.kafka.tools.DumpLogSegments\t--files\t%s' "$out" "$file"
	[ $# -eq 0 ] || printf '\t%s' "$@"
	printf '\n'
}

jobs_of()
{
	local file=$1 out options=()
	out=$(dump_of "$file")

	case $file in
	__consumer_offsets*.log) options=(--offsets-decoder) ;;
	__cluster_metadata*.log | *.checkpoint) options=(--cluster-metadata-decoder) ;;
	esac
	case $file in
	*.log)
		job "$out" "$file" --deep-iteration --print-data-log "${options[@]}"
		job "$out.shallow" "$file"
		;;
	*index)
		job "$out" "$file"
		job "$out.sanity" "$file" --index-sanity-check
		job "$out.verify" "$file" --verify-index-only
		;;
	*) job "$out" "$file" "${options[@]}" ;;
	esac
}

log_files()
{
	find . -type f -regex '.*\.\(log\|index\|timeindex\|txnindex\|snapshot\|checkpoint\)' \
		-printf '%P\n' | sort
}

dump_all()
{
	cd "$STORE" || return
	mkdir "$DUMPS"
	log_files | while read -r file; do
		jobs_of "$file"
	done | kafka_batch >"$DUMPS/status" 2>"$DUMPS/stderr"
}

@test "the store has every kind of file" {
	for kind in log index timeindex snapshot checkpoint; do
		log_files | grep "\.$kind\$"
	done
	[ "$(log_files | grep -c '^segments.*\.log')" -ge 9 ]
	[ "$(log_files | wc -l)" -gt 100 ]
}

# Of each segment but the first of a partition it says that -1 comes before.
@test "DumpLogSegments accepts every file" {
	grep -v '^0	' "$DUMPS/status" | diff - /dev/null
	sed '/^Non-consecutive offsets in /d; /^  -1 is followed by /d' "$DUMPS/stderr" >"$DUMPS/complaints"
	diff "$DUMPS/complaints" /dev/null
	run grep -rEil 'mismatch|isvalid: false|corrupt|unexpected|could not' "$DUMPS" --include='*index*' --include='*.shallow'
	[ "$output" = "" ]
	[ "$(cat "$DUMPS"/*.log | grep -c '^baseOffset: .* isvalid: true$')" -gt 200 ]
	[ "$(cat "$DUMPS"/*.log | grep -c '^baseOffset: ')" -eq "$(cat "$DUMPS"/*.log | grep -c '^baseOffset: .* isvalid: true$')" ]
}

@test "every index passes the sanity check and agrees with its log" {
	log_files | grep 'index$' | while read -r file; do
		grep -q -e "passed sanity check" -e "is empty" "$(dump_of "$file").sanity"
		grep -vx -e "Dumping $file" -e "$file is empty." "$(dump_of "$file").verify" | diff - /dev/null
	done
	[ "$(cat "$DUMPS"/*.index | grep -c '^offset: ')" -gt 100 ]
}

@test "the records in its text are those that were produced" {
	for topic in $(store_topics "$STORE"); do
		for dir in "$topic"-[0-9]*; do
			partition=${dir##*-}
			cat "$DUMPS/$dir",*.log | "$BATS_TEST_DIRNAME/mq-records.py" dumped >"$DUMPS/got"
			"$BATS_TEST_DIRNAME/mq-records.py" sizes "$partition" <"$STORE.expect/$topic.jsonl" >"$DUMPS/want"
			# A log that was trimmed within a segment still has what is before its start.
			[ "$topic" != trimmed ] || sed -i -E '/^([0-9]|[0-5].|6[0-4]) /d' "$DUMPS/got"
			diff "$DUMPS/got" "$DUMPS/want"
		done
	done
}

@test "each batch has the codec that was asked for" {
	for codec in none gzip snappy lz4 zstd; do
		run grep -a '^baseOffset: ' "$DUMPS/codec-$codec-0,00000000000000000000.log"
		[ "${#lines[@]}" -ge 9 ]
		[ "$(grep -c " compresscodec: $codec " <<<"$output")" -eq "${#lines[@]}" ]
	done
}

# Where bytes are no text, the number of U+FFFD differs between the two.
@test "mq-dump-log says of every file what DumpLogSegments says" {
	log_files | grep -v '^bootstrap' | while read -r file; do
		mq-dump-log -J --data "$file" >"$DUMPS/json"
		"$BATS_TEST_DIRNAME/../dump-as-kafka.py" "$file" <"$DUMPS/json" | sed -E 's/�+/�/g' >"$DUMPS/ours"
		sed -E 's/�+/�/g' "$(dump_of "$file")" | diff --text - "$DUMPS/ours"
	done
}

@test "its metadata decoder reads what was created, altered and deleted" {
	dump=$(dump_of __cluster_metadata-0/00000000000000000000.log)
	for want in '"type":"TOPIC_RECORD","version":0,"data":{"name":"segments"' '"type":"REMOVE_TOPIC_RECORD"' \
		'"type":"CONFIG_RECORD","version":0,"data":{"resourceType":2,"resourceName":"altered","name":"max.message.bytes","value":"2097152"}' \
		'"type":"CONFIG_RECORD","version":0,"data":{"resourceType":2,"resourceName":"altered","name":"retention.ms","value":null}'; do
		grep -qF "$want" "$dump"
	done
	[ "$(grep -c '"type":"PARTITION_RECORD"' "$dump")" -gt 60 ]
}

@test "its offsets decoder reads what groups committed and deleted" {
	cat "$DUMPS"/__consumer_offsets-*.log >"$DUMPS/offsets"
	grep -F '"data":{"group":"one","topic":"codec-none","partition":0}' "$DUMPS/offsets" | tail -n 1 | grep -qF '"offset":30,'
	grep -F '"data":{"group":"sought","topic":"old","partition":0}' "$DUMPS/offsets" | tail -n 1 | grep -qF '"offset":7,'
	grep -F '"data":{"group":"gone","topic":"old","partition":0}' "$DUMPS/offsets" | tail -n 1 | grep -qF 'payload: <DELETE>'
}

@test "mq finds its own store sound" {
	mq-dump-log --verify .
	mq-index check .
	mq_reads_as_expected
}
