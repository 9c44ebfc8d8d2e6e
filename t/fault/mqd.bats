#!/usr/bin/env bats
# runs: plain
# A real mqd that dies, or whose machine does, at any call by which it changes its store,
# while it compacts, deletes by retention, deletes topics and writes snapshots of its
# metadata below tools that produce and change topics (FAULTS 1, 4, 41).
bats_require_minimum_version 1.5.0

ROUNDS=8

setup()
{
	# shellcheck source=t/lib/fault.bash
	. "$BATS_TEST_DIRNAME/../lib/fault.bash"
	fault_setup
}

teardown()
{
	[ -z "${daemon-}" ] || kill -KILL "$daemon" 2>/dev/null || :
}

# serve FAULT: $daemon at $MQ_BROKERS, which never comes to rest; fails if it dies first.
serve()
{
	: >said
	faulty "$1" exec mqd -F none -d "$store" --listen 127.0.0.1:0 -X log.cleaner.backoff.ms=10 \
		-X log.retention.check.interval.ms=10 \
		-X metadata.log.max.record.bytes.between.snapshots=1500 2>said 3>&- &
	daemon=$!
	until grep -q ' info ready$' said; do
		kill -0 "$daemon" 2>/dev/null || return 1
		sleep 0.01
	done
	MQ_BROKERS=$(sed -n 's/.* listening on \([0-9]\)/\1/p' said)
	export MQ_BROKERS
}

# What is done below it: all that was acknowledged is noted.
work()
{
	local r

	mq-topics -m 1 create -q t --partitions 2 "${SMALL[@]}" || return
	mq-topics -m 1 create -q c "${SMALL[@]}" -X cleanup.policy=compact -X min.cleanable.dirty.ratio=0.01 || return
	mq-topics -m 1 create -q old "${SMALL[@]}" -X retention.bytes=400 || return
	for ((r = 1; r <= ROUNDS; r++)); do
		lines "w$r" 8 | mq-produce -m 1 -t t -B 2 --partitioner rr --ack-format "$ACK_FORMAT" >"acked/w$r" || return
		for k in {1..7}; do echo "k$k:$r"; done | mq-produce -m 1 -t c -K : -B 2 || return
		echo "$r" >keyed
		lines "o$r" 12 | mq-produce -m 1 -t old -B 2 --ack-format "$ACK_FORMAT" >"acked.old/o$r" || return
		mq-topics -m 1 create -q "made$r" || return
		touch "made/$r"
		mq-produce -m 1 -t "made$r" <<<record || return
		[ "$r" -gt 2 ] || continue
		mv "made/$((r - 2))" going
		mq-topics -m 1 delete -q -y "made$((r - 2))" || return
		mv "going/$((r - 2))" gone
	done
}
SMALL=(-X index.interval.bytes=0 -X segment.index.bytes=24)

# live FAULT: a daemon's life. 0: it ended when it was told to.
live()
{
	! serve "$1" || work >tools 2>&1 || :
	kill -TERM "$daemon" 2>/dev/null || :
	wait "$daemon" 2>/dev/null
}

new_life()
{
	new_history
	rm -rf acked.old made going gone keyed
	mkdir acked.old made going gone
	: >acked.old/none
	echo 0 >keyed
}

topics_are_as_told()
{
	local n all

	all=$(mq-topics list) || return
	for n in made/* gone/*; do
		case $n in
		*/\*) ;; # none at all
		made/*) grep -qx "made${n#*/}" <<<"$all" || { echo "$n is gone: $all"; return 1; } ;;
		gone/*) ! grep -qx "made${n#*/}" <<<"$all" || { echo "$n is there again"; return 1; } ;;
		esac
	done
}

# The last value of each key is what was acknowledged, or what came later.
keys_are_kept()
{
	local status=0

	mq-consume -t c -e -f '%o %k %s\n' >keys 2>keys.err || status=$?
	[ "$status" -eq 0 ] || [ "$(cat keyed)" -eq 0 ] || { cat keys.err; return 1; }
	awk -v least="$(cat keyed)" '$1 <= last && NR > 1 { print "offset " $1 " after " last; exit 1 }
		{ last = $1; v[$2] = $3 }
		END { for (i = 1; i <= 7; i++) if (v["k" i] < least + 0) { print "k" i ": " v["k" i] ", want " least; exit 1 } }' keys
}

# The oldest may be gone, and nothing else.
rest_is_kept()
{
	local f start

	see old || return
	start=$(awk '{ print $3; exit }' seen)
	for f in acked.old/*; do
		awk -v from="${start:-0}" '$3 >= from' "$f" >"$f.new" && mv "$f.new" "$f"
	done
	check_history seen acked.old/*
}

# The next daemon finds all, ends as it should, and leaves a store without a flaw, once
# every log was used: one that nobody has asked for is recovered when somebody does.
outlived()
{
	serve count || { cat said; return 1; }
	must topics_are_as_told && must keys_are_kept || return
	for n in $(mq-topics list); do mq-consume -t "$n" -e || return; done >all
	[ ! -s acked/w1 ] || append_more t || return
	kill -TERM "$daemon"
	wait "$daemon" || { cat said; return 1; }
	! grep ' error ' said || return
	unset MQ_BROKERS
	power=on
	check_store t && rest_is_kept || return
	[ -z "$(find "$store" -name '*-delete' -o -name '*.cleaned' -o -name '*.swap' -o -name '*.part')" ] ||
		{ find "$store"; return 1; }
}

# some LIMIT N: a life takes a second or two, so a soak takes only twenty times as many.
some()
{
	local limit=$1

	[ -z "${MQ_SOAK-}" ] || limit=$((limit * 20))
	(unset MQ_SOAK; sample "$limit" "$2")
}

# dies LIMIT PATTERN HOW: at sampled calls on such paths.
dies()
{
	local n killed=0 calls

	export MQ_FAULT_NAME=$2
	new_life
	rm -f calls
	MQ_FAULT_COUNT=$PWD/calls live count || { cat said tools; return 1; }
	calls=$(count_in calls)
	[ "$calls" -gt 2 ]
	for n in $(some "$1" "$calls"); do
		new_life
		live "$3:$n" || killed=$((killed + 1))
		(unset MQ_FAULT_NAME; outlived) || { echo "$3:$n of $calls on $2"; return 1; }
	done
	progress "$3: $killed times, of about $calls calls on $2"
	[ "$killed" -gt 0 ]
}

@test "41: mqd is killed while it compacts" {
	dies 4 'c-0*' kill
	dies 2 'c-0/*.s*' kill-after
}

@test "1: mqd is killed while retention deletes segments" {
	dies 4 'old-0/*' kill
}

@test "1: mqd is killed while it deletes topics" {
	dies 3 'made*-delete*' kill
	dies 2 'made*-delete*' kill-after
}

@test "1: mqd is killed while it writes snapshots of its metadata" {
	dies 3 '__cluster_metadata-0/*.checkpoint*' kill
	dies 2 '__cluster_metadata-0/*.log' kill-mid
}

@test "4: the power fails below mqd at any of its calls" {
	new_life
	MQ_FAULT_COUNT=$PWD/calls live count
	calls=$(count_in calls)
	for n in $(some 8 "$calls"); do
		new_life
		until_power_fails "$n" live "kill:$n" || :
		outlived || { echo "kill:$n of $calls"; return 1; }
	done
	progress "$(some 8 "$calls" | wc -l) times, of about $calls calls"
}
