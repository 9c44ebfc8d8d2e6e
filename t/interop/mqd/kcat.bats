#!/usr/bin/env bats
# kcat, unmodified: what a shell does with a broker. See broker.sh for which one.

bats_require_minimum_version 1.5.0

setup_file()
{
	words
	broker_up "$BATS_FILE_TMPDIR/data"
}

teardown_file()
{
	words
	broker_down "$BATS_FILE_TMPDIR/data"
}

setup()
{
	words
	cd "$BATS_TEST_TMPDIR" || return
	topic=kcat-$BATS_TEST_NUMBER-$RANDOM
}

teardown()
{
	jobs -p | xargs -r kill -KILL 2>/dev/null || :
}

words()
{
	# shellcheck source=t/interop/mqd/broker.sh
	. "$BATS_TEST_DIRNAME/broker.sh"
}

produce()
{
	kcat -q -b "$BROKER" -P -t "$topic" "$@"
}

@test "lines come back, with every codec" {
	lines 2000 >want
	for codec in none gzip snappy lz4 zstd; do
		produce -t "$topic-$codec" -z "$codec" -p 0 <want
		kcat_read "$topic-$codec" | diff want -
	done
}

# A codec that a client cannot agree on with the broker is silently left out.
@test "a codec that is asked for is used" {
	for codec in gzip snappy lz4 zstd; do
		produce -z "$codec" -X debug=msg,broker </dev/null 2>log
		if grep -i "not support.*$codec" log; then false; fi
	done
}

@test "keys, headers, nulls and empty values" {
	printf 'k1:v1\nk2:\n:v3\n:\n' | produce -K : -p 0
	printf 'k1:\nk5:v5\n' | produce -K : -Z -p 0
	echo v6 | produce -p 0 -H a=1 -H b= -H a=2
	kcat_read "$topic" -J | jq -c '[.key, .payload, .headers]' >got
	diff - got <<-'EOF2'
		["k1","v1",null]
		["k2","",null]
		["","v3",null]
		["","",null]
		["k1",null,null]
		["k5","v5",null]
		[null,"v6",["a","1","b","","a","2"]]
	EOF2
}

@test "an idempotent producer" {
	lines 5000 >want
	produce -X enable.idempotence=true -X linger.ms=1 -X batch.num.messages=50 -p 0 <want
	kcat_read "$topic" | diff want -
}

@test "every acks" {
	for acks in 0 1 all; do
		lines 100 "acks $acks" | tee -a want | produce -X "acks=$acks" -p 0
	done
	eventually has_lines "$topic" 300
	kcat_read "$topic" | diff want -
}

@test "a large record, and one that is too large" {
	head -c 900000 /dev/zero | tr '\0' x >large
	produce -p 0 large
	kcat_read "$topic" -D '' | cmp - large
	head -c 1200000 /dev/zero | tr '\0' x >larger
	run -1 produce -p 0 -X message.max.bytes=2000000 larger
	[ "$(kcat_read "$topic" | wc -c)" -eq 900001 ]
}

@test "records are spread over partitions, and none is lost" {
	lines 3000 | tee want | awk '{ print NR % 17 ":" $0 }' | produce -K :
	kcat_read "$topic" | sort | diff want -
	kcat_read "$topic" -f '%k %p\n' | sort -u | awk '{ if ($1 in seen) exit 1; seen[$1] }'
}

@test "offsets: from an offset, from the end, by time" {
	lines 100 | produce -p 0
	[ "$(kcat_read "$topic" -p 0 -o 90 | head -n 1)" = "line 000091" ]
	[ "$(kcat_read "$topic" -p 0 -o -5 | wc -l)" -eq 5 ]
	time=$(kcat_read "$topic" -p 0 -f '%o %T\n' | awk '$1 == 50 { print $2 }')
	[ "$(kcat -q -b "$BROKER" -Q -t "$topic:0:$time" | sed 's/.*offset //')" -le 50 ]
	[ "$(kcat -q -b "$BROKER" -Q -t "$topic:0:-2")" = "$topic [0] offset 0" ]
	[ "$(kcat -q -b "$BROKER" -Q -t "$topic:0:-1")" = "$topic [0] offset 100" ]
	[ "$(kcat -q -b "$BROKER" -C -t "$topic" -p 0 -o "s@$time" -e | tail -n 1)" = "line 000100" ]
}

@test "metadata" {
	echo x | produce -p 0
	kcat -b "$BROKER" -L -J -t "$topic" >meta
	jq -e --arg topic "$topic" --arg broker "$BROKER" '(.brokers | length) == 1 and .brokers[0].name == $broker
		and .topics[0].topic == $topic and .topics[0].partitions[0].leader == .brokers[0].id' meta
}

@test "a consumer that waits gets what comes" {
	echo first | produce -p 0
	kcat -q -u -b "$BROKER" -C -t "$topic" -o beginning -c 2 >got 3>&- &
	eventually test -s got
	echo second | produce -p 0
	wait %1
	[ "$(cat got)" = $'first\nsecond' ]
}

member()
{
	kcat -q -u -b "$BROKER" -G "$topic" -X auto.offset.reset=earliest -X session.timeout.ms=2000 \
		-X heartbeat.interval.ms=200 -X auto.commit.interval.ms=100 -X topic.metadata.refresh.interval.ms=500 \
		"$@" "$topic" 3>&-
}

have_all()
{
	[ "$(cat got.* | sort -u | wc -l)" -eq "$1" ]
}

@test "a group goes on where it was" {
	lines 100 | produce -p 0
	member -c 40 >got.1
	member -c 60 >got.2
	cat got.1 got.2 | diff <(lines 100) -
}

@test "a group whose members come, go and are killed reads everything" {
	produce </dev/null
	echo "part 0" | produce
	(for i in $(seq 30); do
		lines 100 "part $i"
		sleep 0.1
	done | produce -X linger.ms=5) 3>&- &
	member >got.1 & one=$!
	member >got.2 & two=$!
	eventually test -s got.1
	kill -KILL "$one"
	member >got.3 &
	eventually test -s got.3
	kill -TERM "$two"
	eventually have_all 3001
}
