# shellcheck shell=bash
# clients.bash (sourced): facts about a client and a broker, each stated once for
# all the clients of this directory. A bats file says which client it is, with
#
#   setup_file() { . clients.bash; client_up NAME [FILTER]; }    FILTER: a jq filter
#       that makes any record one that the client can write
#   teardown_file() { . clients.bash; broker_down "$BATS_FILE_TMPDIR/data"; }
#   setup() { . clients.bash; test_up; }
#   teardown() { test_down; }
#
# and has a test for each fact that its client can show. $CLIENT is the program of
# that name, which does one thing a run, with the broker at $BROKER:
#
#   produce TOPIC PARTITION CODEC <RECORDS       idempotent, acks=all
#   consume TOPIC PARTITION COUNT FROM           FROM: an offset, or @MILLISECONDS
#   member TOPIC GROUP      until TERM; lines "assign P...", "got PARTITION OFFSET"
#   create TOPIC PARTITIONS [KEY=VALUE...]; delete TOPIC; grow TOPIC COUNT; topics
#   configs TOPIC, alter TOPIC KEY=VALUE         configs prints KEY=VALUE lines
#   commit GROUP TOPIC OFFSET..., committed GROUP TOPIC       of partitions 0, 1...
#   groups, members GROUP (how many), drop GROUP
#   ends TOPIC              "START END" of partitions 0, 1... on one line
#   cut TOPIC PARTITION OFFSET                   DeleteRecords
#
# A record is a line of JSON, {"o": OFFSET, "k": KEY, "v": VALUE, "h": [[NAME, VALUE]...],
# "t": MILLISECONDS}, in which bytes are base64 and null is null.
#
# Sessions of members last 3 s and commits are due every 100 ms, so that tests are
# short; all else is each client's default: group protocols and versions, too.

_clients=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=t/interop/mqd/broker.sh
. "$_clients/../../mqd/broker.sh"

# --- the client ---------------------------------------------------------------

client_up()
{
	local home
	export WRITES=${2-.}
	broker_up "$BATS_FILE_TMPDIR/data" || return

	case $1 in
	kafkajs | platformatic)
		home=$("$_clients/fetch.sh" npm) || return
		# An import looks for packages beside the program.
		cp "$_clients"/*.mjs "$BATS_FILE_TMPDIR"
		ln -s "$home/node_modules" "$BATS_FILE_TMPDIR"
		_client "$home/node" "$BATS_FILE_TMPDIR/$1.mjs"
		;;
	franz)
		home=$("$_clients/fetch.sh" go) || return
		mkdir "$BATS_FILE_TMPDIR/franz"
		cp "$home"/go.* "$_clients/franz.go" "$BATS_FILE_TMPDIR/franz"
		(cd "$BATS_FILE_TMPDIR/franz" && go build -mod=mod -o program franz.go) || return
		_client "$BATS_FILE_TMPDIR/franz/program"
		;;
	*)
		home=$("$_clients/fetch.sh" pip) || return
		_client "$home/bin/python3" -B "$_clients/$1.py"
		;;
	esac
}

_client()
{
	printf '%q ' exec "$@" >"$BATS_FILE_TMPDIR/client"
	printf '"$@"\n' >>"$BATS_FILE_TMPDIR/client"
	export CLIENT=$BATS_FILE_TMPDIR/client
}

client()
{
	bash "$CLIENT" "$@" 3>&-
}

# Debian's librdkafka, which other tests know well.
known()
{
	/usr/bin/python3 -B "$_clients/confluent.py" "$@"
}

test_up()
{
	cd "$BATS_TEST_TMPDIR" || return
	members=()
	name=$(basename "$BATS_TEST_FILENAME" .bats)-$BATS_TEST_NUMBER-$RANDOM
}

test_down()
{
	[ -n "${BATS_TEST_COMPLETED-}" ] || tail -n 5 -- member.* "$BATS_FILE_TMPDIR"/data*.err
	[ ${#members[@]} -eq 0 ] || kill -KILL "${members[@]}" 2>/dev/null || :
}

# --- records ------------------------------------------------------------------

# topic [OPTION...]: one of the test's name, of one partition, whose records may be
# as old as they like.
topic()
{
	client create "$name" 1 retention.ms=-1 "$@"
	eventually is_there
}

is_there()
{
	kcat -b "$BROKER" -L -J -t "$name" | jq -e '.topics[0].partitions[0].leader >= 0' >/dev/null
}

# Keys, values, headers and times of every kind, in the order in which they are sent.
records()
{
	jq -cn '
		def bytes(n): "AP/DKA9+gIEK" * n;
		[{k: "aw==", v: "dg==", h: []},
		{k: null, v: "bm8ga2V5", h: []},
		{k: "dG9tYnN0b25l", v: null, h: []},
		{k: null, v: null, h: []},
		{k: "", v: "", h: []},
		{k: "", v: null, h: [["none", null], ["", "MQ=="]]},
		{k: bytes(20), v: bytes(50), h: [["a", "MQ=="], ["a", "Mg=="], ["\u00e9\u20ac\ud83d\ude00", bytes(3)], ["empty", ""]]},
		{k: "bGFyZ2U=", v: bytes(40000), h: []},
		(range(300) | {k: "a10\(. % 7)", v: bytes(1 + . % 40), h: (if . % 3 == 0 then [["n", "MDEy"]] else [] end)})] |
		to_entries[] | .value + {t: (1700000000123 + 1000 * (.key % 50))}'
}

# What records are once they are in a log, from offset $1 on.
stored()
{
	jq -cn --argjson from "$1" 'foreach inputs as $r ($from - 1; . + 1; {o: .} + $r)'
}

# same FILE: as stdin has it, whatever the order of an object's keys; and not nothing.
same()
{
	diff -q <(jq -ce '{o, k, v, h, t}' "$1" || echo nothing) <(jq -c '{o, k, v, h, t}')
}

batches()
{
	mq-dump-log -J "$BATS_FILE_TMPDIR/data/$name-0"/*.log | jq -c 'select(.type == "batch")'
}

# Written by the client, read by it and by one that other tests know.
codec()
{
	local count
	topic
	records | jq -c "$WRITES" >sent
	count=$(wc -l <sent)
	client produce "$name" 0 "$1" <sent
	stored 0 <sent >want
	client consume "$name" 0 "$count" 0 >got
	same want <got
	known consume "$name" 0 "$count" 0 >got
	same want <got
	batches | jq -se --arg codec "$1" 'map(select(.size > 1000)) | length > 0 and all(.codec == $codec)'
}

# Written by the known client, in every codec.
written_by_others()
{
	local count codec from=0
	topic
	records >sent
	count=$(wc -l <sent)
	for codec in none gzip snappy lz4 zstd; do
		known produce "$name" 0 "$codec" <sent
		stored "$from" <sent >>want
		from=$((from + count))
	done
	client consume "$name" 0 "$from" 0 >got
	same want <got
}

many()
{
	seq "$1" | jq -cR '{k: null, v: @base64, h: [], t: (1700000000000 + tonumber)}'
}

# Every batch has a producer id, and sequences count the records.
idempotent()
{
	topic
	many 5000 >sent
	client produce "$name" 0 none <sent
	client produce "$name" 0 gzip <sent
	known consume "$name" 0 10000 0 >got
	stored 0 <sent >want
	stored 5000 <sent >>want
	same want <got
	batches | jq -se 'all(.pid != null) and (group_by(.pid) | length == 2 and all(. as $of
		| all(.seq == .offset - $of[0].offset)))'
}

log_append_time()
{
	local now
	topic message.timestamp.type=LogAppendTime
	many 1 | client produce "$name" 0 none
	now=$(date +%s%3N)
	client consume "$name" 0 1 0 | jq -e --argjson now "$now" '.t > $now - 60000 and .t <= $now'
}

seek()
{
	topic
	many 1000 | client produce "$name" 0 none
	many 1000 | stored 0 >all
	client consume "$name" 0 100 400 | same <(sed -n 401,500p all)
	client consume "$name" 0 1 999 | same <(tail -n 1 all)
	client consume "$name" 0 10 @1700000000301 | same <(sed -n 301,310p all)
	client consume "$name" 0 1000 @5 | same all
}

# --- admin --------------------------------------------------------------------

ends_are()
{
	[ "$(client ends "$name")" = "$1" ]
}

ends()
{
	topic
	ends_are "0 0"
	many 100 | client produce "$name" 0 lz4
	ends_are "0 100"
	client cut "$name" 0 42
	ends_are "42 100"
	client consume "$name" 0 58 42 | same <(many 100 | stored 0 | tail -n 58)
	client cut "$name" 0 -1
	ends_are "100 100"
}

# listed WHAT NAME: whether the client lists it.
listed()
{
	client "$1" | grep -qx -- "$2"
}

not_listed()
{
	! listed "$@"
}

topics()
{
	client create "$name" 3
	eventually listed topics "$name"
	eventually ends_are "0 0 0 0 0 0"
	run -1 client create "$name" 3
	client grow "$name" 5
	eventually ends_are "0 0 0 0 0 0 0 0 0 0"
	run -1 client grow "$name" 2
	client delete "$name"
	eventually not_listed topics "$name"
	run -1 client delete "$name"
}

has_config()
{
	client configs "$name" | grep -qx -- "$1"
}

configs()
{
	client create "$name" 1 retention.ms=123456789 cleanup.policy=compact,delete
	eventually is_there
	has_config retention.ms=123456789
	has_config cleanup.policy=compact,delete
	has_config segment.bytes=1073741824
	client alter "$name" segment.ms=7777777
	eventually has_config segment.ms=7777777
	run -1 client alter "$name" segment.ms=long
	has_config segment.ms=7777777
}

# --- groups -------------------------------------------------------------------

four()
{
	client create "$name" 4
	eventually is_there
}

# Offsets that somebody commits who is no member; before and after a restart.
offsets()
{
	four
	client commit "$name" "$name" 1 22 333 4444
	for _ in 1 2; do
		[ "$(client committed "$name" "$name")" = "1 22 333 4444" ]
		listed groups "$name"
		[ -n "${MQ_TEST_BROKER-}${MQ_TEST_KAFKA-}" ] || broker_again "$BATS_FILE_TMPDIR/data"
	done
}

drop()
{
	four
	client commit "$name" "$name" 1 2 3 4
	client drop "$name"
	not_listed groups "$name"
	run -1 client drop "$name"
}

# put COUNT: more records, over all partitions.
put()
{
	lines "$1" | kcat -q -b "$BROKER" -P -t "$name" -X partitioner=random -X sticky.partitioning.linger.ms=0
}

# join N: a member, whose lines go to member.N and whose pid to members.
join()
{
	bash "$CLIENT" member "$name" "$name" >"member.$1" 2>&1 3>&- &
	members[$1]=$!
}

leave()
{
	kill -TERM "${members[$1]}"
	wait "${members[$1]}"
}

# have N [FILE...]: whether the members have got so many different records.
have()
{
	[ "$(cat "${@:2}" | grep '^got' | sort -u | wc -l)" -eq "$1" ]
}

# Whether the group has committed all that there is.
committed_all()
{
	local low_high i
	mapfile -t -d ' ' low_high < <(client ends "$name" | tr -d '\n')
	[ "$(client committed "$name" "$name")" = "${low_high[1]} ${low_high[3]} ${low_high[5]} ${low_high[7]}" ]
}

# Who leaves has committed: the next one gets what came meanwhile, and that only.
resume()
{
	four
	put 1000
	for i in 1 2; do
		join "$i"
		eventually have 1000 "member.$i"
		leave "$i"
		eventually committed_all
		[ "$i" -eq 2 ] || put 1000
	done
	have 2000 member.*
}

owns()
{
	grep '^assign' "$1" | tail -n 1 | grep -q '[0-9]'
}

members_are()
{
	[ "$(client members "$name")" -eq "$1" ]
}

churn()
{
	four
	put 200
	(for _ in $(seq 20); do
		put 100
		sleep 0.1
	done) 3>&- &
	join 1
	eventually grep -q '^got' member.1
	join 2
	eventually owns member.2
	members_are 2
	kill -KILL "${members[1]}"
	join 3
	eventually owns member.3
	eventually members_are 2
	leave 2
	eventually members_are 1
	eventually have 2200 member.*
	eventually committed_all
}
