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

# bats test_tags=store
@test "message.timestamp.before.max.ms refuses what is too old, and takes the rest" {
	mq-topics create t -X message.timestamp.before.max.ms=60000
	produce "$(date +%s%3N)" young
	run produce "$(($(date +%s%3N) - 120000))" old
	[ "$status" -ne 0 ]
	[[ $output == *"message.timestamp.before.max.ms (60000)"* ]]
	try 0 mq-consume -t t -e
	is 'young'
}

# bats test_tags=store
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

# codecs ARGUMENT...: of the batches that mq-produce wrote with it, the newest last.
codecs() {
	mq-produce -t t "$@" <<<x
	mq-consume -t t -e -f '%a{codec} ' | sed 's/ $//'
}

@test "compression.type is the codec of batches, whatever the producer asks for" {
	mq-topics create t
	[ "$(codecs)" = none ]
	[ "$(codecs -z gzip)" = 'none gzip' ]
	mq-topics alter t -X compression.type=zstd
	[ "$(codecs)" = 'none gzip zstd' ]
	[ "$(codecs -z gzip -X compression.type=lz4)" = 'none gzip zstd zstd' ]
	mq-topics alter t -X compression.type=uncompressed
	[ "$(codecs -z gzip)" = 'none gzip zstd zstd none' ]
	mq-topics alter t -X compression.type=producer
	[ "$(codecs -z snappy)" = 'none gzip zstd zstd none snappy' ]
	mq-topics alter t -X compression.type=lz4
	mq-topics create u -X compression.type=gzip
	try 0 mq-produce -v -t u <<<x
	[[ $stderr == *'topic u: codec gzip, not none (compression.type)'* ]]
	# Topics of one stream each have their own.
	printf '{"topic":"%s","payload":"x"}\n' t u v t u v | mq-produce -J -B 1
	for topic in t u v; do
		mq-consume -t "$topic" -f '%a{codec}\n' --tail 2
	done >got
	[ "$(paste -sd' ' got)" = 'lz4 lz4 gzip gzip none none' ]
}

# bats test_tags=store
@test "compression.gzip.level and the like: the level that the topic says; -z of the same codec goes first" {
	seq 20000 | tr '\n' ' ' >in
	for level in 1 9; do
		mq-topics create "t$level" -X compression.type=gzip -X compression.gzip.level=$level
		mq-produce -t "t$level" in
	done
	mq-produce -t t1 -z gzip:9 in
	read -r one nine < <(mq-dump-log t1 | sed 's/.* size=\([0-9]*\).*/\1/' | paste -sd' ')
	[ "$nine" -ne "$one" ]
	[[ $(mq-dump-log t9) == *" size=$nine "* ]]
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
