# shellcheck shell=bash
# mq-store.sh (sourced, after kafka.sh): stores that the tools make, and what
# must be in them.
#
#   make_store DIR           a store full of cases; DIR.expect/TOPIC.jsonl has
#                            what was produced, as KafkaRecords.java prints it
#   produce TOPIC N [MAKE-OPTION...] -- [OPTION...]   N more records, by mq-produce
#   store_topics DIR         the topics that have records, but Kafka's own
#   without_ts               drops from records what a log's own clock gave
#   mq_reads_as_expected     all topics, compared
#   kafka_start_idle DIR     a broker on it, at $bootstrap, that takes nothing away
#   kafka_serves_all         one that serves what mq says and what is expected
#   kafka_look BOOTSTRAP     what the broker says and serves, for the next two
#   kafka_reads_as_expected
#   mq_state                 topics with their configs, partitions, commits, as
#   kafka_state              Kafka says them (KafkaState.java), less what only a
#                            broker knows
#
#   same FILE FILE           diff, cut to what a person reads
#
# DIR is MQ_DIR for those without a DIR. Compaction and trimming take from
# DIR.expect what they must take from the store. Input comes from a file, not a
# pipe, so batches are the same in each run.

_mq_here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export MQ_DIR

same()
{
	diff --text "$@" | cut -c 1-200 | head -n 20
	return "${PIPESTATUS[0]}"
}

without_ts()
{
	sed 's/"tstype":"append","ts":[0-9]*/"tstype":"append","ts":null/'
}

produce()
{
	local topic=$1 count=$2 ends options=()
	shift 2
	ends=$(mq-topics offsets "$topic" 2>/dev/null | cut -f 2,3)

	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	shift
	"$_mq_here/mq-records.py" make "$MQ_DIR.expect/$topic.jsonl" "$count" --ends "$ends" "${options[@]}" \
		>"$MQ_DIR.input" &&
		mq-produce -J -t "$topic" "$@" "$MQ_DIR.input"
}

# Keeps of the expected records those that COMMAND (a filter) prints.
_expect()
{
	local file=$MQ_DIR.expect/$1.jsonl
	shift
	"$@" <"$file" >"$MQ_DIR.new" && mv "$MQ_DIR.new" "$file"
}

# After a full cleaning of what is before the active segment, which begins at
# offset $1 and takes no part in it.
_compacted()
{
	jq -sc --argjson from "$1" '(map(select(.offset < $from)) | group_by(.key) | map(last) |
		sort_by(.offset)[]), (.[] | select(.offset >= $from))'
}

make_store()
{
	local codec from
	MQ_DIR=$1
	mkdir -p "$MQ_DIR.expect"

	for codec in none gzip snappy lz4 zstd; do
		produce "codec-$codec" 60 -- -z "$codec" -B 7
		produce "codec-$codec" 60 --size 5000 -- -z "$codec"
	done
	mq-topics create append-time -X message.timestamp.type=LogAppendTime
	produce append-time 40 --append-time -- -B 9
	produce append-time 40 --append-time -- -B 9 -z gzip
	mq-topics create old -X retention.ms=-1
	produce old 20 --start 1500000000000 -- -B 3
	# The index's size, too, makes it roll.
	mq-topics create segments --partitions 3 -X internal.segment.bytes=8000 \
		-X index.interval.bytes=300 -X segment.index.bytes=240
	produce segments 200 --partitions 3 -- -B 3
	produce segments 200 --partitions 3 -- -B 3 -z lz4
	mq-topics create large -X segment.bytes=1M
	produce large 100 --size 50000 -- -B ,100K

	mq-topics create trimmed -X internal.segment.bytes=5000
	produce trimmed 100 -- -B 5
	mq-topics trim trimmed -o 65 -q >/dev/null
	_expect trimmed jq -c 'select(.offset >= 65)'
	mq-topics create compact -X cleanup.policy=compact -X internal.segment.bytes=900 \
		-X min.cleanable.dirty.ratio=0 -X delete.retention.ms=1d
	for _ in 1 2; do
		produce compact 50 --keys 7 -- -B 5
		mq-topics clean compact -q >/dev/null
	done
	from=$(find "$MQ_DIR/compact-0" -name '*.log' -printf '%f\n' | sort | tail -n 1)
	_expect compact _compacted "$((10#${from%.log}))"

	mq-consume -t codec-none -G one -c 30 >/dev/null
	mq-consume -t '^codec-' -t segments -G all -e >/dev/null
	mq-groups seek sought -t old -o 7 -q >/dev/null
	mq-groups seek gone -t old -o 7 -q >/dev/null
	mq-groups delete -y -q gone
	mq-topics create deleted
	produce deleted 3 --
	mq-topics delete -y deleted
	rm "$MQ_DIR.expect/deleted.jsonl"
	mq-topics create altered -X retention.ms=7d
	mq-topics alter altered -X retention.ms -X max.message.bytes=2M
	mq-topics alter altered --partitions 4
}

store_topics()
{
	local file
	for file in "$1.expect"/*.jsonl; do
		basename "$file" .jsonl
	done
}

# Also without files where a topic has no record.
_read_as_expected()
{
	sed -i 's/"tstype":"append","ts":[0-9]*/"tstype":"append","ts":null/' "$1"/*.jsonl
	same -rN "$1" "$MQ_DIR.expect"
}

mq_reads_as_expected()
{
	rm -rf "$MQ_DIR.mq"
	mkdir "$MQ_DIR.mq"
	mq-consume -e -J --isolation=read_uncommitted -t '*' | "$_mq_here/mq-records.py" read "$MQ_DIR.mq"
	_read_as_expected "$MQ_DIR.mq"
}

# A broker on the directory, at $bootstrap, under which neither age nor compaction
# nor a time-out takes anything.
kafka_start_idle()
{
	bootstrap=$(kafka_start_on_existing "$1" log.initial.task.delay.ms=86400000 \
		log.cleaner.enable=false transaction.abort.timed.out.transaction.cleanup.interval.ms=86400000)
}

# Kafka serves what the tools and it itself wrote.
kafka_serves_all()
{
	mq_state >state.mq
	kafka_start_idle "$MQ_DIR"
	kafka_look "$bootstrap"
	kafka_reads_as_expected
	kafka_state | same - state.mq
}

kafka_look()
{
	rm -rf "$MQ_DIR.read"
	printf '%s\n' "$MQ_DIR.state	KafkaState	$1" "$MQ_DIR.out	KafkaReadAll	$1	$MQ_DIR.read" | kafka_batch
}

kafka_reads_as_expected()
{
	_read_as_expected "$MQ_DIR.read"
}

# Kafka prints a double as Java does.
mq_state()
{
	{
		mq-topics describe -J '*' '__*'
		mq-groups describe -J
	} | jq -cs '
		def configs($t): [.[] | select(.config and .topic == $t) | {(.config): (if .config == "min.cleanable.dirty.ratio" then .value | sub("^0$"; "0.0") else .value end)}] | add // {};
		. as $all |
		(map(select(.id)) | group_by(.topic)[] |
			(.[0] as $t | {topic: $t.topic, id: $t.id, partitions: length, configs: ($all | configs($t.topic))}),
			(.[] | {topic, partition, start, "end": .["end"]})),
		(.[] | select(.committed != null) | {group, topic, partition, offset: .committed})
	' | _state_sorted
}

kafka_state()
{
	state_of <"$MQ_DIR.state"
}

# What mq_state would print, of KafkaState's output.
state_of()
{
	jq -c 'if .end then del(.stable, .maxTs, .maxTsOffset)
		elif .group then select(.offset) | {group, topic, partition, offset} else . end' | _state_sorted
}

_state_sorted()
{
	jq -cS . | sort
}
