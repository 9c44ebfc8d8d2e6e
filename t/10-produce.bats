# runs: brokers
# mq-produce: what becomes a record, where it goes, and what is said of it.

setup() {
	# shellcheck source=t/lib/tools.bash
	. "$BATS_TEST_DIRNAME/lib/tools.bash"
	fresh_store
}

# values TOPIC: its records, each quoted on a line of its own, null as null.
values() {
	mq-consume -e --null=null -f '%s{quoted}\n' "$1"
}

# pairs TOPIC: key and value, quoted.
pairs() {
	mq-consume -e -f '%k{quoted}=%s{quoted}\n' "$1"
}

# fields TOPIC FILTER: what jq's filter finds in each record.
fields() {
	mq-consume -eJ "$1" | jq -rc "$2"
}

# murmur2 KEY COUNT: where Java puts the key, worked out by itself.
murmur2() {
	python3 - "$@" <<'EOF'
import sys
key, count, m = sys.argv[1].encode(), int(sys.argv[2]), 0x5bd1e995
h = 0x9747b28c ^ len(key)
for i in range(0, len(key) - len(key) % 4, 4):
    k = int.from_bytes(key[i:i + 4], "little") * m & 0xffffffff
    h = (h * m ^ (k ^ k >> 24) * m) & 0xffffffff
rest = key[len(key) - len(key) % 4:]
if rest:
    h = (h ^ int.from_bytes(rest, "little")) * m & 0xffffffff
h = (h ^ h >> 13) * m & 0xffffffff
print(((h ^ h >> 15) & 0x7fffffff) % count)
EOF
}

# --- records in --------------------------------------------------------------

@test "a store and a topic are made by the first record; nothing is said" {
	try 0 mq-produce -t greetings <<<hi
	[ -z "$output$stderr" ]
	try 0 mq-consume -e greetings
	is 'hi'
	[ "$(mq-topics list)" = greetings ]
}

# bats test_tags=store
@test "no -d and no environment: the user's own store" {
	unset MQ_DIR
	export HOME=$PWD XDG_DATA_HOME=$PWD/data
	mq-produce -t t <<<hi
	[ -d data/mq/t-0 ]
	run mq-consume -e t
	is 'hi'
	unset XDG_DATA_HOME
	mq-produce -t t <<<hi
	[ -d .local/share/mq/t-0 ]
}

@test "-d goes before MQ_DIR; -v says which store, and why" {
	mq-produce -d here -t t <<<hi
	[ -d here/t-0 ]
	[ ! -e store ]
	try 0 mq-produce -v -d here -t t <<<hi
	[[ $stderr == *"store here (-d)"*"1 records read, 1 acknowledged"* ]]
}

@test "each line is a record, with or without a newline at the end" {
	printf 'a\n\nb c\nlast' | mq-produce -t t
	run values t
	is '"a"\n""\n"b c"\n"last"'
}

@test "no input is no record; the topic need not come to be" {
	try 0 mq-produce -t t </dev/null
	[ -z "$output$stderr" ]
}

@test "CR and NUL are bytes of a record" {
	printf 'dos\r\nnul\0inside\n\r\n' | mq-produce -t t
	run values t
	is '"dos\\r"\n"nul\\0inside"\n"\\r"'
}

@test "--skip-empty drops empty records" {
	printf '\na\n\n\nb\n' | mq-produce -t t --skip-empty
	run values t
	is '"a"\n"b"'
}

@test "-D: another end of a record, of several bytes, with escapes" {
	printf 'a--b-c----d' | mq-produce -t t -D --
	run values t
	is '"a"\n"b-c"\n""\n"d"'
	printf 'a\nb\0c' | mq-produce -t u -D '\0'
	run values u
	is '"a\\nb"\n"c"'
	printf 'aXYbX' | mq-produce -t v -D '\x58Y'
	run values v
	is '"a"\n"bX"'
}

@test "-D: a delimiter that lies across two reads" {
	{ printf 'a='; read -rt 0.2 <> <(:) || :; printf '=b'; } | mq-produce -t t -D ==
	run values t
	is '"a"\n"b"'
}

@test "-0 takes what find -print0 gives" {
	mkdir d
	touch d/a $'d/new\nline' 'd/two words'
	find d -type f -print0 | sort -z >names
	mq-produce -t t -0 <names
	same names mq-consume -e0 t
	[ "$(values t | wc -l)" -eq 3 ]
}

@test "-w: each file is one record, stdin too" {
	printf 'a\nb\n' >one
	printf 'c' >two
	: >empty
	mq-produce -t t -w one two empty
	run values t
	is '"a\\nb\\n"\n"c"\n""'
	mq-produce -t u -w <one
	run values u
	is '"a\\nb\\n"'
}

@test "several files are read in turn; - is stdin; a last line ends with its file" {
	printf 'a\nb' >one
	printf 'c\n' >two
	printf 'in\n' | mq-produce -t t one - two
	run values t
	is '"a"\n"b"\n"in"\n"c"'
}

@test "-K: a key in front of a delimiter" {
	printf 'k:v\n:no key\nk:\nk:a:b\n' | mq-produce -t t -K:
	run pairs t
	is '"k"="v"\n""="no key"\n"k"=""\n"k"="a:b"'
	printf 'k => v\n' | mq-produce -t u -K ' => '
	run pairs u
	is '"k"="v"'
	printf 'k\tv\n' | mq-produce -t v -K '\t'
	run pairs v
	is '"k"="v"'
}

@test "-K: a line without the delimiter is bad input, unless --key-optional" {
	printf 'k:v\nnothing\nk:w\n' >in
	bad 65 "in:2: no key delimiter ':' (-K)" mq-produce -t t -K: in
	run pairs t
	is '"k"="v"'
	mq-produce -t u -K: --key-optional in
	run fields u '[.key, .payload]'
	is '["k","v"]\n[null,"nothing"]\n["k","w"]'
}

@test "-k: the key of records that bring none" {
	printf 'a\nb\n' | mq-produce -t t -k same
	run pairs t
	is '"same"="a"\n"same"="b"'
	printf 'own:a\nb\n' | mq-produce -t u -K: --key-optional -k other
	run pairs u
	is '"own"="a"\n"other"="b"'
	printf 'a\n' | mq-produce -t v -k ''
	run fields v .key
	is ''
}

@test "-H: headers of all records, as often as given, in order" {
	printf 'a\nb\n' | mq-produce -t t -H n=v -H n=w -H empty= -H null -H 'eq=a=b'
	run fields t .headers
	is '["n","v","n","w","empty","","null",null,"eq","a=b"]\n["n","v","n","w","empty","","null",null,"eq","a=b"]'
}

@test "-Z: empty is null; --null=STR: what is STR is null" {
	printf 'a:b\n:\na:\n' | mq-produce -t t -Z -K:
	run fields t '[.key, .payload]'
	is '["a","b"]\n[null,null]\n["a",null]'
	printf 'NULL:NULL\n:\nNULLS:x\n' | mq-produce -t u --null=NULL -K:
	run fields u '[.key, .payload]'
	is '[null,null]\n["",""]\n["NULLS","x"]'
}

@test "-J: an object a line; blank lines are none; options fill in" {
	cat >in <<'EOF'
{"key":"k","payload":"v","ts":1700000000000,"headers":["a","b"]}

{"value":null,"key":null}
{"payload_b64":"/wA=","headers":{"x":"y"},"ts":"2024-01-15T10:00:00Z"}
{"payload":"\u0000é😀","headers":[["p","q"],["p",null]]}
EOF
	mq-produce -t t -J -k filled -H more=1 --ack-format '' in
	run fields t '[.key, .payload, .payload_b64, .headers]'
	is '["k","v",null,["a","b","more","1"]]\n[null,null,null,["more","1"]]\n["filled",null,"/wA=",["x","y","more","1"]]\n["filled","\\u0000é😀",null,["p","q","p",null,"more","1"]]'
	run fields t .ts
	[ "${lines[0]}" = 1700000000000 ]
	[ "${lines[2]}" = 1705312800000 ]
}

@test "-J: records name their topic and partition; -t and -p go before that" {
	mq-topics create b --partitions 3
	printf '{"topic":"%s","partition":%s,"payload":"%s"}\n' a 0 1 b 2 2 b 1 3 >in
	mq-produce -J in
	run mq-consume -e a
	is '1'
	run mq-consume -ef '%p %s\n' b
	is '1 3\n2 2'
	mq-topics create c --partitions 3
	mq-produce -J -t c in
	run mq-consume -ef '%p %s\n' c
	is '0 1\n1 3\n2 2'
	mq-topics create d --partitions 3
	mq-produce -J -t d -p 1 in
	run mq-consume -ef '%p %s\n' d
	is '1 1\n1 2\n1 3'
	echo '{"payload":"x"}' >in
	bad 65 'in:1: no topic in the record, and no -t' mq-produce -J in
	printf '{"payload":"x","topic":"%s"}\n' good 'a b' later >in
	bad 65 "in:2: 'a b' is no name of a topic" mq-produce -J in
	bad 3 "in:2: 'a b' is no name of a topic" mq-produce -E -J in
	[ "$(mq-consume -e later)" = x ]
}

@test "-J: what is no record is named with line and byte" {
	while IFS='|' read -r where text record; do
		printf '{"payload":"good"}\n%s\n' "$record" >in
		bad 65 "in:2:$where: $text" mq-produce -t t -J in
	done <<'EOF'
1|'[' where '{' should be|[1]
2|unknown key "x"|{"x":1}
15|the line ends|{"payload":"a"
13|a lone surrogate|{"payload":"\ud800"}
16|"payload" for the second time|{"payload":"a","payload":"b"}
EOF
}

@test "--ts: one time for all records, in every form" {
	while IFS='|' read -r form wanted; do
		mq-produce -t t --ts "$form" --ack-format '%T\n' <<<x >got
		[ "$(cat got)" = "$wanted" ] || { echo "$form: $(cat got), not $wanted"; false; }
	done <<'EOF'
1700000000|1700000000000
1700000000123|1700000000123
2024-01-15|1705276800000
2024-01-15T10:00|1705312800000
2024-01-15T10:00:00|1705312800000
2024-01-15 10:00:00.123|1705312800123
2024-01-15T10:00:00Z|1705312800000
2024-01-15T10:00:00+01:00|1705309200000
EOF
	TZ=Europe/Berlin mq-produce -t t --ts 2024-01-15T10:00 --ack-format '%T\n' <<<x >got
	[ "$(cat got)" = 1705309200000 ]
	for form in now -2h -7d; do
		mq-produce -t u --ts "$form" <<<x
	done
	mq-consume -ef '%T\n' u >got
	[ "$(awk 'NR == 1 { now = $1 } NR == 2 { d = now - $1 - 7200000 }
		NR == 3 { e = now - $1 - 604800000 } END { print (d * d < 3.6e9 && e * e < 3.6e9) }' got)" = 1 ]
	# It goes before what a record says of itself.
	mq-produce -t v -J --ts 1700000000 <<<'{"payload":"x","ts":5}'
	[ "$(mq-consume -ef '%T' v)" = 1700000000000 ]
}

@test "without --ts, records have the time they were read" {
	before=$(date +%s%3N)
	mq-produce -t t <<<x
	after=$(date +%s%3N)
	ts=$(mq-consume -ef '%T' t)
	[ "$before" -le "$ts" ]
	[ "$ts" -le "$after" ]
}

# --- where records go --------------------------------------------------------

@test "--partitioner: keys lie where Java, librdkafka and sarama put them" {
	mq-topics create java rd sarama --partitions 7
	# KAFKA: murmur2 of these is -973932308, -790332482, 479470107, -985981536.
	printf '%s:x\n' 21 foobar abc a-little-bit-long-string key >in
	mq-produce -t java -K: in
	mq-consume -ef '%k %p\n' java | sort >got
	for key in 21 foobar abc a-little-bit-long-string key; do
		echo "$key $(murmur2 "$key" 7)"
	done | sort >wanted
	cmp wanted got
	grep -qx "foobar $(((-790332482 & 0x7fffffff) % 7))" got
	mq-produce -t rd -K: --partitioner crc32 in
	mq-consume -ef '%k %p\n' rd | sort >got
	python3 -c 'import zlib
for k in "21 foobar abc a-little-bit-long-string key".split(): print(k, zlib.crc32(k.encode()) % 7)' | sort >wanted
	cmp wanted got
	mq-produce -t sarama -K: --partitioner fnv1a in
	mq-consume -ef '%k %p\n' sarama | sort >got
	python3 -c '
for k in "21 foobar abc a-little-bit-long-string key".split():
    h = 0x811c9dc5
    for c in k.encode(): h = (h ^ c) * 0x01000193 & 0xffffffff
    h -= (h >> 31) << 32
    print(k, abs(h) % 7)' | sort >wanted
	cmp wanted got
}

@test "--partitioner=rr takes turns; random spreads; without a key one batch stays together" {
	mq-topics create rr random sticky --partitions 4
	seq 8 | mq-produce -t rr --partitioner rr
	run mq-consume -ef '%p ' rr
	is '0 0 1 1 2 2 3 3 '
	seq 400 | mq-produce -t random --partitioner random
	[ "$(mq-consume -ef '%p\n' random | sort -u | wc -l)" -eq 4 ]
	seq 400 | mq-produce -t sticky
	[ "$(mq-consume -ef '%p\n' sticky | sort -u | wc -l)" -eq 1 ]
	seq 400 | mq-produce -t sticky -B 10
	[ "$(mq-consume -ef '%p\n' sticky | sort -u | wc -l)" -gt 1 ]
}

@test "-p: one partition; -1: the partitioner's choice" {
	mq-topics create t --partitions 3
	seq 5 | mq-produce -t t -p 2 -k key
	[ "$(mq-consume -ef '%p\n' t | sort -u)" = 2 ]
	mq-produce -t t -p -1 -k key --ack-format '%p' <<<x >got
	[ "$(cat got)" = "$(murmur2 key 3)" ]
	bad 66 'topic t has no partition 3, only 0 to 2' mq-produce -t t -p 3 <<<x
}

@test "-t: what is no name of a topic is a usage error, before anything is read" {
	for name in '' 'two words' a/b .. "$(printf 'x%.0s' {1..250})"; do
		bad 2 'is no name of a topic' mq-produce -t "$name" </dev/null
	done
	[ ! -e store ]
}

@test "auto.create.topics.enable=false: a missing topic stays missing" {
	mq-topics create t
	bad 66 'no topic new' mq-produce -t new -X auto.create.topics.enable=false <<<x
	[ "$(mq-topics list)" = t ]
}

@test "records are not written to Kafka's own topics" {
	mq-produce -t t <<<x
	mq-consume -e -G g t >/dev/null
	bad 69 "topic __consumer_offsets is Kafka's own" mq-produce -t __consumer_offsets -k k <<<x
	bad 2 "__cluster_metadata is the metadata log" mq-produce -t __cluster_metadata <<<x
}

# --- batches -----------------------------------------------------------------

@test "-z: every codec, at every level it has, gives the same records" {
	seq 2000 >in
	for codec in none gzip gzip:1 gzip:9 snappy lz4 lz4:1 lz4:17 zstd zstd:1 zstd:19 zstd:-5; do
		mq-produce -t "t-${codec/:/_}" -z "$codec" in
		same in mq-consume -e "t-${codec/:/_}"
		[ "$(mq-consume -e "t-${codec/:/_}" -f '%a{codec}\n' | uniq)" = "${codec%:*}" ]
	done
}

@test "a level outside of the codec's, and a codec that is none, are usage errors" {
	for level in gzip:0 gzip:10 lz4:0 lz4:18 zstd:23 snappy:1 none:1 gzip: gzip:x; do
		bad 2 'is no level of' mq-produce -t t -z "$level" </dev/null
	done
	bad 2 "'brotli' is no codec" mq-produce -t t -z brotli </dev/null
}

# bats test_tags=store
@test "-B: largest batch, in records, in bytes; and how long one may wait" {
	seq 1000 | mq-produce -t t -B 100
	[ "$(mq-dump-log t | grep -c ' n=100 ')" -eq 10 ]
	seq 1000 | mq-produce -t u -B ,1k
	[ "$(mq-dump-log u | sed 's/.* size=\([0-9]*\).*/\1/' | sort -n | tail -n 1)" -le 1024 ]
	same <(seq 1000) mq-consume -e u
	# Waiting 100 ms, a batch gathers what comes in pieces.
	for i in 1 2 3; do echo "$i"; read -rt 0.01 <> <(:) || :; done | mq-produce -t v -B ,,1m
	[ "$(mq-dump-log v | wc -l)" -eq 1 ]
	for size in batch.num.messages=5 batch.size=200; do
		seq 50 | mq-produce -t "${size%=*}" -X "$size"
		[ "$(mq-dump-log "${size%=*}" | wc -l)" -ge 5 ]
	done
	for text in x ,x ,,x 0 1,2,3,4 ,10; do
		bad 2 '-B: ' mq-produce -t t -B "$text" </dev/null
	done
}

@test "batches fit a topic that takes only small ones" {
	mq-topics create small -X max.message.bytes=1000
	seq 2000 >in
	for codec in none gzip; do
		mq-produce -t small -z "$codec" in
		mq-produce -t small -z "$codec" -B ,1M in
	done
	[ "$(mq-consume -e small | wc -l)" -eq 8000 ]
}

@test "a record above max.message.bytes: one line that names it, 65; passed over with -E" {
	mq-topics create t -X max.message.bytes=1000
	{ echo a; printf '%02000d\n' 0; echo b; } >in
	bad 65 'in:2: a record of 2070 bytes; topic t takes 1000 (mq-topics alter t -X max.message.bytes=2070)' \
	    mq-produce -t t in
	run mq-consume -e t
	is 'a'
	bad 3 'in:2: a record of 2070 bytes' mq-produce -E -t t in
	run mq-consume -e t
	is 'a\na\nb'
	# Compressed, it may fit.
	mq-produce -t t -z gzip in
	[ "$(mq-consume -e t | wc -l)" -eq 6 ]
	head -c 3000 /dev/urandom | base64 -w 0 >in
	bad 65 'bytes; the topic takes 1000 (mq-topics alter t -X max.message.bytes=' \
	    mq-produce -t t -z gzip in
	bad 3 'record 1: ' mq-produce -t t -z gzip -E in
	# What is named helps.
	fix=${stderr##*(}
	${fix%)}
	mq-produce -t t -z gzip in
}

@test "a line of 1 MB is one record; the default limit is Kafka's" {
	head -c 1000000 /dev/zero | tr '\0' x >in
	mq-produce -t t in
	same <(cat in; echo) mq-consume -e t
	head -c 1100000 /dev/zero | tr '\0' x >in
	bad 65 'in:1: a record of 1100074 bytes; topic t takes 1048588' mq-produce -t t in
	mq-topics alter t -X max.message.bytes=2M
	mq-produce -t t in
	[ "$(mq-consume -ef '%S\n' -o 1 t)" = 1100000 ]
}

# --- acknowledgements --------------------------------------------------------

@test "-a: all, 1 and 0 write the same; another word is a usage error" {
	seq 100 >in
	for acks in all 1 0; do
		mq-produce -t "t$acks" -a "$acks" in
	done
	same in mq-consume -e tall
	same in mq-consume -e t1
	# Nobody knows when a broker has written what it does not acknowledge.
	soon same in mq-consume -e t0 >told 2>&1
	bad 2 "'2' is not one of all|1|0" mq-produce -t t -a 2 </dev/null
}

@test "--ack-format prints each acknowledged record" {
	try 0 mq-produce -t t --ack-format '%t %p %o %i\n' <<<$'a\nb'
	is 't 0 0 1\nt 0 1 2'
	mq-produce -t t --ack-format '%o\n' -B 3 <<<$'a\nb\nc\nd' >got
	printf '2\n3\n4\n5\n' | cmp - got
	bad 2 '--ack-format: character 1: unknown token %q' mq-produce -t t --ack-format %q </dev/null
}

@test "an acknowledgement on a full disk: 74, one line; the record is there" {
	run --separate-stderr sh -c 'echo x | mq-produce -t t --ack-format "%o\n" >/dev/full'
	[ "$status" -eq 74 ]
	[ "$stderr" = 'mq-produce: stdout: write: No space left on device' ]
	[ "$(mq-consume -e t)" = x ]
}

@test "a closed pipe behind --ack-format: the end by PIPE, silently" {
	seq 100000 | (mq-produce -t t -B 10 --ack-format '%o\n'; echo $? >status) 2>err |
		head -n 5 >acks || :
	[ "$(cat status)" -eq 141 ]
	[ ! -s err ]
	[ "$(cat acks)" = "$(seq 0 4)" ]
}

@test "-n reads and checks; it writes nothing, not even a store" {
	try 0 mq-produce -n -t t <<<x
	[ -z "$output$stderr" ]
	[ ! -e store ]
	bad 65 'stdin:1: no key delimiter' mq-produce -n -t t -K: <<<x
}

@test "-E names each bad record, writes the others, ends with 3" {
	printf '%s\n' k:1 bad k:2 worse k:3 >in
	try 3 mq-produce -E -t t -K: in
	[ "${#stderr_lines[@]}" -eq 2 ]
	[[ ${stderr_lines[0]} == "mq-produce: in:2: no key delimiter"* ]]
	[[ ${stderr_lines[1]} == "mq-produce: in:4: no key delimiter"* ]]
	run mq-consume -e t
	is '1\n2\n3'
	try 3 mq-produce -E -n -t t -K: in
}

# --- files and options -------------------------------------------------------

@test "a file that is not there, a directory: named; what stands before it is written" {
	printf 'a\n' >one
	bad 66 'nosuch: No such file' mq-produce -t t one nosuch one
	mkdir dir
	bad 74 'dir: Is a directory' mq-produce -t t dir
	run mq-consume -e t
	is 'a'
}

# bats test_tags=store
@test "a file that may not be read is named" {
	printf 'a\n' >secret
	chmod 0 secret
	mq-topics create t
	chmod -R a+rwX store
	run --separate-stderr as_user mq-produce -d store -t t secret
	[ "$status" -eq 74 ]
	[ "$stderr" = 'mq-produce: secret: Permission denied' ]
}

# bats test_tags=store
@test "a store that may not be written: one line" {
	mq-produce -t t <<<x
	chmod -R a+rX store
	chmod a-w store/.lock store/t-0 store/t-0/*
	run --separate-stderr as_user mq-produce -d store -t t <<<x
	chmod -R u+w store # so that a user can remove it
	[ "$status" -eq 69 ]
	[ "$stderr" = 'mq-produce: store/.lock: the store cannot be written: Permission denied' ]
}

@test "a store that may not be made: the directory that stands in the way is named" {
	mkdir -m 555 closed
	run --separate-stderr as_user mq-produce -d closed/a/b -t t <<<x
	[ "$status" -eq 69 ]
	[ "$stderr" = 'mq-produce: closed/a: cannot be made: Permission denied' ]
}

@test "stdin that is closed is an error, not an empty input" {
	run --separate-stderr bash -c 'mq-produce -t t <&-'
	[ "$status" -eq 74 ]
	[[ $stderr == 'mq-produce: stdin: '* ]]
}

@test "usage errors: one line, status 2, nothing made" {
	bad 2 'no topic; name one with -t' mq-produce
	bad 2 'unknown option --keyoptional (did you mean --key-optional?)' mq-produce -t t --keyoptional
	bad 2 'unknown option -x' mq-produce -t t -x
	bad 2 '-k needs an argument: KEY' mq-produce -t t -k
	bad 2 "-p: 'x' is not a number" mq-produce -t t -p x
	bad 2 '-p: -2 is out of range' mq-produce -t t -p -2
	bad 2 '-D: an empty delimiter' mq-produce -t t -D ''
	bad 2 '-D: no such escape' mq-produce -t t -D '\q'
	bad 2 '-K: an empty delimiter' mq-produce -t t -K ''
	bad 2 '-D and -0 exclude each other' mq-produce -t t -D x -0
	bad 2 '-w and -0 exclude each other' mq-produce -t t -w -0
	bad 2 '-w and -J exclude each other' mq-produce -t t -w -J
	bad 2 '-J and -K exclude each other' mq-produce -t t -J -K:
	bad 2 "-H: '=x' has no name" mq-produce -t t -H =x
	bad 2 "--ts: '1969-12-31' is before 1970" mq-produce -t t --ts 1969-12-31
	bad 2 "--ts: 'soon' is no time" mq-produce -t t --ts soon
	bad 2 "'best' is not one of murmur2|crc32|fnv1a|rr|random" mq-produce -t t --partitioner best
	bad 2 "-m: 'x' is not a time" mq-produce -t t -m x
	[ ! -e store ]
}

@test "-X and -F: properties, from words and from files" {
	bad 2 "-X: acks: 'maybe' is not one of" mq-produce -t t -X acks=maybe
	bad 66 'nosuch: No such file' mq-produce -t t -F nosuch
	try 0 mq-produce -t t -X akcs=1 </dev/null
	[[ $stderr == *"unknown property 'akcs' (did you mean acks?)" ]]
	echo 'compression.type = zstd' >conf
	mq-produce -F conf -t t <<<x
	mq-produce -F conf -z gzip -t u <<<x
	MQ_CONFIG=conf mq-produce -F none -t v <<<x
	run mq-consume -e t u v -f '%t %a{codec}\n'
	is 't zstd\nu gzip\nv none'
	try 0 mq-produce -X list
	[[ $output == *compression.type* ]]
	try 0 mq-produce -F conf -X dump
	[[ $output == *"compression.type = zstd"* ]]
	MQ_DIR=x MQ_BROKERS=x bad 2 'MQ_DIR and MQ_BROKERS are both set' mq-produce -t t
}

@test "brokers that are not there: 75, in words" {
	bad 75 '127.0.0.1:1: connection refused' mq-produce -b 127.0.0.1:1 -t t <<<x
	bad 75 '127.0.0.1:1: connection refused' mq-produce -X bootstrap.servers=127.0.0.1:1 -t t <<<x
	unset MQ_DIR
	MQ_BROKERS=127.0.0.1:1 bad 75 '127.0.0.1:1: connection refused' mq-topics
	bad 2 '-b and -d exclude each other' mq-produce -b kafka -d store -t t
	bad 2 "'::1'" mq-produce -b ::1 -t t
	bad 69 'brokers are named (MQ_BROKERS), but mq-dump-log reads files' env MQ_BROKERS=x mq-dump-log t
}

@test "kcat's -P and -l are taken and ignored" {
	seq 3 >in
	mq-produce -P -t t -l in
	same in mq-consume -C -t t -e
}

@test "-q says only errors; -V and -h answer" {
	try 0 mq-produce -q -t t -X akcs=1 </dev/null
	[ -z "$stderr" ]
	try 0 mq-produce -V
	[[ $output == mq-produce\ [0-9]* ]]
	try 0 mq-produce -h
	[[ ${lines[0]} == 'usage: mq-produce '* ]]
	[ -z "$stderr" ]
}

# bats test_tags=store
@test "-m: the longest wait for a lock" {
	mq-topics create t
	hold_lock store/.lock
	run --separate-stderr mq-produce -m 0.1 -t t <<<x
	kill "$keeper"
	[ "$status" -eq 75 ]
	[ "${#stderr_lines[@]}" -eq 1 ]
}

# --- while it runs -----------------------------------------------------------

# reads TEXT: a consumer sees just that.
reads() {
	[ "$(mq-consume -e "${2-t}" 2>/dev/null)" = "$1" ]
}

@test "a slow writer's line is readable at once" {
	mkfifo in
	mq-produce -t t in &
	pid=$!
	exec 9>in
	for i in 1 2 3; do
		echo "$i" >&9
		soon reads "$(seq "$i")"
	done
	printf 'half a ' >&9
	echo line >&9
	soon reads "$(seq 3; echo half a line)"
	exec 9>&-
	ended "$pid" 0
}

@test "an acknowledgement of a slow writer's line comes before the next line" {
	mkfifo in
	mq-produce -t t --ack-format '%o\n' in >acks &
	pid=$!
	exec 9>in
	for i in 1 2 3; do
		echo "$i" >&9
		soon has_lines "$i" acks
	done
	exec 9>&-
	ended "$pid" 0
}

@test "INT and TERM in mid-stream: what was read is written, then the signal" {
	mkfifo in
	for signal in INT:130 TERM:143 HUP:129; do
		rm -f acks
		env --default-signal mq-produce -t "t${signal%:*}" --ack-format '%o\n' in >acks 2>err &
		pid=$!
		exec 9>in
		echo a >&9
		soon has_lines 1 acks
		printf 'b\nunfinished' >&9
		soon has_lines 2 acks
		kill -"${signal%:*}" "$pid"
		ended "$pid" "${signal#*:}"
		exec 9>&-
		[ ! -s err ]
		reads "$(printf 'a\nb')" "t${signal%:*}"
	done
}

@test "INT while a fast writer writes: a whole prefix is there, all acknowledged" {
	mkfifo in
	yes "$(printf '%0100d' 0)" >in &
	env --default-signal mq-produce -t t --ack-format '%o\n' in >acks 2>err &
	pid=$!
	soon has_lines 1000 acks
	kill -INT "$pid"
	ended "$pid" 130
	[ ! -s err ]
	[ "$(mq-consume -e t | wc -l)" -eq "$(count acks)" ]
}

@test "ten writers at once lose and mix nothing" {
	for w in 0 1 2 3 4 5 6 7 8 9; do
		seq -f "$w %g" 500 | mq-produce -t t -B 50 &
	done
	wait
	mq-consume -e t >got
	[ "$(count got)" -eq 5000 ]
	for w in 0 1 2 3 4 5 6 7 8 9; do
		grep "^$w " got | cmp - <(seq -f "$w %g" 500)
	done
}

@test "-E: a file that is not there or is a directory is named, and the others are read: 3" {
	echo one >good
	mkdir dir
	try 3 mq-produce -E -t t nofile good dir good
	[ "${#stderr_lines[@]}" -eq 2 ]
	[[ ${stderr_lines[0]} == 'mq-produce: nofile: No such file'* ]]
	[[ ${stderr_lines[1]} == 'mq-produce: dir: Is a directory'* ]]
	run values t
	is '"one"\n"one"'
	bad 3 'nofile: No such file' mq-produce -E -t t nofile
	bad 66 'nofile: No such file' mq-produce -t t nofile good
	run values t
	is '"one"\n"one"'
}
