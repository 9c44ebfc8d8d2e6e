# runs: brokers
# mq-consume: which records come out, in which form, and when it ends.

setup() {
	# shellcheck source=t/lib/tools.bash
	. "$BATS_TEST_DIRNAME/lib/tools.bash"
	fresh_store
	data=$BATS_TEST_DIRNAME/data
}

# A test that failed leaves nothing behind that holds its output open.
teardown() {
	[ -z "${pid:-}" ] || kill "$pid" 2>/dev/null || :
}

# table COMMAND: for each line OPTIONS|WANTED of stdin, the command with the
# options prints that, its lines joined by blanks.
table() {
	local options wanted got failed=0

	set -f
	while IFS='|' read -r options wanted; do
		# shellcheck disable=SC2086 # words
		got=$("$@" $options </dev/null | paste -sd' ') || failed=1
		[ "$got" = "$wanted" ] || { echo "$options: got '$got', wanted '$wanted'"; failed=1; }
	done
	set +f
	return "$failed"
}

# use_kafka_store: the store that a real Kafka wrote. Never write into it.
use_kafka_store() {
	export MQ_DIR=$data/kafka-store
}

# as_kafka: what mq-consume -J prints, in the form of the fixture's records.
as_kafka() {
	python3 -c '
import base64, json, sys
def b64(record, key):
    if key + "_b64" in record: return record[key + "_b64"]
    return record[key] if record[key] is None else base64.b64encode(record[key].encode()).decode()
for line in sys.stdin:
    r = json.loads(line)
    h = r.get("headers", r.get("headers_b64", []))
    names, values = h[::2], h[1::2]
    if "headers_b64" in r: names = [base64.b64decode(n).decode() for n in names]
    else: values = [v if v is None else base64.b64encode(v.encode()).decode() for v in values]
    print(json.dumps({"partition": r["partition"], "offset": r["offset"],
        "tstype": r["tstype"].replace("logappend", "append"), "ts": r["ts"],
        "headers": [list(p) for p in zip(names, values)], "key": b64(r, "key"),
        "value": b64(r, "payload")}, separators=(",", ":"), ensure_ascii=False))'
}

# sorted: records by partition and offset, as the fixture has them.
sorted() {
	jq -cs 'sort_by(.partition, .offset) | .[]'
}

# --- a real Kafka's store ----------------------------------------------------

# bats test_tags=store
@test "every topic that a real Kafka wrote reads as Kafka's own consumer read it" {
	use_kafka_store
	compared=0
	for expected in "$data"/kafka-store.expect/records/*.jsonl; do
		topic=$(basename "$expected" .jsonl) isolation=read_uncommitted
		case $topic in
		*.committed) topic=${topic%.committed} isolation=read_committed ;;
		esac
		mq-consume -eJ --isolation "$isolation" "$topic" | as_kafka | sorted >got
		sorted <"$expected" >wanted
		diff wanted got
		compared=$((compared + 1))
	done
	[ "$compared" -ge 23 ]
}

# bats test_tags=store
@test "read_committed is the default, and where no transaction is, the same" {
	use_kafka_store
	mq-consume -eJ txn | as_kafka | sorted | diff <(sorted <"$data/kafka-store.expect/records/txn.committed.jsonl") -
	mq-consume -eJ -X isolation.level=read_uncommitted txn | as_kafka | sorted |
		diff <(sorted <"$data/kafka-store.expect/records/txn.jsonl") -
	mq-consume -eJ headers | as_kafka | sorted | diff <(sorted <"$data/kafka-store.expect/records/headers.jsonl") -
	bad 2 "'half' is not one of read_committed|read_uncommitted" mq-consume -e --isolation half txn
}

@test "reading changes nothing in a store" {
	cp -r "$data/kafka-store" copy
	(cd copy && find . -exec stat -c '%n %s %Y %i' {} +) | sort >before
	mq-consume -d copy -e '*' >/dev/null
	mq-consume -d copy -e __consumer_offsets >/dev/null
	(cd copy && find . -exec stat -c '%n %s %Y %i' {} +) | sort | cmp before -
}

@test "a store that may only be read, is read" {
	cp -r "$data/kafka-store" copy
	chmod -R a+rX,a-w copy
	run --separate-stderr as_user mq-consume -d copy -e nulls -p 0 --null=NULL
	[ "$status" -eq 0 ]
	is 'NULL\nv\nNULL'
	chmod -R u+w copy
}

# --- ranges ------------------------------------------------------------------

# two_partitions: topic t: partition 0 has the records 0 to 9, a second apart
# from 2023-11-14T22:13:20Z on; partition 1 has 10 to 12 at the same times.
two_partitions() {
	mq-topics create t --partitions 2
	for i in 0 1 2 3 4 5 6 7 8 9; do
		printf '{"partition":0,"payload":"%d","ts":%d}\n' "$i" $((1700000000000 + i * 1000))
	done >in
	for i in 0 1 2; do
		printf '{"partition":1,"payload":"%d","ts":%d}\n' $((10 + i)) $((1700000000000 + i * 1000))
	done >>in
	mq-produce -J -t t -B 3 in
}

@test "-o: every form of a range, in one partition" {
	two_partitions
	table mq-consume -t t -p 0 -e <<'EOF'
|0 1 2 3 4 5 6 7 8 9
-o beginning|0 1 2 3 4 5 6 7 8 9
-o start|0 1 2 3 4 5 6 7 8 9
-o earliest|0 1 2 3 4 5 6 7 8 9
-o end|
-o latest|
-o 0|0 1 2 3 4 5 6 7 8 9
-o 7|7 8 9
-o 10|
-o 11|
-o +8|8 9
-o +0|0 1 2 3 4 5 6 7 8 9
-o -1|9
-o -3|7 8 9
-o -10|0 1 2 3 4 5 6 7 8 9
-o -99|0 1 2 3 4 5 6 7 8 9
-o 2..5|2 3 4
-o 2..2|
-o ..3|0 1 2
-o 7..end|7 8 9
-o +2..-2|2 3 4 5 6 7
-o -4..-2|6 7
-o beginning..2|0 1
-o 8..99|8 9
-o @1700000007|7 8 9
-o @1700000007000|7 8 9
-o @1700000006001|7 8 9
-o @1700000002..1700000004|2 3
-o @1700000002..@1700000004|2 3
-o @2023-11-14T22:13:27|7 8 9
-o @2023-11-14T22:13:27Z|7 8 9
-o @2023-11-14T23:13:27+01:00|7 8 9
-o @2023-11-14T22:13:22..+2s|2 3
-o @2023-11-14..@2023-11-15|0 1 2 3 4 5 6 7 8 9
-o ..@1700000002|0 1
-o @2099-01-01|
-o @-1h|
-o @now|
-o s@1700000008000|8 9
-o e@1700000001000|0
-o s@1700000003000 -o e@1700000005000|3 4
EOF
	TZ=Europe/Berlin mq-consume t -p 0 -e -o @2023-11-14T23:13:29 >got
	[ "$(cat got)" = 9 ]
}

@test "-o: over several partitions, each has its own end" {
	two_partitions
	table sh -c 'mq-consume -t t -e "$@" | sort -n' sh <<'EOF'
-o -2|8 9 11 12
-o +2|2 3 4 5 6 7 8 9 12
-o 1..3|1 2 11 12
-o @1700000002|2 3 4 5 6 7 8 9 12
-o @1700000001..1700000002|1 11
-o 5|5 6 7 8 9
--tail 1|9 12
--tail 2|8 9 11 12
--tail 5|5 6 7 8 9 10 11 12
--tail 0|
-p 1|10 11 12
-p 0,1 -o -1|9 12
-p 0-1 -o -1|9 12
-p -1 -o -1|9 12
-p 1 -p 0 -o -1|9 12
EOF
}

@test "a range that has an end stops there, also where nothing has come yet" {
	two_partitions
	timeout 20 mq-consume t -p 0 -o 7..10 >got
	[ "$(paste -sd' ' got)" = '7 8 9' ]
	mq-consume t -p 0 -o 9..12 >got &
	pid=$!
	soon has_lines 1 got
	printf '%s\n' ten eleven twelve | mq-produce -t t -p 0
	ended "$pid" 0
	[ "$(paste -sd' ' got)" = '9 ten eleven' ]
}

# bats test_tags=store
@test "ranges and --tail where offsets have gaps" {
	use_kafka_store
	table mq-consume -t compact -ef '%o\n' <<'EOF'
|12 14 16 18 19 20 21 23 24 26 27 28
-o 13..19|14 16 18
-o 22|23 24 26 27 28
-o -3|26 27 28
--tail 1|28
--tail 7|20 21 23 24 26 27 28
--tail 99|12 14 16 18 19 20 21 23 24 26 27 28
EOF
	# What was trimmed is gone; offsets below begin at what is there.
	table mq-consume -t trimmed -ef '%o\n' -c 1 <<'EOF'
|25
-o 3|25
-o beginning|25
-o +2|27
EOF
	table mq-consume -t txn -p 0 -ef '%o\n' <<'EOF'
--tail 2|22 25
-o 3..8|3 4 7
EOF
	[ "$(mq-consume -e empty | wc -c)" -eq 0 ]
}

@test "a record that a format does not fit is named by its place" {
	printf 'abcd\nx\n' | mq-produce -t t
	try 65 mq-consume -e t -f '%s{unpack[I]}\n'
	[ "$stderr" = "mq-consume: t-0: offset 1: unpack: 'I' needs 4 bytes, 1 are left" ]
}

@test "bad ranges, partitions and counts are usage errors" {
	mq-produce -t t <<<x
	bad 2 "-o: 'x' is no point" mq-consume -e t -o x
	bad 2 "-o: unknown '-5m' (a time is written @-5m)" mq-consume -e t -o -5m
	bad 2 "-o: unknown '2024-01-15' (a time is written @2024-01-15)" mq-consume -e t -o 2024-01-15
	bad 2 "-o: unknown 'begining' (did you mean beginning?)" mq-consume -e t -o begining
	bad 2 "ends before it begins" mq-consume -e t -o 5..3
	bad 2 "-o: " mq-consume -e t -o @
	bad 2 "-o: " mq-consume -e t -o @yesterday
	bad 2 "-o stored: no group" mq-consume -e t -o stored
	bad 2 "a range cannot end at 'stored'" mq-consume -e t -o ..stored
	bad 2 "-p: 'x' is no partition" mq-consume -e t -p x
	bad 2 "-p: '3-1'" mq-consume -e t -p 3-1
	bad 2 "-c: -1 is out of range" mq-consume t -c -1
	bad 2 "-c: 'x' is not a number" mq-consume t -c x
	bad 2 "--tail: 'x' is not a number" mq-consume t --tail x
	bad 2 '--tail and -o exclude each other' mq-consume t --tail 1 -o 1
	bad 66 'topic t has no partition 1, only 0 to 0' mq-consume -e t -p 0-1
}

@test "-c stops after so many records, over all partitions" {
	two_partitions
	[ "$(mq-consume t -c 5 | wc -l)" -eq 5 ]
	[ "$(mq-consume t -c 11 | wc -l)" -eq 11 ]
	[ "$(mq-consume t -ec 99 | wc -l)" -eq 13 ]
	[ "$(mq-consume t -p 0 -o 3 -c 2 | paste -sd' ')" = '3 4' ]
	[ -z "$(mq-consume t -c 0)" ]
}

@test "--fail-empty: 1 if there was no record" {
	mq-produce -t t <<<x
	try 0 mq-consume -e t --fail-empty
	try 1 mq-consume -e t --fail-empty -o end
	[ -z "$output$stderr" ]
}

# --- topics ------------------------------------------------------------------

@test "topics: by -t, as operands, several; globs and expressions; each read once" {
	for topic in apple banana cherry apricot; do
		mq-produce -t "$topic" <<<"$topic"
	done
	table sh -c 'mq-consume -e "$@" | sort' sh <<'EOF'
apple|apple
-t apple|apple
-t apple banana|apple banana
-t apple -t banana|apple banana
ap*|apple apricot
?anana|banana
[bc]*|banana cherry
^.*an|banana
^ap|apple apricot
^ap(ple)?$|apple
ap* apple ^a|apple apricot
*|apple apricot banana cherry
EOF
}

@test "Kafka's own topics come only by their name" {
	mq-produce -t t <<<x
	mq-consume -G g -e t
	[ "$(mq-consume -e '*')" = x ]
	[ "$(mq-consume -e '^.')" = x ]
	[ "$(mq-consume -ef 'record\n' __consumer_offsets | sort -u)" = record ]
}

@test "no such topic: 66 at once with -e, each named, with the nearest name" {
	mq-produce -t orders <<<x
	bad 66 'no topic nosuch' mq-consume -e nosuch
	bad 66 'no topic oders (did you mean orders?)' mq-consume -e oders
	mq-produce -t copy <<<x
	try 66 mq-consume -e nope
	[ "$stderr" = 'mq-consume: no topic nope' ]
	bad 66 'no topic matches z*' mq-consume -e 'z*' orders
	try 66 mq-consume -e one two
	[ "${#stderr_lines[@]}" -eq 2 ]
	bad 2 "topic '^(': " mq-consume -e '^('
	bad 2 'an empty name' mq-consume -e ''
	bad 2 'no topic; name one' mq-consume -e
}

# bats test_tags=store
@test "no store: 66, and none is made" {
	bad 66 'no store here' mq-consume -e t
	bad 66 'no store here' mq-consume -d nosuch -e t
	mkdir foreign
	echo mine >foreign/file
	bad 66 'no store here' mq-consume -d foreign -e t
	[ ! -e nosuch ]
	[ ! -e store ]
	[ "$(ls -A foreign)" = file ]
}

# --- forms -------------------------------------------------------------------

@test "-f: tokens, modifiers, escapes" {
	mq-produce -t t -k key -H a=1 -H b --ts 1700000000 <<<'some text'
	printf 'k\0\xff' >bytes
	mq-produce -t t -w -Z --ts 1700000000 bytes /dev/null
	table mq-consume -et t -o ..1 <<'EOF'
-f %t/%p/%o/%k/%s/%K/%S/%T\n|t/0/0/key/some text/3/9/1700000000000
-f %h\n|a=1,b=NULL
-f %T{iso}\n|2023-11-14T22:13:20.000Z
-f %T{s}\n|1700000000
-f %T{strftime[%Y/%m]}\n|2023/11
-f %k{hex}\n|6b6579
-f %k{base64}\n|a2V5
-f %s{json}\n|"some text"
-f %h[a]\n|1
-f %i:%v:%V\n|1:some text:9
-f %a{codec}:%a{tstype}\n|none:create
-f 100%%\n|100%
EOF
	table mq-consume -et t -o 1 <<'EOF'
-f %s{hex}:%S:%K\n|6b00ff:3:-1 :-1:-1
-f %s{quoted}\n|"k\0\xff" null
EOF
	[ "$(mq-consume -et t -o ..1 -f '%R' | od -An -tx1 | tr -d ' ')" = 00000009 ]
	[ "$(mq-consume -et t -o ..1 -f '\x41\t\0' | od -An -tx1 | tr -d ' ')" = 410900 ]
	bad 2 '-f: character 1: unknown token %q' mq-consume -e t -f %q
	bad 2 '-f and -J exclude each other' mq-consume -e t -f x -J
}

@test "-J: kcat's keys in kcat's order" {
	mq-produce -t t -k k -H h=v --ts 1700000000 <<<v
	run mq-consume -eJ t
	is '{"topic":"t","partition":0,"offset":0,"tstype":"create","ts":1700000000000,"broker":1,"headers":["h","v"],"key":"k","payload":"v"}'
	mq-produce -t u -Z --ts 1700000000 <<<''
	run mq-consume -eJ u
	is '{"topic":"u","partition":0,"offset":0,"tstype":"create","ts":1700000000000,"broker":1,"key":null,"payload":null}'
	printf '\xff' | mq-produce -t v --ts 1700000000
	[[ $(mq-consume -eJ v) == *',"key":null,"payload_b64":"/w=="}' ]]
}

@test "-O, -K, -D, -0 and -Z" {
	printf 'k:a\n:\n' | mq-produce -t t -K: -Z
	table mq-consume -et t -D ';' <<'EOF'
|a;;
-K =|k=a;=;
-K = -Z|k=a;NULL=NULL;
-K = --null=-|k=a;-=-;
-Z|a;NULL;
EOF
	[ "$(mq-consume -eO t -D ';')" = $'0\ta;1\t;' ]
	[ "$(mq-consume -eO t -K = -D ';')" = '0=k=a;1==;' ]
	[ "$(mq-consume -e0 t | od -An -tx1 | tr -d ' ')" = 610000 ]
	[ "$(mq-consume -e t -D '')" = a ]
	[ "$(mq-consume -e t -K '\t' -D '\r\n' | od -An -tx1 | tr -d ' ')" = 6b09610d0a090d0a ]
	bad 2 '-D and -0 exclude each other' mq-consume -e t -D x -0
	bad 2 '-J and -K exclude each other' mq-consume -e t -J -K:
	bad 2 '-K: no such escape' mq-consume -e t -K '\q'
}

@test "-u writes each record by itself" {
	seq 100 | mq-produce -t t
	mq-consume -eu t | cmp - <(seq 100)
}

@test "kcat's -C is taken; -V, -h and -q answer" {
	mq-produce -t t <<<x
	[ "$(mq-consume -C -e t)" = x ]
	try 0 mq-consume -V
	[[ $output == mq-consume\ [0-9]* ]]
	try 0 mq-consume -h
	[[ ${lines[0]} == 'usage: mq-consume '* ]]
	try 0 mq-consume -v -e t
	[[ $stderr == *'store '*'(MQ_DIR)'* || $stderr == *'brokers '*'(MQ_BROKERS)'* ]]
	bad 2 'unknown option --form (did you mean --format?)' mq-consume -e t --form x
	bad 2 "-m: 'x' is not a time" mq-consume t -m x
}

# --- following ---------------------------------------------------------------

@test "new records are followed; INT ends it with 130, TERM with 143" {
	mq-produce -t t <<<1
	for signal in INT:130 TERM:143; do
		rm -f got
		env --default-signal mq-consume t -o -1 >got 2>err &
		pid=$!
		soon has_lines 1 got
		seq 2 5 | mq-produce -t t
		soon has_lines 5 got
		kill -"${signal%:*}" "$pid"
		ended "$pid" "${signal#*:}"
		[ ! -s err ]
		[ "$(tail -n 4 got | paste -sd' ')" = '2 3 4 5' ]
	done
}

@test "a partition that is added is followed" {
	mq-produce -t t <<<1
	mq-consume t >got &
	pid=$!
	soon has_lines 1 got
	mq-topics alter t --partitions 3
	mq-produce -t t -p 2 <<<2
	soon has_lines 2 got
	kill "$pid"
	ended "$pid" 143
	[ "$(paste -sd' ' got)" = '1 2' ]
}

@test "a topic that comes to match a glob or an expression that is followed is read" {
	mq-topics create a1 --partitions 2
	mq-topics create c0 --partitions 2
	mq-produce -t a1 <<<1
	mq-consume 'a*' '^c.$' -p 0-1 -f '%t %s\n' >got &
	pid=$!
	soon has_lines 1 got
	mq-produce -t b2 <<<no
	mq-topics create a2 --partitions 3
	seq 2 4 | mq-produce -t a2 --partitioner rr
	mq-topics create c3 --partitions 2
	mq-produce -t c3 -p 1 <<<5
	soon has_lines 4 got
	mq-topics alter c3 --partitions 3
	mq-produce -t c3 -p 2 <<<no
	mq-produce -t c3 -p 1 <<<6
	soon has_lines 5 got
	kill "$pid"
	ended "$pid" 143
	# Partition 2 was not asked for.
	[ "$(sort got | paste -sd,)" = 'a1 1,a2 2,a2 3,c3 5,c3 6' ]
}

# bats test_tags=store
@test "a topic that is made is read at once by who follows a glob of it" {
	mq-produce -t t0 <<<0
	mq-consume 't*' -f '%s %T\n' -u >got &
	pid=$!
	soon has_lines 1 got
	best=1000000
	for n in 1 2 3 4 5; do
		start=$(date +%s%3N)
		mq-produce -t "t$n" <<<"$n"
		soon has_lines $((n + 1)) got
		took=$(($(date +%s%3N) - start))
		[ "$took" -ge "$best" ] || best=$took
	done
	kill "$pid"
	echo "best of five: $best ms"
	[ "$best" -lt 600 ]
}

@test "a deleted topic: dropped where it only matched, an error where it was named" {
	mq-produce -t t1 <<<1
	mq-produce -t t2 <<<2
	mq-consume -v 't*' -f '%t %s\n' >got 2>told &
	glob=$!
	mq-consume '^t.$' >quiet 2>err &
	regex=$!
	mq-consume t1 t2 't*' >named 2>named.err &
	named=$!
	soon has_lines 2 got
	soon has_lines 2 quiet
	soon has_lines 2 named
	mq-topics delete -y t1
	ended "$named" 66
	[ "$(cat named.err)" = 'mq-consume: no topic t1' ]
	soon grep -q deleted told
	[ "$(grep -v ': store \|: brokers ' told)" = 'mq-consume: topic t1 was deleted' ]
	# What is made anew is another topic, from its beginning.
	seq 3 9 | mq-produce -t t1 -B 1
	soon has_lines 9 got
	soon has_lines 9 quiet
	mq-topics delete -y t2
	mq-topics delete -y t1
	seq 10 19 | mq-produce -t t1 -B 1
	soon has_lines 19 got
	soon has_lines 19 quiet
	kill "$glob" "$regex"
	ended "$glob" 143
	ended "$regex" 143
	[ "$(cut -d' ' -f2 got | paste -sd' ')" = "$(seq 19 | paste -sd' ')" ] ||
		[ "$(cut -d' ' -f2 got | paste -sd' ')" = "2 1 $(seq 3 19 | paste -sd' ')" ]
	[ ! -s err ]
}

@test "a topic that is not there yet is waited for, all of it read" {
	mq-produce -t other <<<x
	mq-consume later >got 2>err &
	pid=$!
	soon grep -q 'no topic later yet; waiting for it' err
	seq 3 | mq-produce -t later
	soon has_lines 3 got
	kill "$pid"
	ended "$pid" 143
	[ "$(paste -sd' ' got)" = '1 2 3' ]
	[ "$(count err)" -eq 1 ]
}

@test "-m: the longest wait for a topic, then 75" {
	mq-produce -t other <<<x
	try 75 mq-consume -m 0.2 later
	[ "${stderr_lines[1]}" = 'mq-consume: no topic later after 0.2 s' ]
	try 75 mq-consume -q -m 0 later
	[ "${#stderr_lines[@]}" -eq 1 ]
}

# --- damage and other ends ---------------------------------------------------

# damaged: topic t, three batches of ten, the middle one with a flipped bit.
damaged() {
	seq 0 29 | mq-produce -t t -B 10
	pos=$(mq-dump-log t | sed -n 's/^batch 10\.\..* pos=\([0-9]*\) .*/\1/p')
	printf 'X' | dd of=store/t-0/00000000000000000000.log bs=1 seek=$((pos + 80)) conv=notrunc status=none
}

# bats test_tags=store
@test "damage: what stands before it is printed, then 74 and one line that names it" {
	damaged
	try 74 mq-consume -e t
	is "$(seq 0 9)"
	[ "${#stderr_lines[@]}" -eq 1 ]
	[[ $stderr == 'mq-consume: '*t-0*crc* ]]
}

# bats test_tags=store
@test "-E passes over damage, names it, ends with 3" {
	damaged
	try 3 mq-consume -E -e t
	is "$(seq 0 9; seq 20 29)"
	[ "${#stderr_lines[@]}" -eq 1 ]
	[[ $stderr == 'mq-consume: '*t-0*'10'*'19'* ]] || { echo "$stderr"; false; }
	# Beyond it, or before it, nothing is wrong.
	try 0 mq-consume -e t -o 20
	try 0 mq-consume -e t -o ..10
}

@test "a closed pipe ends it by PIPE, silently" {
	seq 1000000 | mq-produce -t t # more than any pipe holds
	(mq-consume -e t || echo $? >status) 2>err | head -n 3 >got
	[ "$(paste -sd' ' got)" = '1 2 3' ]
	[ "$(cat status)" -eq 141 ]
	[ ! -s err ]
	# Also while it follows and nothing comes.
	(mq-consume t -o -1 || echo $? >status) 2>err | head -n 1 >got
	[ "$(cat got)" = 1000000 ]
	[ "$(cat status)" -eq 141 ]
	[ ! -s err ]
}

@test "a full disk: 74, one line" {
	mq-produce -t t <<<x
	run --separate-stderr sh -c 'mq-consume -e t >/dev/full'
	[ "$status" -eq 74 ]
	[ "$stderr" = 'mq-consume: stdout: write: No space left on device' ]
	run --separate-stderr sh -c 'mq-consume -eJ t >&-'
	[ "$status" -eq 74 ]
	[ "${#stderr_lines[@]}" -eq 1 ]
}

@test "a reader beside a writer sees whole records, in order, none twice" {
	seq 200000 | mq-produce -t t -B 100 &
	soon mq-consume -m 20 -c 1 t >/dev/null 2>&1
	mq-consume t -c 200000 >got
	wait
	cmp got <(seq 200000)
}

@test "damage is named by a path that mq-dump-log takes as it is" {
	local log=store/t-0/00000000000000000000.log store damaged

	seq 3 | mq-produce -d store --ts 1700000000000 -t t -B 1
	printf X | dd of=$log bs=1 seek=80 conv=notrunc status=none
	for store in store "$PWD/store"; do
		try 74 mq-consume -d "$store" -e t
		[[ $stderr == "mq-consume: $store/t-0/00000000000000000000.log: byte 69: crc "* ]]
		try 3 mq-consume -d "$store" -eE t
		damaged=${stderr#mq-consume: }
		try 1 mq-dump-log "${damaged%%: byte*}"
		[[ $output == *'pos=69 why=crc'* ]]
	done
}
