# runs: brokers
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
	old=$(($(date +%s%3N) - 120000))
	run produce "$old" old
	[ "$status" -eq 65 ]
	[[ $output == *"imestamp $old "* ]]
	try 0 mq-consume -t t -e
	is 'young'
}

@test "message.timestamp.after.max.ms refuses what is too far ahead, an hour by default" {
	mq-topics create t
	produce "$(($(date +%s%3N) + 1800000))" soon
	late=$(($(date +%s%3N) + 7200000))
	run produce "$late" late
	[ "$status" -eq 65 ]
	[[ $output == *"imestamp $late "* ]]
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

@test "compression.gzip.level and the like: the level that the topic says; -z of the same codec goes first" {
	seq 20000 | tr '\n' ' ' >in
	for topic in one:1 nine:9 first:1; do
		mq-topics create "${topic%:*}" -X compression.type=gzip -X "compression.gzip.level=${topic#*:}"
	done
	mq-produce -t one in
	mq-produce -t nine in
	mq-produce -t first -z gzip:9 in
	read -r first nine one < <(mq-topics du first nine one -J | jq .bytes | paste -sd' ')
	[ "$one" -ne "$nine" ]
	[ "$first" -eq "$nine" ]
}

@test "cleanup.policy=compact: a record without key is refused" {
	mq-topics create t -X cleanup.policy=compact
	bad 65 'without key' mq-produce -t t <<<"no key"
	mq-produce -t t -K : <<<"k:v"
	printf '%s\n' a:1 none b:2 | bad 3 'record 2: ' mq-produce -E -t t -K : --key-optional -B 1
	try 0 mq-consume -t t -e -f '%k=%s\n'
	is 'k=v\na=1\nb=2'
}
