# What a topic's settings do to what is produced into it, as users see it.
# shellcheck disable=SC2154 # output, stderr: run sets them

load lib/tools

setup() {
	fresh_store
}

# produce TS TEXT: one record with that timestamp in ms.
produce() {
	printf '{"ts":%s,"payload":"%s"}\n' "$1" "$2" | mq-produce -J -t t
}

@test "message.timestamp.type=LogAppendTime: records bear the time of their append" {
	mq-topics create t -X message.timestamp.type=LogAppendTime
	before=$(date +%s%3N)
	produce 1000 x
	try 0 mq-consume -t t -e -f '%T %a{tstype}\n'
	read -r ts type <<<"$output"
	[ "$ts" -ge "$before" ]
	[ "$ts" -le "$(date +%s%3N)" ]
	[ "$type" = logappend ]
}

@test "message.timestamp.before.max.ms refuses what is too old, and takes the rest" {
	mq-topics create t -X message.timestamp.before.max.ms=60000
	produce "$(date +%s%3N)" young
	run produce "$(($(date +%s%3N) - 120000))" old
	[ "$status" -ne 0 ]
	[[ $output == *"message.timestamp.before.max.ms (60000)"* ]]
	try 0 mq-consume -t t -e
	is 'young'
}

@test "message.timestamp.after.max.ms refuses what is too far ahead, an hour by default" {
	mq-topics create t
	produce "$(($(date +%s%3N) + 1800000))" soon
	run produce "$(($(date +%s%3N) + 7200000))" late
	[ "$status" -ne 0 ]
	[[ $output == *"message.timestamp.after.max.ms (3600000)"* ]]
	mq-topics alter t -X message.timestamp.after.max.ms=1d
	produce "$(($(date +%s%3N) + 7200000))" late
	try 0 mq-consume -t t -e
	is 'soon\nlate'
}

@test "LogAppendTime asks nothing of the records' own time" {
	mq-topics create t -X message.timestamp.type=LogAppendTime -X message.timestamp.before.max.ms=1 \
	    -X message.timestamp.after.max.ms=1
	produce 1000 old
	produce "$(($(date +%s%3N) + 7200000))" late
	try 0 mq-consume -t t -e
	is 'old\nlate'
}

@test "max.message.bytes: batches fit it, and a record that never could is refused by its line" {
	mq-topics create t -X max.message.bytes=1000
	seq 1000 >in
	mq-produce -t t in
	same in mq-consume -t t -e
	printf 'short\n%2000s\n' x >long
	run mq-produce -t t long
	[ "$status" -eq 65 ]
	[[ $output == *"long:2:"* ]]
}

@test "cleanup.policy=compact: a record without key is refused" {
	mq-topics create t -X cleanup.policy=compact
	run mq-produce -t t <<<"no key"
	[ "$status" -ne 0 ]
	[[ $output == *"without key"* ]]
	mq-produce -t t -K : <<<"k:v"
	try 0 mq-consume -t t -e -f '%k=%s\n'
	is 'k=v'
}
