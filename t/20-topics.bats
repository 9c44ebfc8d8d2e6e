# runs: brokers
# mq-topics: list, make, change, trim and delete topics.
bats_require_minimum_version 1.5.0

setup() {
	# shellcheck source=t/lib/tools.bash
	. "$BATS_TEST_DIRNAME/lib/tools.bash"
	fresh_store
}

# table LINE...: what was printed is these rows; spaces stand for tabs.
table() {
	printf '%s\n' "$@" | tr ' ' '\t' | diff - <(printf '%s\n' "$output")
}

# says STATUS TEXT: the command ended like this, and said so.
says() {
	[ "$status" -ne "$1" ] || [ "$output" != "$2" ] || return 0
	echo "# $status: $output"
	return 1
}

# person COMMAND ANSWER: runs it on a terminal, types the answer; both are in $output.
person() {
	run python3 -c '
import os, pty, sys
pid, tty = pty.fork()
if pid == 0:
    os.execvp("sh", ["sh", "-c", sys.argv[1]])
text = b""
answer = (sys.argv[2] + "\n").encode()
try:
    while piece := os.read(tty, 4096):
        text += piece
        if answer and b"[y/N] " in text:  # what is typed before may be echoed anywhere
            os.write(tty, answer)
            answer = b""
except OSError:
    pass
print(text.decode().replace("\r", ""))
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))' "$1" "$2"
}

# --- list, create ------------------------------------------------------------

@test "creating a topic makes the store; list prints bare names, sorted" {
	mq-topics create orders audit --partitions 3
	run mq-topics
	says 0 $'audit\norders'
	run mq-topics list -J
	says 0 $'{"topic":"audit"}\n{"topic":"orders"}'
	run mq-topics list --heading
	says 0 $'topic\naudit\norders'
}

# bats test_tags=store
@test "reading makes no store" {
	for command in list describe offsets du clean; do
		run mq-topics $command
		[ "$status" -eq 66 ]
		[[ $output == *"no store here"* ]]
	done
	run mq-topics delete -y t
	[ "$status" -eq 66 ]
	[ ! -e store ]
}

@test "a file is no store" {
	local command

	echo x >file
	for command in 'mq-topics' 'mq-topics create t' 'mq-groups' 'mq-produce -t t' \
	    'mq-consume -e t'; do
		# shellcheck disable=SC2086 # words
		run $command -d file </dev/null
		says 66 "${command%% *}: file: no store (not a directory)"
	done
	[ "$(cat file)" = x ]
}

@test "an empty store has no topics, and that is fine" {
	mq-topics create t
	mq-topics delete -y t
	run mq-topics
	says 0 ""
}

@test "a topic has the partitions and configurations that it was made with" {
	mq-topics create t --partitions 2 -X retention.ms=7d -X segment.bytes=1M
	run mq-topics describe t -J
	[ "$(jq -c 'select(.config) | [.config, .value, .from]' <<<"$output")" = \
	    $'["retention.ms","604800000","DYNAMIC_TOPIC_CONFIG"]\n["segment.bytes","1048576","DYNAMIC_TOPIC_CONFIG"]' ]
	[ "$(jq -c 'select(.partition != null) | [.partition, .leader, .replicas, .isr, .start, .end]' <<<"$output")" = \
	    $'[0,1,[1],[1],0,0]\n[1,1,[1],[1],0,0]' ]
}

@test "describe -v shows what holds by default too" {
	mq-topics create t
	run mq-topics describe t
	[[ $output != *retention.ms* ]]
	run mq-topics describe t -v
	[[ $output == *$'t\tretention.ms\t604800000\tDEFAULT_CONFIG'* ]]
}

@test "a topic that is there is an error, unless --if-not-exists; others are still made" {
	mq-topics create t
	run mq-topics create t
	says 69 "mq-topics: topic t is there already"
	run mq-topics create t u
	[ "$status" -eq 3 ]
	run mq-topics create t v --if-not-exists
	says 0 ""
	run mq-topics
	says 0 $'t\nu\nv'
}

@test "a bad name, number or configuration is refused, and nothing is made" {
	run mq-topics create a/b
	says 2 "mq-topics: topic 'a/b': names are 1 to 249 of letters, digits, '.', '_' and '-'"
	run mq-topics create t --partitions 0
	[ "$status" -eq 2 ]
	run mq-topics create t --replicas 2
	[ "$status" -eq 2 ]
	run mq-topics create t -X retention.mss=1
	says 2 "mq-topics: -X: retention.mss: no such topic configuration (did you mean retention.ms?)"
	run mq-topics create t -X segment.bytes=x
	says 2 "mq-topics: -X: segment.bytes=x: want a number from 1048576 to 2147483647, or one such as 512M"
	run mq-topics create t -X retention.ms=x
	[[ "$status" -eq 2 && "$output" == *", or a time such as 7d" ]]
	run mq-topics --color=blue
	says 2 "mq-topics: --color: 'blue' is not one of auto|always|never"
	run mq-topics create t -X segment.bytes
	says 2 "mq-topics: -X: 'segment.bytes' is not NAME=VALUE"
	run mq-topics
	[ -z "$output" ] || [ "$status" -eq 66 ]
}

@test "-X list tells the configurations of a topic" {
	run mq-topics create -X list
	[ "$status" -eq 0 ]
	grep -q $'^cleanup.policy\tdelete\t' <<<"$output"
	[ ! -e store ]
}

@test "a dry run says what it would do, and does nothing" {
	run mq-topics create t -n --partitions 2 -X retention.ms=1d
	says 0 "would create t --partitions=2 -X retention.ms=86400000"
	[ ! -e store ]
	mq-topics create t
	run mq-topics create t -n
	says 69 "mq-topics: topic t is there already"
	run mq-topics alter t -n -X retention.ms
	says 0 "would alter t -X retention.ms"
	run mq-topics delete t -n
	says 0 "would delete t"
	seq 5 | mq-produce -t t
	run mq-topics trim t -n -o 3
	table "t 0 0 3"
	run mq-topics offsets t -o beginning
	table "t 0 0"
}

# --- which topics ------------------------------------------------------------

@test "a missing topic is 66, with the nearest name; what is there is still shown" {
	mq-topics create orders
	run mq-topics describe ordres
	says 66 "mq-topics: no topic ordres (did you mean orders?)"
	run --separate-stderr mq-topics offsets orders nothing
	[ "$status" -eq 3 ]
	table "orders 0 0"
	# shellcheck disable=SC2154 # bats sets it
	[ "$stderr" = "mq-topics: no topic nothing" ]
}

@test "globs and expressions choose topics; those that match nothing are 66" {
	mq-topics create orders orders.eu payments
	run mq-topics list 'orders*'
	says 0 $'orders\norders.eu'
	run mq-topics -t '^pay'
	says 0 "payments"
	run mq-topics list 'x*'
	says 66 "mq-topics: no topic matches x*"
	run mq-topics list '^('
	[ "$status" -eq 2 ]
}

@test "Kafka's own topics are meant only by words that begin with _, in every command" {
	mq-topics create t
	echo 1 | mq-produce -t t
	mq-consume -t t -G g -e >out
	# Brokers clean by themselves.
	for command in list describe offsets ${MQ_DIR+clean} du; do
		[ "$(mq-topics "$command" | cut -f 1 | sort -u)" = t ]
		[ "$(mq-topics "$command" '*' | cut -f 1 | sort -u)" = t ]
		[ "$(mq-topics "$command" __consumer_offsets | cut -f 1 | sort -u)" = __consumer_offsets ]
		[ "$(mq-topics "$command" '*' '__*' | cut -f 1 | sort -u)" = $'__consumer_offsets\nt' ]
	done
	mq-topics delete -y '*'
	run mq-topics list '_*'
	says 0 __consumer_offsets
}

@test "a partition that is not there is 66, and named" {
	mq-topics create t --partitions 2
	run mq-topics offsets t -p 1,5
	says 66 "mq-topics: topic t has no partition 5, only 0 to 1"
	run mq-topics offsets t -p 1
	table "t 1 0"
}

# --- alter -------------------------------------------------------------------

@test "alter sets configurations, and takes them away when they have no value" {
	mq-topics create t -X retention.ms=1d
	mq-topics alter t -X retention.ms -X cleanup.policy=compact
	run bash -c "mq-topics describe t | tail -n +2"
	table "t cleanup.policy compact DYNAMIC_TOPIC_CONFIG"
	run mq-topics alter t -X segment.bytes=
	[ "$status" -eq 2 ]
	run mq-topics alter t
	says 2 "mq-topics: nothing to alter (-X, --partitions)"
}

@test "partitions can be added, not taken away" {
	mq-topics create t --partitions 2
	mq-topics alter t --partitions 4
	run mq-topics offsets t
	table "t 0 0" "t 1 0" "t 2 0" "t 3 0"
	run mq-topics alter t --partitions 3
	says 69 "mq-topics: topic t has 4 partitions, and none can be taken away"
	run mq-topics alter t --partitions 4
	says 69 "mq-topics: topic t already has 4 partitions"
	mq-topics create u
	run mq-topics alter u --partitions 1
	says 69 "mq-topics: topic u already has 1 partition"
}

# --- delete ------------------------------------------------------------------

@test "delete and trim refuse Kafka's own topics: groups keep their offsets" {
	local refused="mq-topics: topic __consumer_offsets is Kafka's own, and is not deleted"

	refused+=" (mq-groups delete GROUP forgets a group's offsets)"
	mq-topics create t
	seq 5 | mq-produce -t t
	mq-consume -t t -G g -c 3 >/dev/null
	run mq-topics delete -y __consumer_offsets
	says 69 "$refused"
	run mq-topics delete -n '__*'
	says 69 "$refused"
	run mq-topics trim -o end __consumer_offsets
	says 69 "${refused/deleted/trimmed}"
	run mq-groups describe g
	[[ $output == g$'\t'*t$'\t'0$'\t'3$'\t'5* ]]
	run mq-topics delete -y __consumer_offsets t
	says 3 "$refused"
	run mq-topics
	says 0 ""
	run mq-topics list '__*'
	says 0 __consumer_offsets
}

@test "delete asks; without a terminal it wants -y" {
	mq-topics create t u
	run mq-topics delete t
	says 2 "mq-topics: delete asks first, but there is no terminal (-y: do not ask)"
	person "mq-topics delete t" n
	[ "$status" -eq 1 ]
	[[ $output == *"delete topic t and all its records? [y/N] "* ]]
	run mq-topics
	says 0 $'t\nu'
	person "mq-topics delete t u" yes
	[ "$status" -eq 0 ]
	[[ $output == *$'t\nu\ndelete these 2 topics and all their records? [y/N] '* ]]
	run mq-topics
	says 0 ""
}

@test "a deleted topic leaves no files, and one of the same name begins anew" {
	seq 5 | mq-produce -t t
	mq-topics delete -y t
	run ! compgen -G 'store/t-*'
	mq-topics create t
	run mq-topics offsets t
	table "t 0 0"
}

# --- trim, clean, offsets, du ------------------------------------------------

@test "trim deletes what lies before a point, and prints old and new" {
	mq-topics create t --partitions 2
	seq 10 | mq-produce -t t -p 0
	seq 3 | mq-produce -t t -p 1
	run mq-topics trim t -o -2
	table "t 0 0 8" "t 1 0 1"
	run mq-topics trim t -o beginning
	table "t 0 8 8" "t 1 1 1"
	run mq-topics trim t -o 4
	[ "$status" -eq 3 ]
	[[ $output == *"mq-topics: t-1: offset 4 is beyond the end, 3"* ]]
	[[ $output == *$'t\t0\t8\t8'* ]]
	run mq-consume -t t -e
	says 0 $'9\n10\n2\n3'
	run mq-topics trim t -o end -p 1
	table "t 1 1 3"
	run mq-topics trim t
	says 2 "mq-topics: trim up to where? (-o)"
}

@test "offsets finds points by number and by time" {
	mq-topics create t --partitions 2 -X retention.ms=-1
	seq 3 | mq-produce -t t -p 0 --ts 2024-01-01T00:00:00Z
	seq 2 | mq-produce -t t -p 0 --ts 2024-01-02T00:00:00Z
	run mq-topics offsets t
	table "t 0 5" "t 1 0"
	run mq-topics offsets t -o beginning
	table "t 0 0" "t 1 0"
	run mq-topics offsets t -o @2024-01-01T12:00:00Z -p 0
	table "t 0 3"
	run mq-topics offsets t -o @2024-01-03 -p 0
	table "t 0 5"
	run mq-topics offsets t -o +1
	table "t 0 1" "t 1 0"
	run mq-topics offsets t -o -1 -J
	says 0 $'{"topic":"t","partition":0,"offset":4}\n{"topic":"t","partition":1,"offset":0}'
	run mq-topics offsets t -o 1..2
	[ "$status" -eq 2 ]
	run mq-topics offsets t -o stored
	[ "$status" -eq 2 ]
}

# bats test_tags=store
@test "offsets, describe: a partition that cannot be read is named, the others are told of: 3" {
	local log=$MQ_DIR/d-0/00000000000000000000.log

	mq-topics create d --partitions 2
	mq-topics create k -X retention.ms=1d
	echo 1 | mq-produce -t d -p 0
	echo 1 | mq-produce -t k
	rm "$log"
	mkdir "$log"
	run --separate-stderr mq-topics offsets d k
	[ "$status" -eq 3 ]
	table "d 1 0" "k 0 1"
	[ "$stderr" = "mq-topics: $log: Is a directory" ]
	run --separate-stderr mq-topics describe d k
	[ "$status" -eq 3 ]
	[ "$(cut -f 1,2,8 <<<"$output" | head -n 2)" = $'d\t1\t0\nk\t0\t1' ]
	[[ $output == *retention.ms*86400000* ]]
	[ "$stderr" = "mq-topics: $log: Is a directory" ]
	run mq-topics offsets d -p 0
	says 74 "mq-topics: $log: Is a directory"
}

# bats test_tags=store
@test "clean runs retention now, and prints what went" {
	mq-topics create t -X segment.bytes=1M -X retention.ms=-1
	head -c 3000000 /dev/zero | tr '\0' x | fold -w 1000 | mq-produce -t t --ts 2024-01-01
	run mq-topics clean t
	table "t 0 0 0 0 0 0"
	mq-topics alter t -X retention.ms=1d
	run mq-topics clean t
	[ "$status" -eq 0 ]
	[ "$(cut -f 3 <<<"$output")" -ge 2 ]
	[ "$(cut -f 4 <<<"$output")" -gt 2000000 ]
	run mq-topics offsets t -o beginning
	[ "$(cut -f 3 <<<"$output")" -gt 0 ]
}

# bats test_tags=store
@test "clean compacts, and says how much was left" {
	mq-topics create t -X cleanup.policy=compact -X segment.bytes=1M -X min.cleanable.dirty.ratio=0
	for key in a b; do
		head -c 1500000 /dev/zero | tr '\0' x | fold -w 1000 | mq-produce -t t -k $key
	done
	echo last | mq-produce -t t -k c
	run mq-topics clean t -J
	[ "$status" -eq 0 ]
	[ "$(jq '.compacted > 0 and .bytes_after < .bytes_before / 2' <<<"$output")" = true ]
	run bash -c "mq-consume -t t -e -f '%k\n' | sort -u"
	says 0 $'a\nb\nc'
}

@test "du counts segments and bytes" {
	mq-topics create t -X segment.bytes=1M
	head -c 3000000 /dev/zero | tr '\0' x | fold -w 1000 | mq-produce -t t
	run mq-topics du t -J
	# A broker says nothing of segments.
	[ "$(jq '(.segments // 3) >= 3 and .bytes > 3000000 and .bytes < 3500000' <<<"$output")" = true ]
}

# bats test_tags=store
@test "du of an internal topic tells of the partitions that have files" {
	mq-topics create t
	echo x | mq-produce -t t
	mq-consume -t t -G g -e >/dev/null
	run mq-topics du __consumer_offsets
	[ "$status" -eq 0 ]
	[ "$(wc -l <<<"$output")" -eq 1 ]
}

# --- a Kafka store -----------------------------------------------------------

# bats test_tags=store
@test "the topics of a store that Apache Kafka wrote are there" {
	run mq-topics -d "$BATS_TEST_DIRNAME/data/kafka-store" list
	[ "$status" -eq 0 ]
	[[ $output == *segments* ]]
	run mq-topics -d "$BATS_TEST_DIRNAME/data/kafka-store" offsets trimmed -o beginning
	table "trimmed 0 25"
}

# --- the command line --------------------------------------------------------

@test "an option that does not go with a command is refused" {
	run mq-topics list -o 5
	says 2 "mq-topics: -o does not go with list"
	run mq-topics lst
	says 2 "mq-topics: unknown command 'lst' (did you mean list?)"
	run mq-topics ordres
	says 2 "mq-topics: unknown command 'ordres' (a topic goes behind one: mq-topics list ordres)"
	run mq-topics create
	says 2 "mq-topics: no topic; name one"
}

@test "a full stdout is told" {
	mq-topics create t
	run bash -c "mq-topics >/dev/full"
	[ "$status" -eq 74 ]
}
