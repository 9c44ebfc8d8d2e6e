#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031 # each test has a topic of its own
# A program over librdkafka, unmodified. See broker.sh for which broker.

bats_require_minimum_version 1.5.0

setup_file()
{
	words
	broker_up "$BATS_FILE_TMPDIR/data"
	cc -D_GNU_SOURCE -std=gnu11 -Wall -o "$BATS_FILE_TMPDIR/client" "$BATS_TEST_DIRNAME/rdkafka-client.c" -lrdkafka
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
	topic=rdkafka-$BATS_TEST_NUMBER-$RANDOM
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
	local count=$1
	shift
	"$BATS_FILE_TMPDIR/client" produce "$BROKER" "$topic" "$count" "$@"
}

# In a subshell of its own, in the background: $! is the client.
member()
{
	exec "$BATS_FILE_TMPDIR/client" member "$BROKER" "$topic" "$topic" auto.offset.reset=earliest \
		session.timeout.ms=2000 heartbeat.interval.ms=200 auto.commit.interval.ms=100 "$@" 3>&-
}

# Each partition has 0, 1, 2... and nothing twice.
in_order()
{
	kcat_read "$topic" | sort -s -n -k 1,1 | awk -v count="$1" '
		$2 != seen[$1] + 0 { print "partition " $1 ": " $2 ", want " seen[$1] + 0; exit 1 }
		{ seen[$1]++ }
		END { for (p in seen) if (seen[p] != count) exit 1 }'
}

have_all()
{
	[ "$(grep -h '^got' member.* | cut -d ' ' -f 4- | sort -u | wc -l)" -eq "$1" ]
}

committed()
{
	[ "$("$BATS_TEST_DIRNAME/clients.py" committed "$BROKER" "$topic" "$topic")" = "$1" ]
}

@test "an idempotent producer, every codec: in order, nothing twice, nothing lost" {
	base=$topic
	for codec in none gzip snappy lz4 zstd; do
		topic=$base-$codec
		produce 2000 enable.idempotence=true "compression.codec=$codec" batch.num.messages=20 linger.ms=1
		in_order 2000
	done
}

@test "acks 0 and 1" {
	produce 500 acks=1
	produce 500 acks=0
	eventually has_lines "$topic" 4000
}

@test "members leave: what they had committed is not read again" {
	produce 500
	for i in 1 2; do
		member >"member.$i" &
		eventually grep -q '^assign .' "member.$i"
		[ "$i" -eq 2 ] || eventually have_all 2000
		kill -TERM "$!"
		wait "$!"
	done
	[ "$(grep -c ^got member.2)" -eq 0 ]
	committed "500 500 500 500"
}

churn()
{
	produce 200
	(for _ in $(seq 20); do
		produce 100
		sleep 0.1
	done) 3>&- &
	member partition.assignment.strategy="$1" >member.1 & one=$!
	eventually grep -q '^got' member.1
	member partition.assignment.strategy="$1" >member.2 & two=$!
	eventually grep -q '^assign .' member.2
	kill -KILL "$one"
	member partition.assignment.strategy="$1" >member.3 &
	eventually grep -q '^assign .' member.3
	kill -TERM "$two"
	eventually committed "2200 2200 2200 2200"
	# Values repeat from one run of the producer to the next; offsets do not.
	[ "$(grep -h '^got' member.* | cut -d ' ' -f 2,3 | sort -u | wc -l)" -eq 8800 ]
}

@test "members come, go and are killed: range" {
	churn range
}

@test "members come, go and are killed: roundrobin" {
	churn roundrobin
}

@test "members come, go and are killed: cooperative-sticky" {
	churn cooperative-sticky
}

@test "a static member that comes back keeps its partitions, and nobody else notices" {
	produce 10
	member group.instance.id=one session.timeout.ms=20000 >member.1 & one=$!
	member group.instance.id=two session.timeout.ms=20000 >member.2 &
	eventually grep -qE '^assign [0-9]+ [0-9]+$' member.1
	eventually grep -qE '^assign [0-9]+ [0-9]+$' member.2
	before=$(grep -cE '^(assign|revoke)' member.2)
	kill -KILL "$one"
	member group.instance.id=one session.timeout.ms=20000 >member.3 &
	eventually grep -q '^assign' member.3
	[ "$(grep '^assign' member.3 | tail -n 1)" = "$(grep '^assign .' member.1 | tail -n 1)" ]
	[ "$(grep -cE '^(assign|revoke)' member.2)" -eq "$before" ]
}
