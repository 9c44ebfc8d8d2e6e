# mq-index: indexes against their segments, and made anew as Kafka makes them.
# shellcheck disable=SC2030,SC2031 # each test is a subshell of its own

setup() {
	data=$BATS_TEST_DIRNAME/data
	store=$data/kafka-store
	cd "$BATS_TEST_TMPDIR" || return
}

# fixture PARTITION...: copies of Kafka's partitions, away from their store.
fixture() {
	for partition; do
		cp -r "$store/$partition" .
		chmod -R u+w "$partition"
	done
}

# put FILE BYTE HEX: overwrites bytes.
put() {
	# shellcheck disable=SC2001 # no pattern of the shell's repeats
	printf '%b' "$(sed 's/../\\x&/g' <<<"$3")" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

base=00000000000000000049

@test "check finds nothing wrong with what Kafka wrote" {
	run mq-index check "$store" "$data/fresh" "$data/formatted"
	[ "$status" -eq 0 ]
	[ -z "$output" ]
}

@test "check takes files, directories, stores and topics" {
	run mq-index check "$store/segments-0/$base.index" "$store/txn-0" -d "$store" -t 'compact*'
	[ "$status" -eq 0 ]
	[ -z "$output" ]
	run mq-index check -d "$store" segmnts
	[ "$status" -eq 66 ]
	[ "$output" = "mq-index: segmnts: no such file, and no such topic in $store (did you mean segments?)" ]
	run mq-index check "$store/meta.properties"
	[ "$status" -eq 65 ]
	[ "$output" = "mq-index: $store/meta.properties: no file of a segment (if a topic is meant: -t)" ]
	run mq-index check
	[ "$status" -eq 2 ]
	run mq-index
	[ "$status" -eq 2 ]
}

# problem COMMAND...: changes a copy of segments-0 and checks it.
problem() {
	rm -rf segments-0
	fixture segments-0
	(cd segments-0 && "$@")
	run mq-index check segments-0
}

# bad ROW: the first row is that, tab for space, up to the detail.
bad() {
	[ "$status" -eq 1 ]
	[[ ${lines[0]} == $'bad\tsegments-0/'"$base.$1"$'\t'"$2"$'\t'"$3"$'\t'"$4" ]]
}

@test "check names what is wrong with an offset index" {
	problem put $base.index 4 00000001
	bad index 0 boundary "entry 0 points at byte 1, where no batch begins"
	problem put $base.index 0 00000001
	bad index 0 boundary "entry 0 says offset 50, the batch at byte 505 ends at 54"
	problem put $base.index 12 00000110
	bad index 8 order "entry 1 does not increase"
	problem truncate -s -3 $base.index
	bad index 104 size "109 bytes, want a multiple of 8"
	problem truncate -s +16 $base.index
	bad index 112 padding "2 zero entries behind 14"
	problem rm $base.index
	bad index - missing "no such file; mq-index rebuild makes it"
	problem rm $base.log
	bad index - orphan "its .log is not there"
}

@test "check names what is wrong with a time index" {
	problem put $base.timeindex 0 0000000000000001
	bad timeindex 0 time "entry 0 says time 1 at offset 50, want 1700000001901, the largest up to there"
	problem put $base.timeindex 8 00000029
	[[ $output == *$'\t0\ttime\tentry 0 says time 1700000001901 at offset 90, want '* ]]
	problem truncate -s -12 $base.timeindex # the entry that the roll wrote
	bad timeindex 36 time "the last entry is not the largest time of the segment, 1700000004200"
	problem rm $base.timeindex
	bad timeindex - missing "no such file; mq-index rebuild makes it"
}

@test "check names what is wrong with the log itself" {
	problem put $base.log 300 ff00ff
	bad log 201 batch "crc 1bf51151, want e9f6b418"
	problem truncate -s 1000 $base.log
	bad log 920 batch "the file ends within a batch of 394 bytes"
}

@test "check notes what is not damage" {
	problem touch notes.txt
	[ "$status" -eq 0 ]
	[ "$output" = $'note\tsegments-0/notes.txt\t-\tforeign\tneither Kafka\'s nor mq\'s' ]
	problem cp $base.log $base.log.deleted
	[ "$status" -eq 0 ]
	[[ $output == $'note\tsegments-0/'$base$'.log.deleted\t-\tundone\t'* ]]
	problem truncate -s -5 00000000000000000289.log
	[ "$status" -eq 0 ]
	[[ ${lines[0]} == $'note\tsegments-0/00000000000000000289.log\t920\ttorn\t'* ]]
	problem truncate -s 804 00000000000000000289.timeindex
	[ "$status" -eq 0 ]
	[[ $output == $'note\t'*$'\tpadding\t66 zero entries behind 1' ]]
	problem touch mq.lock mq.tail mq.claim.g
	[ -z "$output" ]
}

@test "below the recovery point a torn batch is damage" {
	problem truncate -s -5 00000000000000000289.log
	cp "$store/recovery-point-offset-checkpoint" .
	run mq-index check segments-0
	[ "$status" -eq 1 ]
	[[ ${lines[0]} == $'bad\tsegments-0/00000000000000000289.log\t920\t'* ]]
}

@test "two directories of one name are compared" {
	fixture segments-0
	run mq-index check segments-0 "$store/segments-0"
	[ "$status" -eq 0 ]
	[ -z "$output" ]
	# The leader epoch is outside the checksum, and here right by itself.
	put segments-0/00000000000000000289.log $((920 + 12)) 00000001
	printf '0\n2\n0 0\n1 297\n' >segments-0/leader-epoch-checkpoint
	run mq-index check segments-0
	[ "$status" -eq 0 ]
	run mq-index check segments-0 "$store/segments-0"
	[ "$status" -eq 1 ]
	[[ $output == $'bad\t'*$'\tdiffer\t'* ]]
}

@test "check finds a killed Kafka's preallocated indexes, and no damage" {
	tar xzf "$data/killed.tar.gz"
	run mq-index check ./*/
	[ "$status" -eq 0 ]
	[[ $output == *$'note\t'*$'\tpadding\t'* ]]
	[[ $output != *bad* ]]
}

@test "rebuild makes Kafka's own index files, byte for byte" {
	fixture index-default-0 codec-none-0 txn-0 txn-1 compact-0 __consumer_offsets-1
	rm ./*/*.index ./*/*.timeindex ./*/*.txnindex
	run mq-index rebuild ./*/
	[ "$status" -eq 0 ]
	for partition in */; do
		diff -r "$partition" "$store/$partition"
	done
	[ "$(wc -l <<<"$output")" -eq "$(find . -name '*.log' | wc -l)" ]
}

@test "rebuild knows a topic's index.interval.bytes from its store, or -X" {
	cp -r "$store" copy
	chmod -R u+w copy
	rm copy/segments-0/*.index copy/segments-0/*.timeindex
	run mq-index rebuild -d copy segments
	[ "$status" -eq 0 ]
	diff -r copy/segments-0 "$store/segments-0"
	fixture segments-0
	rm segments-0/*.index
	mq-index rebuild -X index.interval.bytes=300 segments-0
	diff -r segments-0 "$store/segments-0"
	run mq-index rebuild -X index.interval=300 segments-0
	[ "$status" -eq 2 ]
}

@test "rebuild repairs what check names, also a single segment" {
	fixture segments-0
	truncate -s -3 "segments-0/$base.index"
	run mq-index rebuild -X index.interval.bytes=300 "segments-0/$base.log"
	[ "$status" -eq 0 ]
	[ "$output" = $'segments-0/'$base$'.log\t5803\t14\t4\t0\ttrue' ]
	run mq-index check segments-0
	[ "$status" -eq 0 ]
	diff -r segments-0 "$store/segments-0"
}

@test "rebuild -n changes nothing and says what it would" {
	fixture segments-0
	rm "segments-0/$base.index"
	run mq-index rebuild -n -J -X index.interval.bytes=300 segments-0
	[ "$status" -eq 0 ]
	[ "$(jq -r 'select(.changed) | .file' <<<"$output")" = "segments-0/$base.log" ]
	[ ! -e "segments-0/$base.index" ]
}

@test "rebuild keeps the aborted transactions that a compacted log no longer shows" {
	fixture compact-txn-0
	rm compact-txn-0/*.timeindex
	run mq-index rebuild compact-txn-0
	[ "$status" -eq 0 ]
	diff -r compact-txn-0 "$store/compact-txn-0"
}

@test "rebuild of a damaged log ends there, and says so" {
	fixture segments-0
	put "segments-0/$base.log" 1500 ff00ff
	run mq-index rebuild segments-0
	[ "$status" -eq 1 ]
	[[ $output == *"mq-index: segments-0/$base.log: bad at byte "*": the indexes end there (mq-dump-log tells more)"* ]]
}

@test "rebuild waits for the locks of a store" {
	cp -r "$store" copy
	chmod -R u+w copy
	touch copy/.lock
	python3 - copy/.lock <<-'PYTHON' &
	import fcntl, struct, sys, time
	f = open(sys.argv[1], "r+")
	fcntl.fcntl(f, 37, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0)) # F_OFD_SETLK
	open("locked", "w").close()
	time.sleep(60)
	PYTHON
	holder=$!
	until [ -e locked ]; do :; done
	run mq-index rebuild -m 0.05 -d copy segments
	kill "$holder"
	[ "$status" -eq 75 ]
	[[ $output == "mq-index: $PWD/copy/.lock: locked by another process for 50 ms: a daemon has the store (-m: wait longer)" ]]
	run mq-index rebuild -m 5 -d copy segments
	[ "$status" -eq 0 ]
	[ ! -e copy/segments-0/mq.lock ]
}

@test "rebuild locks the file that is there, not one that was removed meanwhile" {
	cp -r "$store" copy
	chmod -R u+w copy
	rm -f go held swapped
	python3 - copy/segments-0/mq.lock <<-'PYTHON' &
	import fcntl, os, struct, sys, time
	def locked():
	    f = open(sys.argv[1], "w")
	    fcntl.fcntl(f, 37, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0)) # F_OFD_SETLK
	    return f
	old = locked()
	open("held", "w").close()
	while not os.path.exists("go"):
	    time.sleep(0.01)
	os.remove(sys.argv[1])
	new = locked()
	old.close()
	open("swapped", "w").close()
	time.sleep(60)
	PYTHON
	holder=$!
	until [ -e held ]; do :; done
	mq-index rebuild -m 1 -d copy segments 3>&- &
	waiter=$!
	until find /proc/$waiter/fd -lname '*/mq.lock' | grep -q .; do :; done
	touch go
	until [ -e swapped ]; do :; done
	status=0
	wait "$waiter" || status=$?
	kill "$holder"
	[ "$status" -eq 75 ]
}

@test "show prints the entries" {
	run mq-index show "$store/txn-0/00000000000000000005.txnindex"
	[ "$output" = $'abort 0..5 pid=1014 lso=2\nabort 9..12 pid=1015 lso=7' ]
	run mq-index show "$store/segments-0"
	[ "${lines[0]}" = "file  $store/segments-0/00000000000000000000.index kind=index" ]
	[ "${lines[1]}" = "index 5 pos=354" ]
	[ "$(grep -c ^file <<<"$output")" -eq 14 ]
}

@test "lookup says where an offset or a time lies, and what finding it costs" {
	run mq-index lookup -d "$store" segments:0 -o 130 --heading
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = $'file\tentry\tentry_pos\toffset\tlast\tpos\tscanned' ]
	[ "${lines[1]}" = "$store"$'/segments-0/00000000000000000097.log\t126\t3477\t129\t131\t3922\t506' ]
	run mq-index lookup -d "$store" segments:0 -o @2023-11-14T22:13:30 -J
	[ "$(jq .offset <<<"$output")" -eq 210 ]
	run mq-index lookup -d "$store" segments:0 -o 300
	[ "$status" -eq 1 ]
	[ "$output" = "mq-index: $store/segments-0: nothing at or behind 300" ]
	run mq-index lookup -d "$store" segments
	[ "$status" -eq 2 ]
	run mq-index lookup -d "$store" segments -o -5
	[ "$status" -eq 2 ]
}

@test "lookup of every offset gives its batch, and of every time the first at or after it" {
	mq-dump-log -J --records -d "$store" segments >all
	jq -r 'select(.type == "batch") | "\(.offset) \(.last)"' all >batches
	for offset in 0 1 48 49 50 97 131 299; do
		found=$(mq-index lookup -J -d "$store" segments -o $offset | jq -r '"\(.offset) \(.last)"')
		grep -qx "$found" batches
		[ "${found% *}" -le $offset ]
		[ "${found#* }" -ge $offset ]
	done
	for ts in 1700000000000 1700000001000 1700000005500 1700000014602; do
		want=$(jq -s "map(select(.type == \"record\" and .ts >= $ts))[0].offset" all)
		found=$(mq-index lookup -J -d "$store" segments -o @$ts)
		[ "$(jq .offset <<<"$found")" -le "$want" ]
		[ "$(jq .last <<<"$found")" -ge "$want" ]
	done
}

@test "garbage in indexes is survived by check, show, lookup and rebuild" {
	for n in {1..25}; do
		rm -rf segments-0
		fixture segments-0
		for kind in index timeindex txnindex; do
			head -c $((n * 9)) /dev/urandom >segments-0/$base.$kind
		done
		run mq-index check segments-0
		[ "$status" -eq 1 ]
		run mq-index show segments-0
		[ "$status" -le 1 ]
		run mq-index lookup -q -J segments-0 -o 60
		[ "$status" -eq 0 ]
		[ "$(jq .offset <<<"$output")" -le 60 ]
		run mq-index rebuild -X index.interval.bytes=300 segments-0
		[ "$status" -eq 0 ]
		diff -r segments-0 "$store/segments-0"
	done
}

@test "the examples of mq-index(1) print what they show" {
	python3 "$MQ_TOP/t/examples.py" "$MQ_TOP/share/man/mq-index.1"
}
