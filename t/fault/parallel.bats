#!/usr/bin/env bats
# runs: plain
# Several processes on one store: whole batches interleave, each producer's order
# holds, and the death of some is nothing to the others (FAULTS 1, 45).
# shellcheck disable=SC2154 # run sets stderr and stderr_lines
bats_require_minimum_version 1.5.0

setup()
{
	# shellcheck source=t/lib/fault.bash
	. "$BATS_TEST_DIRNAME/../lib/fault.bash"
	fault_setup
	new_history
}

teardown()
{
	jobs -p | xargs -r kill -KILL 2>/dev/null || :
}

# whole_batches TOPIC PARTITION SIZE: every batch is one producer's, and as large
# as told (but for the last of each producer).
whole_batches()
{
	mq-dump-log "$store/$1-$2" | awk '$1 == "batch" { split($2, r, /\.\./); print "b", r[1], r[2] }' >batches
	mq-consume -d "$store" -t "$1" -p "$2" -e -f 'r %o %s\n' >records
	awk -v size="$3" '
	$1 == "b" { for (o = $2; o <= $3; o++) first[o] = $2; n[$2] = $3 - $2 + 1; next }
	!($2 in first) { print "offset " $2 " is in no batch"; bad = 1; next }
	{
		f = first[$2]
		if (f in tag && tag[f] != $3) { print "batch " f " is of " tag[f] " and " $3; bad = 1 }
		tag[f] = $3
	}
	END {
		for (f in tag) if (n[f] != size && odd[tag[f]]++) { print tag[f] ": small batches"; bad = 1 }
		exit bad
	}' batches records
}

# interleave N TAG...: that many lines each, at once, in batches of 7.
interleave()
{
	local n=$1 tag pids=() pid
	shift

	mkfifo start
	for tag; do
		{
			read -r _ <start
			lines "$tag" "$n" | mq-produce -d "$store" -t t -p 0 -B 7 --ack-format "$ACK_FORMAT" >"acked/$tag"
		} 3>&- &
		pids+=($!)
	done
	# A fifo opens when both ends are there; all go at once.
	yes | head -n "$#" >start
	for pid in "${pids[@]}"; do
		wait "$pid"
	done
}

for_producers()
{
	interleave 2000 "$@"
	check_store t
	[ "$(wc -l <seen)" -eq $(($# * 2000)) ]
	[ "$(cat acked/* | wc -l)" -eq $(($# * 2000)) ]
	whole_batches t 0 7
}

@test "two producers interleave whole batches, each in its own order" {
	for_producers a b
}

@test "three producers make the store and the topic at once and lose nothing" {
	for_producers a b c
}

# --- random kills ---------------------------------------------------------------

# one_life TAG SEED: a producer that is killed from outside at a time drawn from
# the seed: after some acknowledgements, a moment after a line was given to it.
one_life()
{
	local tag=$1 rounds spin i ack to from

	RANDOM=$2
	rounds=$((RANDOM % 12)) spin=$((RANDOM % 400))
	: >"acked/$tag"
	coproc LIFE { exec 3>&- mq-produce -d "$store" -t t -p 0 --ack-format "$ACK_FORMAT" 2>/dev/null; }
	exec {to}>&"${LIFE[1]}" {from}<&"${LIFE[0]}"
	# shellcheck disable=SC2153 # coproc sets it
	pid=$LIFE_PID
	trap '' PIPE
	for ((i = 1; i <= rounds; i++)); do
		printf '%s %d\n' "$tag" "$i" >&"$to"
		read -r -t 60 -u "$from" ack || break
		echo "$ack" >>"acked/$tag"
	done
	printf '%s %d\n%s %d\n' "$tag" "$i" "$tag" $((i + 1)) >&"$to"
	while [ "$((spin -= 1))" -gt 0 ]; do :; done
	kill -KILL "$pid"
	exec {to}>&-
	while read -r -t 60 -u "$from" ack; do
		echo "$ack" >>"acked/$tag"
	done
	exec {from}<&-
	wait "$pid" 2>/dev/null || :
}

# lives NAME COUNT: one after the other.
lives()
{
	local i

	for ((i = 1; i <= $2; i++)); do
		one_life "$1$i" $((seed * 1000 + i * 10 + ${#1}))
	done
}

@test "1: producers that are killed at random, several at a time, on one partition" {
	seed=${MQ_FAULT_SEED:-1} count=${MQ_SOAK:+300}
	mq-produce -d "$store" -t t --ack-format "$ACK_FORMAT" <<<'first 1' >acked/first
	mq-consume -d "$store" -t t -f "$SEEN_FORMAT" >followed 2>follow.err 3>&- &
	follower=$!
	for tag in a bb ccc; do
		lives "$tag" "${count:-12}" 3>&- &
		pids+=($!)
	done
	wait "${pids[@]}"
	append_more t
	check_store t
	progress "$(wc -l <seen) records, $(cat acked/* | wc -l) acknowledged, seed $seed"

	# A reader that was there all the time saw the same: nothing torn, nothing that
	# was cut afterwards.
	until [ "$(wc -l <followed)" -ge "$(wc -l <seen)" ]; do
		kill -0 "$follower"
		sleep 0.05
	done
	kill -KILL "$follower"
	wait "$follower" || :
	diff seen followed
}

@test "a stopped writer in the middle of an append holds up writers, not readers" {
	mq-produce -d "$store" -t t --ack-format "$ACK_FORMAT" <<<'first 1' >acked/first
	MQ_FAULT_NAME='t-0/*.log' MQ_FAULT_ONLY='write' faulty stop:1 \
	    exec mq-produce -d "$store" -t t --ack-format "$ACK_FORMAT" <<<'stopped 1' >acked/stopped 3>&- &
	stopped=$!
	until grep -q '^State:.*T' "/proc/$stopped/status"; do
		kill -0 "$stopped"
		sleep 0.01
	done
	[ "$(mq-consume -d "$store" -t t -e)" = 'first 1' ]
	mq-dump-log --verify "$store/t-0"
	run -75 --separate-stderr mq-produce -d "$store" -t t -m 1 <<<'late 1'
	[ "${#stderr_lines[@]}" -eq 1 ]
	[[ $stderr == "mq-produce: "*"lock"* ]]
	kill -CONT "$stopped"
	wait "$stopped"
	append_more t
	check_store t
}

@test "a writer that is stopped and killed inside an append: the one that waits cuts, a reader sees neither half" {
	local big waiting=() pid

	mq-produce -d "$store" -t t --ack-format "$ACK_FORMAT" <<<'first 1' >acked/first
	size=$(stat -c %s "$store/t-0/00000000000000000000.log")
	mq-consume -d "$store" -t t -f "$SEEN_FORMAT" >followed 2>follow.err 3>&- &
	follower=$!
	big=$(printf '%200s' '' | tr ' ' x)
	MQ_FAULT_NAME='t-0/*.log' MQ_FAULT_ONLY='write' faulty stop-mid:1 \
	    exec mq-produce -d "$store" -t t --ack-format "$ACK_FORMAT" <<<"stopped 1 $big" >acked/stopped 3>&- &
	stopped=$!
	until grep -q '^State:.*T' "/proc/$stopped/status"; do
		kill -0 "$stopped"
		sleep 0.01
	done
	[ "$(stat -c %s "$store/t-0/00000000000000000000.log")" -gt "$size" ]

	# Readers old and new, while half a batch lies there.
	until [ -s followed ]; do
		kill -0 "$follower"
		sleep 0.01
	done
	[ "$(mq-consume -d "$store" -t t -e)" = 'first 1' ]
	for tag in a b; do
		MQ_FAULT_ONLY='open' MQ_FAULT_LOG=$PWD/opened.$tag faulty count \
		    exec mq-produce -d "$store" -t t -m 60 -B 1 --ack-format "$ACK_FORMAT" \
		    < <(lines "$tag" 5) >"acked/$tag" 2>"said.$tag" 3>&- &
		waiting+=($!)
		until grep -q 'open /t-0/mq.lock ' "opened.$tag" 2>/dev/null; do
			kill -0 "${waiting[-1]}"
			sleep 0.01
		done
	done
	[ ! -s acked/a ] && [ ! -s acked/b ]
	kill -KILL "$stopped"
	for pid in "${waiting[@]}"; do
		wait "$pid"
	done
	[ "$(cat said.a said.b | grep -c 'of a torn batch')" -eq 1 ]
	[ ! -s acked/stopped ]
	append_more t
	check_store t
	[ "$(wc -l <seen)" -eq 15 ]
	until [ "$(wc -l <followed)" -ge 15 ]; do
		kill -0 "$follower"
		sleep 0.01
	done
	kill -KILL "$follower"
	wait "$follower" || :
	diff seen followed
	[ ! -s follow.err ]
}

# --- the store is somebody's alone ------------------------------------------------

# hold FILE: another process has it locked for itself, until hold_no_more.
hold()
{
	coproc HOLD { exec 3>&- python3 "$MQ_TOP/t/lib/ofd-lock.py" "$1"; }
	# shellcheck disable=SC2153 # coproc sets it
	holder=$HOLD_PID
	local first=${HOLD[1]}
	exec {hold_to}>&"$first" {first}>&-
	read -r -t 60 -u "${HOLD[0]}" answer
	[ "$answer" = locked ]
}

hold_no_more()
{
	exec {hold_to}>&-
	wait "$holder"
}

@test "45: while a daemon has the store, writers end with 75 and readers go on" {
	mq-produce -d "$store" -t t --ack-format "$ACK_FORMAT" <<<'first 1' >acked/first
	hold "$store/.lock"
	for command in "mq-produce -t t -m 1" "mq-topics create u -m 1" "mq-topics delete -y t -m 1"; do
		read -ra words <<<"$command"
		run -75 --separate-stderr "${words[0]}" -d "$store" "${words[@]:1}" <<<'late 1'
		echo "$command: $stderr"
		[ "${#stderr_lines[@]}" -eq 1 ]
		[[ $stderr == "${words[0]}: "*"$store"*lock* ]]
	done
	[ "$(mq-consume -d "$store" -t t -e)" = 'first 1' ]
	[ "$(mq-topics -d "$store" list)" = t ]
	mq-dump-log --verify "$store/t-0"
	mq-index check "$store/t-0"
	hold_no_more
	append_more t
	check_store t
}

@test "a lock file that cannot be made is named, not waited for" {
	mq-produce -d "$store" -t t --ack-format "$ACK_FORMAT" <<<'first 1' >acked/first
	rm "$store/t-0/mq.lock"
	ln -s /nonexistent/lock "$store/t-0/mq.lock"
	run -74 --separate-stderr mq-produce -d "$store" -t t -m 1 <<<'late 1'
	[ "${#stderr_lines[@]}" -eq 1 ]
	[[ $stderr == "mq-produce: "*"t-0/mq.lock: "*"symbolic link to nothing"* ]]
	rm "$store/t-0/mq.lock"
	append_more t
	check_store t
}

@test "45: a writer that waits for the store goes on when it is free" {
	mq-produce -d "$store" -t t --ack-format "$ACK_FORMAT" <<<'first 1' >acked/first
	hold "$store/.lock"
	MQ_FAULT_ONLY='open' MQ_FAULT_LOG=$PWD/opened faulty count \
	    exec mq-produce -d "$store" -t t -m 60 --ack-format "$ACK_FORMAT" <<<'waits 1' >acked/waits 3>&- &
	waiter=$!
	until grep -q 'open /.lock ' opened 2>/dev/null; do
		kill -0 "$waiter"
		sleep 0.01
	done
	[ ! -s acked/waits ]
	hold_no_more
	wait "$waiter"
	[ "$(wc -l <acked/waits)" -eq 1 ]
	check_store t
}
