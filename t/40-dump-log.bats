# mq-dump-log: what lies in log files, against what Kafka says of them.

setup() {
	data=$BATS_TEST_DIRNAME/data
	store=$data/kafka-store
	cd "$BATS_TEST_TMPDIR" || return
}

# fixture PARTITION: a copy of one of Kafka's partitions, away from its store.
fixture() {
	cp -r "$store/$1" .
	chmod -R u+w "$1"
}

# flip FILE BYTE [MASK]: changes bits of one byte.
flip() {
	local old
	old=$(od -An -tu1 -j "$2" -N 1 "$1")
	printf '%b' "\\x$(printf %02x $((old ^ ${3:-1})))" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# bytes FILE N FROM: N bytes of it.
bytes() {
	dd if="$1" bs=1 skip="$3" count="$2" status=none
}

log=00000000000000000000.log

@test "every file of a Kafka store reads as DumpLogSegments reads it" {
	cd "$store"
	count=0
	for expected in ../kafka-store.expect/dump/*/*.txt; do
		file=${expected#../kafka-store.expect/dump/} file=${file%.txt}
		mq-dump-log -J --data "$file" >"$BATS_TEST_TMPDIR/out"
		"$BATS_TEST_DIRNAME/dump-as-kafka.py" "$file" <"$BATS_TEST_TMPDIR/out" |
			diff - "$expected"
		count=$((count + 1))
	done
	[ "$count" -gt 200 ]
}

@test "every file of a Kafka store is sound, also one by one" {
	run mq-dump-log --verify "$store" "$data/fresh" "$data/formatted"
	[ "$status" -eq 0 ]
	[ -z "$output" ]
	find "$store" -type f | while read -r file; do
		[ -z "$(mq-dump-log --verify "$file")" ]
	done
}

@test "a batch is one line" {
	run mq-dump-log "$store/segments-0/$log"
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = "batch 0..0 n=1 pos=0 size=131 v2 codec=none crc=ok ts=2023-11-14T22:13:20.000Z epoch=0 pid=1018:0 seq=0..0 txn=- ctl=-" ]
	[ "${#lines[@]}" -eq 25 ]
}

@test "what a batch has beyond the ordinary stands at its end" {
	run mq-dump-log "$data/batches/append-time.bin"
	[[ $output == *" ctl=- tstype=logappend" ]]
	run mq-dump-log "$data/batches/delete-horizon.bin"
	[[ $output == *" ctl=- horizon=2023-11-15T22:13:20.000Z" ]]
	run mq-dump-log "$data/batches/kraft-start.bin"
	[[ $output == *" ctl=leader-change,kraft-version,kraft-voters" ]]
	run mq-dump-log "$data/batches/commit.bin"
	[[ $output == *" epoch=0 pid=7:1 seq=- txn=yes ctl=commit" ]]
	run mq-dump-log "$data/batches/sequence-wrap.bin"
	[[ $output == *" seq=2147483646..0 "* ]]
}

@test "--records, --keys and --data each show more" {
	run mq-dump-log --records "$store/headers-0/$log"
	[ "${lines[1]}" = "record 0 ts=2023-11-14T22:13:20.000Z seq=0 ksize=10 vsize=1 hcount=1" ]
	run mq-dump-log --keys "$store/headers-0/$log"
	[ "${lines[1]}" = "record 0 ts=2023-11-14T22:13:20.000Z seq=0 ksize=10 vsize=1 hcount=1 key=\"null value\"" ]
	run mq-dump-log --data "$store/headers-0/$log"
	[ "${lines[1]}" = "record 0 ts=2023-11-14T22:13:20.000Z seq=0 ksize=10 vsize=1 hcount=1 key=\"null value\" value=\"v\" h=\"h\":null" ]
	[[ ${lines[4]} == *' key="twice" value="v" h="h":"1" h="i":"2" h="h":"3"' ]]
	[[ ${lines[5]} == *' h="b":"\0\xff\n"' ]]
	[[ ${lines[6]} == *' h="é€😀":"é"' ]]
}

@test "null, empty and the word null differ" {
	run mq-dump-log --data "$store/nulls-1/$log"
	[[ ${lines[1]} == *' ksize=0 vsize=0 hcount=0 key="" value=""' ]]
	[[ ${lines[2]} == *' ksize=0 vsize=- hcount=0 key="" value=null' ]]
	[[ ${lines[3]} == *' ksize=- vsize=0 hcount=0 key=null value=""' ]]
}

@test "records of every codec are the same" {
	for codec in gzip snappy snappy-raw lz4 zstd; do
		mq-dump-log --data "$data/batches/$codec.bin" | tail -n +2 >"$codec"
		[ "$(wc -l <"$codec")" -eq 70 ]
		cmp gzip "$codec"
	done
}

@test "-J: each line is an object that names its file and kind" {
	mq-dump-log -J --data "$store" >out
	[ "$(jq -r '.type' out | sort -u | paste -sd' ')" = "abort batch epoch index json point producer property record time" ]
	[ "$(jq 'select(.file == null)' out)" = "" ]
	# A batch's records follow it, and are as many as it says.
	[ "$(jq 'select(.type == "batch") | .n' out | jq -s add)" -eq "$(jq -c 'select(.type == "record")' out | wc -l)" ]
	run mq-dump-log -J "$data/batches/one.bin"
	[ "$output" = "{\"type\":\"batch\",\"file\":\"$data/batches/one.bin\",\"offset\":0,\"last\":0,\"n\":1,\"pos\":0,\"size\":74,\"magic\":2,\"codec\":\"none\",\"crc\":\"675a95fd\",\"ts\":1700000000000,\"epoch\":0,\"pid\":null,\"pid_epoch\":null,\"seq\":null,\"txn\":false,\"ctl\":null}" ]
}

@test "Kafka's own topics are decoded, by the name of their directory" {
	run mq-dump-log --data "$store/__consumer_offsets-1/$log"
	[[ ${lines[1]} == *' key=OffsetCommitKey.0{group=in-txn topic=codec-none partition=0} value=OffsetCommitValue.4{offset=10 leader_epoch=-1 metadata="" commit_timestamp=1795308519078}' ]]
	[[ ${lines[3]} == *' ctl=commit value=EndTxnMarker.0{coordinator_epoch=0}' ]]
	run mq-dump-log --data "$store/__cluster_metadata-0/$log"
	[[ $output == *' key=null value=FeatureLevelRecord.0{name=metadata.version feature_level=30}'* ]]
	# Elsewhere they are bytes; so is what no schema knows.
	mkdir plain
	cp "$store/__consumer_offsets-1/$log" plain/
	run mq-dump-log --data "plain/$log"
	[[ ${lines[1]} == *' key="\0\x01\0\x06in-txn\0\ncodec-none\0\0\0\0" value='* ]]
	cd "$store/__consumer_offsets-1"
	run mq-dump-log --data "$log"
	[[ ${lines[1]} == *' key=OffsetCommitKey.0{'* ]]
}

@test "the other files of a partition and of a store" {
	run mq-dump-log "$store/txn-0/00000000000000000005.txnindex"
	[ "${lines[0]}" = "abort 0..5 pid=1014 lso=2" ]
	run mq-dump-log "$store/txn-0/00000000000000000005.snapshot"
	[ "${lines[1]}" = "producer 1014 epoch=0 seq=1 last=1 delta=1 ts=2023-11-14T22:13:20.001Z coordinator=- txn=0" ]
	run mq-dump-log "$store/segments-0/00000000000000000049.timeindex"
	[[ ${lines[0]} == "time  20"*"Z offset="* ]]
	run mq-dump-log "$store/epochs-0/leader-epoch-checkpoint"
	[ "${lines[0]}" = "epoch 0 start=0" ]
	run mq-dump-log "$store/txn-0/partition.metadata"
	[[ ${lines[1]} == "property topic_id value=\""*\" ]]
	run mq-dump-log "$store/recovery-point-offset-checkpoint"
	[[ $output == *"point segments partition=0 offset=300"* ]]
	run mq-dump-log "$store/__cluster_metadata-0/quorum-state"
	[[ $output == 'json  {"data_version":1,"leaderEpoch":2,"leaderId":1,'* ]]
}

@test "a directory is all its files in order, a topic its segments" {
	mq-dump-log "$store/segments-0" | grep ^file >files
	[ "$(head -n 4 files | sed 's/.*\///' | paste -sd' ')" = "$log kind=log 00000000000000000000.index kind=index 00000000000000000000.timeindex kind=timeindex 00000000000000000049.log kind=log" ]
	[ "$(tail -n 1 files)" = "file  $store/segments-0/partition.metadata kind=properties" ]
	mq-dump-log -d "$store" segments | grep ^file >files
	[ "$(wc -l <files)" -eq 7 ]
	[ "$(grep -c kind=log files)" -eq 7 ]
	MQ_DIR=$store mq-dump-log -t 'txn*' | grep -o '/txn[^/]*/' | uniq >topics
	[ "$(paste -sd' ' topics)" = "/txn-0/ /txn-1/ /txn-open-0/" ]
	mq-dump-log -d "$store" '^n.*s$' '__t*' | grep -o '/[^/]*/0' | uniq >topics
	[ "$(paste -sd' ' topics)" = "/nulls-0/0 /nulls-1/0 /nulls-2/0 /__transaction_state-0/0 /__transaction_state-1/0" ]
	run mq-dump-log -d "$store" '*' -J
	[[ $output != */__* ]]
	run mq-dump-log -d "$store" '^('
	[ "$status" -eq 2 ]
}

@test "TOPIC:PART and -p choose partitions" {
	run mq-dump-log -d "$store" nulls:1-2 -J
	[ "$(jq -r .file <<<"$output" | grep -o 'nulls-.' | sort -u | paste -sd' ')" = "nulls-1 nulls-2" ]
	run mq-dump-log -d "$store" nulls -p 0 -J
	[ "$(jq -r .file <<<"$output" | grep -o 'nulls-.' | sort -u)" = nulls-0 ]
}

@test "an operand that exists is a path, -t is a topic" {
	mkdir segments
	run mq-dump-log -d "$store" segments
	[ "$status" -eq 66 ]
	[ "$output" = "mq-dump-log: segments: neither a partition nor a store: no file of a log is in it" ]
	run mq-dump-log -d "$store" -t segments:0
	[ "$status" -eq 0 ]
}

@test "a directory that holds no log is 66 and named, whatever its directories are called" {
	mkdir -p etc/dbus-1/system.d etc/gtk-2.0 empty
	touch etc/passwd
	for dir in etc etc/dbus-1 empty; do
		for tool in mq-dump-log "mq-dump-log --verify" "mq-index check" "mq-index show"; do
			run $tool "$dir/"
			[ "$status" -eq 66 ]
			[ "$output" = "${tool%% *}: $dir: neither a partition nor a store: no file of a log is in it" ]
		done
	done
	# A partition that has no records yet, in a store and out of one.
	mkdir -p copy/t-0 whole/t-0
	cp -r "$store/nulls-1" copy/
	touch whole/meta.properties
	[ "$(mq-dump-log --verify copy whole)" = "" ]
	run mq-dump-log -p 3 copy
	[ "$status" -eq 66 ]
	[ "$output" = "mq-dump-log: copy: -p: no such partition" ]
}

@test "a file that is none of a log is 65, and -t helps where a topic was meant" {
	echo x >nulls
	run mq-dump-log -d "$store" nulls
	[ "$status" -eq 65 ]
	[ "$output" = "mq-dump-log: nulls: neither named like a file of a log, nor does it begin with a record batch (if a topic is meant: -t)" ]
	mq-dump-log -d "$store" -t nulls >/dev/null
	run mq-dump-log -d "$store" -o x nulls
	[ "$status" -eq 2 ]
	[[ "$output" == "mq-dump-log: -o: 'x' is no point: "* ]]
}

@test "what is not there is 66 and named, the rest is printed" {
	run mq-dump-log -d "$store" segmnts
	[ "$status" -eq 66 ]
	[ "$output" = "mq-dump-log: segmnts: no such file, and no such topic in $store (did you mean segments?)" ]
	run mq-dump-log -d "$store" nulls:5
	[ "$status" -eq 66 ]
	[ "$output" = "mq-dump-log: nulls:5: no such partition in $store (the highest is 2)" ]
	run mq-dump-log -d "$store" -p 5 nulls
	[ "$status" -eq 66 ]
	[ "$output" = "mq-dump-log: nulls: -p: no such partition in $store (the highest is 2)" ]
	run mq-dump-log -d "$store" nulls:x
	[ "$status" -eq 2 ]
	[ "$output" = "mq-dump-log: nulls:x: 'x' names no partitions, as 0,2-5 does" ]
	run mq-dump-log -d nowhere orders
	[ "$status" -eq 66 ]
	[ "$output" = "mq-dump-log: orders: no such file, and no store in nowhere (-d)" ]
	run mq-dump-log ./no/such.log "$data/batches/one.bin"
	[ "$status" -eq 66 ]
	[ "${lines[0]}" = "mq-dump-log: ./no/such.log: No such file or directory" ]
	[[ ${lines[1]} == "batch 0..0 "* ]]
	run mq-dump-log
	[ "$status" -eq 2 ]
	run mq-dump-log -o 5..x one
	[ "$status" -eq 2 ]
	run mq-dump-log -o stored one
	[ "$status" -eq 2 ]
	printf 'no log' >notes.txt
	run mq-dump-log notes.txt
	[ "$status" -eq 65 ]
	: >empty.txt
	run mq-dump-log empty.txt
	[ "$status" -eq 65 ]
}

@test "-o: offsets, from the beginning, from the end, times" {
	offsets() {
		mq-dump-log -d "$store" "$@" --records | awk '/^record/ {print $2}' | paste -sd' '
	}
	[ "$(offsets -o 47..51 segments)" = "47 48 49 50" ]
	[ "$(offsets -o ..2 segments)" = "0 1" ]
	[ "$(offsets -o +298 segments)" = "298 299" ]
	[ "$(offsets -o -2 segments)" = "298 299" ]
	[ "$(offsets -o end segments)" = "" ]
	[ "$(offsets -o -3..end segments)" = "297 298 299" ]
	# Three of trimmed's offsets from its own beginning.
	first=$(offsets trimmed | cut -d' ' -f1)
	[ "$(offsets -o +0..+2 trimmed)" = "$first $((first + 1))" ]
	# 210 is the first at or after 22:13:30.500, and 213 that after 22:13:31.
	[ "$(offsets -o @2023-11-14T22:13:30..@2023-11-14T22:13:31 segments | cut -d' ' -f1)" = 210 ]
	mq-dump-log -d "$store" segments --records -J | jq -r 'select(.type == "record") | "\(.offset) \(.ts)"' >all
	first=$(awk '$2 >= 1700000010000 { print $1; exit }' all)
	last=$(awk '$2 >= 1700000012000 { print $1 - 1; exit }' all)
	[ "$(offsets -o @1700000010000..@1700000012000 segments)" = "$(seq -s' ' "$first" "$last")" ]
}

@test "-o prints no file whose batches lie elsewhere" {
	run mq-dump-log -d "$store" segments -o 100..101
	[ "${#lines[@]}" -eq 2 ]
	[ "${lines[0]}" = "file  $store/segments-0/00000000000000000097.log kind=log" ]
	[[ ${lines[1]} == "batch 99..101 "* ]]
}

# damaged BYTE: flips a bit of segments-0's second batch (131 bytes in, offsets
# 1..2, 223 bytes) and prints what is told of it.
damaged() {
	fixture segments-0
	flip "segments-0/$log" $((131 + $1)) "${2:-1}"
	run mq-dump-log --verify "segments-0/$log"
	rm -rf segments-0
}

@test "a flipped bit in any byte of a batch's header is found, and what is lost" {
	for at in {12..15}; do # the leader epoch: records are not lost
		damaged "$at"
		[ "$status" -eq 1 ]
		[[ ${lines[0]} == "bad   pos=131 why=epoch want=0 got="*" next-good=354 lost=-" ]]
	done
	for at in {0..7}; do # the base offset
		damaged "$at"
		[ "$status" -eq 1 ]
		[[ ${lines[0]} == "bad   pos=131 why=offset want=1 got="*" next-good=354 lost=1..2" ]]
	done
	for at in {8..11} {16..60}; do
		damaged "$at"
		[ "$status" -eq 1 ]
		[[ ${lines[0]} == "bad   pos=131 why="*" next-good=354 lost=1..2" ]]
		[ "${#lines[@]}" -eq 1 ]
	done
}

@test "the fault is named with what was wanted and found" {
	damaged 17
	[ "$output" = "bad   pos=131 why=crc want=21d3f8f1 got=20d3f8f1 next-good=354 lost=1..2" ]
	damaged 16
	[ "$output" = "bad   pos=131 why=magic want=2 got=3 next-good=354 lost=1..2" ]
	damaged 8 0x80
	[ "$output" = "bad   pos=131 why=length want=49 got=-2147483437 next-good=354 lost=1..2" ]
	damaged 9
	[ "$output" = "bad   pos=131 why=short want=65759 got=5833 next-good=354 lost=1..2" ]
	damaged 100
	[[ $output == "bad   pos=131 why=crc want="*" got=21d3f8f1 next-good=354 lost=1..2" ]]
}

@test "damage does not hide what is behind it, nor the batches around it" {
	fixture segments-0
	flip "segments-0/$log" 200
	run mq-dump-log "segments-0/$log"
	[ "$status" -eq 1 ]
	[[ ${lines[0]} == "batch 0..0 "* ]]
	[[ ${lines[1]} == "bad   pos=131 why=crc "* ]]
	[[ ${lines[2]} == "batch 3..5 n=3 pos=354 "* ]]
	[ "${#lines[@]}" -eq 25 ]
	run mq-dump-log -J "segments-0/$log"
	[ "$(jq -c 'select(.type == "bad") | [.pos, .why, .got, .next_good, .lost, .lost_last]' <<<"$output")" = '[131,"crc","21d3f8f1",354,1,2]' ]
	# Where -o does not ask for it, it is not told.
	run mq-dump-log -o 10..12 "segments-0/$log"
	[ "$status" -eq 0 ]
	run mq-dump-log -o 2..4 "segments-0/$log"
	[ "$status" -eq 1 ]
}

@test "--verify names the file that the damage is in" {
	fixture segments-0
	flip segments-0/00000000000000000097.log 300
	run mq-dump-log --verify segments-0
	[ "$status" -eq 1 ]
	[ "${lines[0]}" = "file  segments-0/00000000000000000097.log kind=log" ]
	[[ ${lines[1]} == "bad   pos="*" why=crc "* ]]
	[ "${#lines[@]}" -eq 2 ]
}

@test "--verify of a directory holds indexes and epochs against the batches" {
	fixture segments-0
	rm segments-0/00000000000000000097.timeindex
	flip segments-0/00000000000000000145.index 7
	run mq-dump-log --verify segments-0
	[ "$status" -eq 1 ]
	[ "${lines[0]}" = "file  segments-0/00000000000000000097.timeindex kind=timeindex" ]
	[ "${lines[1]}" = 'bad   pos=0 why=missing what="no such file; mq-index rebuild makes it"' ]
	[ "${lines[2]}" = "file  segments-0/00000000000000000145.index kind=index" ]
	[[ ${lines[3]} == 'bad   pos=0 why=boundary what="'* ]]
	[ "${#lines[@]}" -eq 4 ]
}

@test "a torn tail of the last segment is noted, and no damage" {
	fixture segments-0
	last=segments-0/00000000000000000289.log
	size=$(stat -c %s $last)
	for left in 8 11 12 16 60 61 200; do # of the last batch's 394 bytes
		cp "$store/$last" $last
		truncate -s $((size - 394 + left)) $last
		run mq-dump-log --verify $last
		[ "$status" -eq 0 ]
		[ "$output" = "torn  pos=920 bytes=$left why=short" ]
	done
	cp "$store/$last" $last
	truncate -s $((size + 100)) $last
	run mq-dump-log --verify $last
	[ "$status" -eq 0 ]
	[ "$output" = "torn  pos=$size bytes=100 why=zeros" ]
}

@test "a torn tail of an older segment, or below the recovery point, is damage" {
	fixture segments-0
	truncate -s -1 "segments-0/$log"
	run mq-dump-log --verify "segments-0/$log"
	[ "$status" -eq 1 ]
	[ "$output" = "bad   pos=5792 why=short want=172 got=171 next-good=- lost=48..?" ]
	last=segments-0/00000000000000000289.log
	truncate -s -1 $last
	cp "$store/recovery-point-offset-checkpoint" . # says 300
	run mq-dump-log --verify $last
	[ "$status" -eq 1 ]
	[ "$output" = "bad   pos=920 why=short want=394 got=393 next-good=- lost=297..?" ]
	printf '0\n1\nsegments 0 297\n' >recovery-point-offset-checkpoint
	run mq-dump-log --verify $last
	[ "$status" -eq 0 ]
	# Above it a whole batch with a bad checksum is a torn write, too.
	cp "$store/$last" $last
	flip $last 1000
	run mq-dump-log --verify $last
	[ "$status" -eq 0 ]
	[ "$output" = "torn  pos=920 bytes=394 why=crc" ]
	rm recovery-point-offset-checkpoint
	run mq-dump-log --verify $last
	[ "$status" -eq 1 ]
}

@test "a killed Kafka's store is sound: torn tails and preallocated indexes" {
	tar xzf "$data/killed.tar.gz"
	run mq-dump-log --verify -q ./*/
	[ "$status" -eq 0 ]
	[[ $output != *"bad "* ]]
	[[ $output == *"note  pos="*" why=padding what="* ]]
}

@test "records that do not parse behind a good checksum are told" {
	cp "$data/batches/gzip.bin" x.bin
	python3 - "$BATS_TEST_DIRNAME" <<-'PYTHON'
	import struct
	def crc32c(data):
	    crc = 0xffffffff
	    for byte in data:
	        crc ^= byte
	        for _ in range(8):
	            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
	    return crc ^ 0xffffffff
	batch = bytearray(open("x.bin", "rb").read())
	batch[3000] ^= 0x10
	batch[17:21] = struct.pack(">I", crc32c(bytes(batch[21:])))
	open("x.bin", "wb").write(batch)
	PYTHON
	run mq-dump-log x.bin # does not open them
	[ "$status" -eq 0 ]
	for option in --records --verify; do
		run mq-dump-log $option x.bin
		[ "$status" -eq 1 ]
		[[ ${lines[-1]} == 'bad   pos=0 why=records what="'*'" next-good=9797 lost=0..69' ]]
	done
}

@test "Kafka's old formats are named, not guessed at" {
	run mq-dump-log "$data/batches/magic-1.bin"
	[ "$status" -eq 1 ]
	[ "$output" = "bad   pos=0 why=magic want=2 got=1 next-good=- lost=0..?" ]
}

@test "damaged small files are told" {
	fixture txn-0
	cd txn-0
	truncate -s -1 00000000000000000005.txnindex
	run mq-dump-log --verify 00000000000000000005.txnindex
	[ "$status" -eq 1 ]
	[ "$output" = 'bad   pos=34 why=size what="67 bytes are not a multiple of 34"' ]
	flip 00000000000000000005.snapshot 20
	run mq-dump-log --verify 00000000000000000005.snapshot
	[ "$status" -eq 1 ]
	[[ $output == 'bad   pos=0 why=snapshot what="'* ]]
	printf '0\n2\n0 0\n' >leader-epoch-checkpoint
	run mq-dump-log --verify leader-epoch-checkpoint
	[ "$status" -eq 1 ]
	[[ $output == 'bad   pos=0 why=text what="'* ]]
	cd "$BATS_TEST_TMPDIR"
	fixture segments-0
	cd segments-0
	bytes "$store/segments-0/00000000000000000000.index" 8 8 >>00000000000000000000.index
	run mq-dump-log --verify 00000000000000000000.index
	[ "$status" -eq 1 ]
	[[ ${lines[0]} == "bad   pos="*" why=order what=\"offset 6 after "* ]]
}

@test "garbage of any length is survived" {
	for n in {1..40}; do
		head -c $((n * 7)) /dev/urandom >"$log"
		run mq-dump-log --records "$log"
		[ "$status" -le 1 ]
		cp "$log" 00000000000000000000.index
		cp "$log" 00000000000000000000.timeindex
		cp "$log" 00000000000000000000.txnindex
		cp "$log" 00000000000000000000.snapshot
		cp "$log" leader-epoch-checkpoint
		cp "$log" meta.properties
		cp "$log" quorum-state
		run mq-dump-log .
		[ "$status" -le 1 ]
	done
}

@test "a closed pipe ends it silently" {
	cat "$store"/segments-0/*.log >many.bin
	for _ in {1..60}; do echo many.bin; done >names
	# shellcheck disable=SC2046
	mq-dump-log $(cat names) 2>err | head -n 1 >/dev/null
	[ "${PIPESTATUS[0]}" -eq 141 ] || [ "${PIPESTATUS[0]}" -eq 1 ]
	[ ! -s err ]
}

@test "a full disk is told" {
	run bash -c "mq-dump-log '$store' >/dev/full"
	[ "$status" -eq 74 ]
	[ "$output" = "mq-dump-log: stdout: write: No space left on device" ]
}

@test "the examples of mq-dump-log(1) print what they show" {
	python3 "$MQ_TOP/t/examples.py" "$MQ_TOP/share/man/mq-dump-log.1"
}
