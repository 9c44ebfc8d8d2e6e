#!/bin/bash
# make-fixtures.sh: makes the fixtures in this directory with the real Kafka.
#
#   t/data/make-fixtures.sh [batches] [fresh] [store] [killed]    (default: all)
#
# Run by hand when the pinned version (t/interop/kafka.version) or a maker
# changes; its output is committed. Only batches/ is the same at every run: the
# rest holds ids that Kafka draws and times at which it wrote.
#
#   batches/NAME.bin .json    one record batch each, and what Kafka reads in it
#   formatted/                a data directory formatted, never started
#   fresh/                    the same after one start and one clean stop
#   kafka-store/              a data directory full of cases (MakeStore.java)
#   kafka-store.expect/       what Kafka says of it:
#     records/TOPIC.jsonl              what a read_uncommitted consumer gets
#     records/TOPIC.committed.jsonl    a read_committed one, where it differs
#     dump/PARTITION/FILE.txt          DumpLogSegments of each file
#     state.jsonl                      topics, offsets, groups (KafkaState.java)
#   killed.tar.gz             a data directory after kill -9: no clean marker,
#                             preallocated indexes (as holes), an open transaction
#   killed.expect/            records and state.jsonl of it, after recovery
#
# Copy a data directory before a test starts anything on it. Kafka's snapshots
# (*.checkpoint) are mode 0400 where Kafka wrote them; git does not keep that.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=t/interop/kafka.sh
. "$here/../interop/kafka.sh"

tmp=$(mktemp -d)
broker=
trap '[ -z "$broker" ] || kafka_kill "$broker"; rm -rf "$tmp"' EXIT

start()
{
	broker=$1
	bootstrap=$(kafka_start "$@")
}

stop()
{
	kafka_stop "$broker"
	broker=
}

# Replaces the directory $here/NAME by DIR; .lock is a run's, not the data's.
install_dir()
{
	rm -rf "${here:?}/$2"
	cp -r "$1" "$here/$2"
	rm -f "$here/$2/.lock"
	chmod -R u+w "$here/$2"
}

topics_of()
{
	find "$1" -mindepth 1 -maxdepth 1 -type d -printf '%f\n' | sed 's/-[0-9]*$//' |
		grep -v '^__' | sort -u
}

# kafka_batch that names what failed. DumpLogSegments complains on stderr of
# every log that does not begin at 0; that is no failure.
batch()
{
	kafka_batch >"$tmp/batch.out" 2>"$tmp/batch.err" && return
	grep -v ^0 "$tmp/batch.out" >&2
	grep -Ev '^(Non-consecutive offsets|  -1 is followed by) ' "$tmp/batch.err" >&2
	return 1
}

# What a broker on a copy of DIR tells about it, into OUT.
expect_of_broker()
{
	local dir=$1 out=$2 topic

	mkdir -p "$out/records"
	cp -a "$dir" "$tmp/copy"
	start "$tmp/copy" log.cleaner.enable=false
	{
		printf '%s\tKafkaState\t%s\n' "$out/state.jsonl" "$bootstrap"
		for topic in $(topics_of "$dir"); do
			printf '%s\tKafkaRecords\t%s\t%s\n' "$out/records/$topic.jsonl" "$bootstrap" "$topic"
			printf '%s\tKafkaRecords\t%s\t%s\tread_committed\n' "$out/records/$topic.committed.jsonl" \
				"$bootstrap" "$topic"
		done
	} | batch
	stop
	rm -rf "$tmp/copy" "$tmp/copy.kafka"
	for topic in $(topics_of "$dir"); do
		if cmp -s "$out/records/$topic.jsonl" "$out/records/$topic.committed.jsonl"; then
			rm "$out/records/$topic.committed.jsonl"
		fi
	done
}

# DumpLogSegments of every file that it knows, in one JVM.
expect_of_dump()
{
	local dir=$1 out=$2 file decoder

	cd "$dir"
	for file in */*.{log,index,timeindex,txnindex,snapshot,checkpoint}; do
		case $file in
		__consumer_offsets-*) decoder=--offsets-decoder ;;
		__transaction_state-*) decoder=--transaction-log-decoder ;;
		__share_group_state-*) decoder=--share-group-state-decoder ;;
		__cluster_metadata-*) decoder=--cluster-metadata-decoder ;;
		*) decoder=--print-data-log ;;
		esac
		mkdir -p "$out/${file%/*}"
		printf '%s\torg.apache.kafka.tools.DumpLogSegments\t--files\t%s\t%s\n' "$out/$file.txt" "$file" "$decoder"
	done | batch
	cd - >/dev/null
}

make_batches()
{
	rm -rf "$here/batches"
	kafka_java MakeBatches "$here/batches"
}

make_fresh()
{
	kafka_format "$tmp/fresh"
	install_dir "$tmp/fresh" formatted
	start "$tmp/fresh"
	stop
	install_dir "$tmp/fresh" fresh
}

make_store()
{
	local dir=$tmp/kafka-store properties
	properties=(offsets.topic.num.partitions=3 log.retention.ms=-1 log.retention.check.interval.ms=500
		log.initial.task.delay.ms=100 log.segment.delete.delay.ms=0 log.cleaner.backoff.ms=100
		metadata.log.max.record.bytes.between.snapshots=8000)

	start "$dir" "${properties[@]}"
	kafka_java MakeStore "$bootstrap" "$dir" before
	stop
	start "$dir" "${properties[@]}"
	kafka_java MakeStore "$bootstrap" "$dir" after
	stop
	rm -rf "$here/kafka-store.expect"
	install_dir "$dir" kafka-store
	expect_of_broker "$dir" "$here/kafka-store.expect"
	expect_of_dump "$dir" "$here/kafka-store.expect/dump"
}

make_killed()
{
	local dir=$tmp/killed

	start "$dir" log.index.size.max.bytes=4096
	kafka_java MakeStore "$bootstrap" "$dir" killed
	kafka_kill "$dir"
	broker=
	rm -f "$dir/.lock"
	tar -C "$tmp" -c --sparse --sort=name --owner=0 --group=0 killed | gzip -9n >"$here/killed.tar.gz"
	rm -rf "$here/killed.expect"
	expect_of_broker "$dir" "$here/killed.expect"
}

[ $# -gt 0 ] || set -- batches fresh store killed
for part; do
	"make_$part"
done
