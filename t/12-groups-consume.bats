# runs: brokers
# mq-consume -G: who reads what, and which offsets are committed.

setup() {
	# shellcheck source=t/lib/tools.bash
	. "$BATS_TEST_DIRNAME/lib/tools.bash"
	fresh_store
	members=()
}

teardown() {
	[ "${#members[@]}" -eq 0 ] || kill -KILL "${members[@]}" 2>/dev/null || :
}

# committed GROUP [TOPIC]: the sum of its committed offsets.
committed() {
	mq-groups describe "$1" -J ${2:+-t "$2"} 2>/dev/null |
		jq -s '[.[] | .offset? // .committed? // 0] | add // 0'
}

# member OUT ARGUMENT...: one more member of the group g, in the background, each
# record written at once; -G in ARGUMENT names another group.
member() {
	env --default-signal mq-consume -G g -u "${@:2}" >"$1" 2>"$1.err" &
	members+=("$!")
}

# leaves N SIGNAL STATUS: the N-th member (from 0) is sent a signal (or -: none)
# and ends.
leaves() {
	[ "$2" = - ] || kill -"$2" "${members[$1]}"
	ended "${members[$1]}" "$3"
}

# each_once N FILE...: the files hold the numbers 1 to N, each once.
each_once() {
	sort -n "${@:2}" | cmp - <(seq "$1")
}

# all_there N FILE...: they hold N lines in all.
all_there() {
	[ "$(cat "${@:2}" | wc -l)" -ge "$1" ]
}

# within_a_second COMMAND: it sets `took` (milliseconds); the best of up to five
# tries, each with its number, must be within a second. Tells them all.
within_a_second() {
	local all='' n

	for n in 1 2 3 4 5; do
		began=${EPOCHREALTIME/./}
		"$1" "$n" || return
		all+=" $took"
		[ "$took" -gt 1000 ] || break
	done
	echo "# $1:$all ms" >&3
	[ "$took" -le 1000 ]
}

# took_ms: since `began`.
took_ms() {
	took=$(((${EPOCHREALTIME/./} - began) / 1000))
}

# --- one member --------------------------------------------------------------

@test "a cron job: -G nightly -e sees each record once" {
	seq 10 | mq-produce -t t
	mq-consume -G nightly -e t >one
	mq-consume -G nightly -e t >two
	seq 11 15 | mq-produce -t t
	mq-consume -G nightly -e t >three
	cmp one <(seq 10)
	[ ! -s two ]
	cmp three <(seq 11 15)
	# Another group begins at the beginning.
	mq-consume -G other -e t | cmp - <(seq 15)
	[ "$(mq-groups list | paste -sd' ')" = 'nightly other' ]
}

@test "-c: the next run goes on behind the last record printed" {
	seq 10 | mq-produce -t t
	[ "$(mq-consume -G g -c 3 t | paste -sd' ')" = '1 2 3' ]
	[ "$(mq-consume -G g -c 4 t | paste -sd' ')" = '4 5 6 7' ]
	[ "$(mq-consume -G g -e t | paste -sd' ')" = '8 9 10' ]
}

@test "-o goes before what is stored, and moves it" {
	seq 10 | mq-produce -t t
	mq-consume -G g -e t >/dev/null
	[ "$(mq-consume -G g -e -o -2 t | paste -sd' ')" = '9 10' ]
	[ "$(mq-consume -G g -e -o stored t | paste -sd' ')" = '' ]
	[ "$(mq-consume -G g -e --tail 1 t)" = 10 ]
	[ "$(mq-consume -G new -e -o stored t | wc -l)" -eq 10 ]
}

@test "auto.offset.reset: where a group begins that has stored nothing" {
	seq 3 | mq-produce -t t
	[ -z "$(mq-consume -G late -e -X auto.offset.reset=latest t)" ]
	try 66 mq-consume -G none -e -X auto.offset.reset=none t
	[[ $stderr == *'group none has no committed offset'* ]]
	[ "$(mq-consume -G early -e -X auto.offset.reset=earliest t | wc -l)" -eq 3 ]
}

@test "-p beside -G is a usage error: the group shares out all partitions" {
	mq-topics create t --partitions 2
	seq 4 | mq-produce -t t --partitioner rr
	bad 2 '-p and -G exclude each other' mq-consume -G g -p 0 -e t
	[ -z "$(mq-groups list)" ]
	[ "$(mq-consume -G g -p -1 -e t | wc -l)" -eq 4 ]
}

# A log that lost its end, as a disk that lied leaves it.
# bats test_tags=store
@test "a committed offset behind the end: told once; on where auto.offset.reset says" {
	mq-topics create t
	seq 4 | mq-produce -t t
	cp -a store/t-0 four
	seq 5 10 | mq-produce -t t
	for group in early late none empty; do
		mq-consume -G "$group" -e t >/dev/null
	done
	rm -r store/t-0
	try 0 mq-consume -G empty -e t
	[ "$stderr" = "mq-consume: t-0: group empty has committed offset 10, but the log begins at 0\
 and ends at 0; going on at 0 (auto.offset.reset)" ]
	# What is void does not come to be an offset again once the log has grown.
	rm -r store/t-0
	mv four store/t-0
	bad 66 't-0: group none has committed offset 10, but the log begins at 0 and ends at 4' \
		mq-consume -G none -X auto.offset.reset=none -e t
	try 0 mq-consume -G early -e t
	[ "$output" = $'1\n2\n3\n4' ]
	[[ $stderr == *'group early has committed offset 10, '*'ends at 4; going on at 0 '* ]]
	try 0 mq-consume -G late -X auto.offset.reset=latest -e t
	[ -z "$output" ]
	[[ $stderr == *'group late has committed offset 10, '*'going on at 4 '* ]]
	seq 5 20 | mq-produce -t t
	for group in early late; do
		try 0 mq-consume -G "$group" -e t
		[ "${lines[0]}" = 5 ]
		[ "${#lines[@]}" -eq 16 ]
		[ -z "$stderr" ]
	done
	[ "$(mq-consume -G empty -e t | wc -l)" -eq 20 ]
}

# bats test_tags=store
@test "a committed offset behind the end: a follower goes on too, and --tail commits" {
	seq 4 | mq-produce -t t
	cp -a store/t-0 four
	seq 5 10 | mq-produce -t t
	mq-consume -G g -e t >/dev/null
	mq-consume -G tail -e t >/dev/null
	rm -r store/t-0
	mv four store/t-0
	member out t
	soon has_lines 4 out
	cmp out <(seq 4)
	soon eval '[ "$(committed g)" -eq 4 ]'
	try 0 mq-consume -G tail --tail 2 t
	[ "$output" = $'3\n4' ]
	[ -z "$stderr" ]
	[ "$(committed tail)" -eq 4 ]
}

@test "a committed offset before the beginning: told; on where auto.offset.reset says" {
	seq 10 | mq-produce -t t
	for group in early late none; do
		mq-consume -G "$group" -c 2 t >/dev/null
	done
	mq-topics trim -o 5 t
	bad 66 't-0: group none has committed offset 2, but the log begins at 5 and ends at 10' \
		mq-consume -G none -X auto.offset.reset=none -e t
	try 0 mq-consume -G late -X auto.offset.reset=latest -e t
	[ -z "$output" ]
	[[ $stderr == *'group late has committed offset 2, '*'going on at 10 '* ]]
	try 0 mq-consume -G early -e t
	[ "$output" = "$(seq 6 10)" ]
	[[ $stderr == *'group early has committed offset 2, '*'going on at 5 '* ]]
}

@test "a group on several topics has an offset in each" {
	seq 3 | mq-produce -t a
	seq 4 6 | mq-produce -t b
	mq-consume -G g -e a b >got
	each_once 6 got
	seq 7 9 | mq-produce -t a
	mq-consume -G g -e '[ab]' | cmp - <(seq 7 9)
	[ "$(committed g a)" -eq 6 ]
	[ "$(committed g b)" -eq 3 ]
}

@test "--commit=never: the next run sees the same again" {
	seq 3 | mq-produce -t t
	mq-consume -G g -e --commit never t | cmp - <(seq 3)
	mq-consume -G g -e --commit never t | cmp - <(seq 3)
	[ "$(committed g)" -eq 0 ]
}

@test "--commit=end: once, when it ends; after-write: while it runs" {
	seq 3 | mq-produce -t t
	member end --commit end t
	soon has_lines 3 end
	member while -G w t
	soon has_lines 3 while
	soon eval '[ "$(committed w)" -eq 3 ]'
	[ "$(committed g)" -eq 0 ]
	leaves 0 TERM 143
	[ "$(committed g)" -eq 3 ]
	leaves 1 TERM 143
	bad 2 'there is no group (-G)' mq-consume -e --commit end t
	bad 2 "'maybe' is not one of" mq-consume -G g -e --commit maybe t
	bad 2 '-G: a group needs a name' mq-consume -G '' -e t
}

# --- what counts as handled --------------------------------------------------

@test "a closed pipe: nothing is committed that was not taken out of it" {
	seq 100000 | mq-produce -t t
	# A byte at a time, so that nothing is read beyond the tenth line.
	(mq-consume -G g -e t || echo $? >status) 2>err | python3 -c '
import os
lines = 0
while lines < 10:
    lines += os.read(0, 1) == b"\n"
os.close(0)'
	[ "$(cat status)" -eq 141 ]
	[ ! -s err ]
	[ "$(committed g)" -le 10 ]
	# Nothing is lost: what was committed and what comes now is everything.
	mq-consume -G g -e t >rest
	[ "$(head -n 1 rest)" -le 11 ]
	cmp rest <(seq "$(head -n 1 rest)" 100000)
}

@test "a reader that goes while records lie in the pipe gets them again" {
	seq 20 | mq-produce -t t
	(mq-consume -G g t || echo $? >status) 2>err | python3 -c '
import os, select
lines = 0
while lines < 5:
    lines += os.read(0, 1) == b"\n"'
	[ "$(cat status)" -eq 141 ]
	[ "$(committed g)" -le 5 ]
	[ "$(mq-consume -G g -e t | tail -n 1)" = 20 ]
}

@test "a slow reader: all is committed once it has read, and not before" {
	seq 5000 | mq-produce -t t
	mkfifo out
	member out -e t
	exec 9<out
	read -r first <&9
	[ "$first" -eq 1 ]
	before=$(committed g)
	cat <&9 >rest
	exec 9<&-
	leaves 0 - 0
	[ "$before" -le 1 ] || { echo "committed $before before it was read"; false; }
	cmp rest <(seq 2 5000)
	[ "$(committed g)" -eq 5000 ]
}

@test "a file on stdout is complete when the offsets are committed" {
	seq 1000 | mq-produce -t t
	mq-consume -G g -e t >>file
	seq 1001 1100 | mq-produce -t t
	mq-consume -G g -e t >>file
	cmp file <(seq 1100)
	[ "$(committed g)" -eq 1100 ]
}

@test "a full disk commits nothing" {
	seq 10 | mq-produce -t t
	run --separate-stderr sh -c 'mq-consume -G g -e t >/dev/full'
	[ "$status" -eq 74 ]
	[ "$(committed g)" -eq 0 ]
	mq-consume -G g -e t | cmp - <(seq 10)
}

@test "a killed consumer's group goes on where it had committed" {
	seq 1000 | mq-produce -t t
	member one t
	soon has_lines 1000 one
	soon eval '[ "$(committed g)" -eq 1000 ]'
	leaves 0 KILL 137
	seq 1001 1005 | mq-produce -t t
	mq-consume -G g -e t | cmp - <(seq 1001 1005)
}

# bats test_tags=store
@test "a store that may only be read: a group is refused in one line" {
	seq 3 | mq-produce -t t
	chmod -R a+rX,a-w store
	run --separate-stderr as_user mq-consume -d store -G g -e t
	chmod -R u+w store
	[ "$status" -eq 69 ]
	[ "${#stderr_lines[@]}" -eq 1 ]
	[[ $stderr == *'cannot be written'* ]] || { echo "$stderr"; false; }
	[ -z "$output" ]
}

# --- several members ---------------------------------------------------------

@test "two members share the partitions; each record goes to one of them" {
	mq-topics create t --partitions 4
	seq 100 | mq-produce -t t --partitioner rr
	member one t
	soon has_lines 100 one
	member two t
	# When the second has its share, both get some of what comes.
	soon eval 'mq-produce -t t --partitioner random <<<0; [ -s two ]'
	for n in 100 200 300; do
		seq $((n + 1)) $((n + 100)) | mq-produce -t t --partitioner rr
	done
	soon eval 'grep -hv "^0$" one two >both; [ "$(count both)" -ge 400 ]'
	each_once 400 both
	[ "$(grep -cv '^0$' two)" -gt 100 ]
	[ "$(grep -cv '^0$' one)" -gt 200 ]
}

@test "a second member has its share within a second" {
	mq-topics create t --partitions 4
	member first t
	sent=0
	to_all() {
		seq 4 | mq-produce -t t --partitioner rr -B 1
		sent=$((sent + 4))
	}
	shared_at_once() {
		local pid end out=second.$1

		# The first has what the last try has left, or one could take that at once.
		touch "$out"
		to_all
		soon all_there "$sent" first second.* || return
		began=${EPOCHREALTIME/./}
		member "$out" t
		pid=$!
		end=$((SECONDS + 30))
		until [ -s "$out" ] || [ "$SECONDS" -ge "$end" ]; do
			to_all
		done
		[ -s "$out" ] || return
		took_ms
		kill "$pid"
		ended "$pid" 143
		unset 'members[-1]'
	}
	within_a_second shared_at_once
}

# bats test_tags=store
@test "a killed member's share moves within a second; no record is skipped or doubled" {
	mq-topics create t --partitions 4
	member first t
	sent=0
	moved_at_once() {
		local out=killed.$1

		member "$out" t
		# It has its share once both have what is sent to all partitions.
		soon eval 'seq $((sent + 1)) $((sent + 4)) | mq-produce -t t --partitioner rr -B 1
			sent=$((sent + 4)); [ -s "$out" ]'
		soon all_there "$sent" first killed.*
		soon eval '[ "$(committed g)" -eq "$sent" ]'
		kill -KILL "${members[-1]}"
		ended "${members[-1]}" 137
		unset 'members[-1]'
		began=${EPOCHREALTIME/./}
		seq $((sent + 1)) $((sent + 40)) | mq-produce -t t --partitioner rr
		sent=$((sent + 40))
		soon all_there "$sent" first killed.*
		took_ms
	}
	within_a_second moved_at_once
	each_once "$sent" first killed.*
}

@test "members that come and go in mid-stream: each record once" {
	mq-topics create t --partitions 6
	{
		for n in $(seq 0 100 4900); do
			seq $((n + 1)) $((n + 100))
			read -rt 0.02 <> <(:) || :
		done
	} | mq-produce -t t --partitioner rr -B 20 &
	member one t
	member two t
	soon all_there 500 one two
	member three t
	soon all_there 1500 one two three
	leaves 0 TERM 143
	soon all_there 2500 one two three
	member four t
	leaves 1 INT 130
	soon all_there 5000 one two three four
	each_once 5000 one two three four
}

@test "more members than partitions: the surplus waits and takes over" {
	seq 10 | mq-produce -t t
	member one t
	soon has_lines 10 one
	member two t
	# Which of them has it is the group's choice; the other has none.
	seq 11 20 | mq-produce -t t
	soon all_there 20 one two
	[ -s two ] && holder=1 other=one || holder=0 other=two
	had=$(count "$other")
	leaves "$holder" TERM 143
	seq 21 30 | mq-produce -t t
	soon has_lines $((had + 10)) "$other"
	each_once 30 one two
}

@test "members on different topics do not disturb each other" {
	seq 10 | mq-produce -t a
	seq 11 20 | mq-produce -t b
	member one a
	member two b
	soon all_there 20 one two
	cmp one <(seq 10)
	cmp two <(seq 11 20)
}

@test "topics that come to match a glob are shared by the members that follow it" {
	mq-topics create t1 --partitions 2
	seq 10 | mq-produce -t t1 --partitioner rr
	member one 't*'
	member two '^t'
	soon all_there 10 one two
	mq-topics create t2 --partitions 4
	seq 11 20 | mq-produce -t t2 --partitioner rr
	soon all_there 20 one two
	mq-topics alter t1 --partitions 4
	seq 21 30 | mq-produce -t t1 --partitioner rr
	mq-produce -t t3 <<<31
	soon all_there 31 one two
	each_once 31 one two
	soon eval '[ "$(committed g)" -eq 31 ]'
	# Both have a share of the new topic.
	soon eval 'mq-groups describe g -J | jq -se "[.[] | select(.topic==\"t2\") | .member? // .client?] | unique | length == 2"'
	leaves 0 TERM 143
	seq 32 41 | mq-produce -t t2 --partitioner rr
	soon all_there 41 one two
	each_once 41 one two
}

@test "a deleted topic that matched a glob: its members go on, also when it is made anew" {
	mq-topics create t1 --partitions 2
	mq-topics create t2 --partitions 2
	seq 10 | mq-produce -t t1 --partitioner rr
	seq 11 20 | mq-produce -t t2 --partitioner rr
	member one 't*'
	member two '^t'
	soon all_there 20 one two
	soon eval '[ "$(committed g)" -eq 20 ]'
	mq-topics delete -y t1
	seq 21 30 | mq-produce -t t2 --partitioner rr
	soon all_there 30 one two
	mq-topics create t1 --partitions 4
	seq 31 50 | mq-produce -t t1 --partitioner rr
	soon all_there 50 one two
	mq-topics delete -y t2
	seq 51 90 | mq-produce -t t2 --partitioner rr
	soon all_there 90 one two
	each_once 90 one two
	soon eval '[ "$(committed g t1)" -eq 20 ]'
	soon eval '[ "$(committed g t2)" -eq 40 ]'
	[ ! -s one.err ]
	[ ! -s two.err ]
	leaves 0 TERM 143
	seq 91 100 | mq-produce -t t1 --partitioner rr
	soon all_there 100 one two
	each_once 100 one two
}

@test "-G -e beside a member that follows ends, and takes nothing twice" {
	mq-topics create t --partitions 2
	member one t
	seq 100 | mq-produce -t t --partitioner rr
	soon has_lines 100 one
	timeout 20 mq-consume -G g -e t >two
	seq 101 200 | mq-produce -t t --partitioner rr
	soon all_there 200 one two
	each_once 200 one two
}

# bats test_tags=store
@test "-G -m: how long a member waits for a lock" {
	seq 3 | mq-produce -t t
	hold_lock store/.lock
	run --separate-stderr timeout 20 mq-consume -G g -e -m 0.1 t
	[ "$status" -eq 75 ]
	[[ $stderr == *'locked by another process for 100 ms'* ]]
	(sleep 0.5; kill "$keeper") &
	run mq-consume -q -G g -e -m 20 t
	[ "$status" -eq 0 ]
	[ "$output" = "$(seq 3)" ]
}
