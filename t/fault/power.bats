#!/usr/bin/env bats
# runs: plain
# A real mqd whose machine loses its power below clients that do not stop: it is killed,
# and its directory becomes an image of what was synced, with of all else whatever a draw
# leaves (t/fault/image). What was acknowledged is there, once; what was committed stays.

bats_require_minimum_version 1.5.0
load ../lib/fault

if [ -n "${MQ_SOAK-}" ]; then
	CUTS=200 SEED=$(od -An -N3 -tu4 /dev/urandom | tr -d ' ')
else
	CUTS=8 SEED=1
fi

setup()
{
	# shellcheck source=t/interop/mqd/broker.sh
	. "$MQ_TOP/t/interop/mqd/broker.sh"
	# shellcheck source=t/interop/mqd/crash.sh
	. "$MQ_TOP/t/interop/mqd/crash.sh"
	cd "$BATS_TEST_TMPDIR" || return
	unset MQ_TEST_BROKER MQ_TEST_KAFKA
	clients=$MQ_TOP/t/interop/mqd
	shim=$(shim faults) && image=$(dirname "$shim")/../image/crash-image || return
	seed=${MQ_FAULT_SEED:-$SEED}
	data=$PWD/data
	mkdir data
	plug_in
}

teardown()
{
	clients_end
}

# What broker.sh starts.
mqd()
{
	LD_PRELOAD=$shim MQ_FAULT_DIR=$data MQ_FAULT_LOG=$PWD/calls MQ_FAULT_DATA=1 MQ_FAULT_SYNC=quick \
		MQ_FAULT_BOOT=$PWD/boot exec mqd "$@"
}

# Another boot begins, with all that is there durable.
plug_in()
{
	rm -rf before
	cp -r data before
	: >calls
	cat /proc/sys/kernel/random/uuid >boot
}

power_cut()
{
	_mqd_end KILL data
	rm -rf data
	"$image" before calls "$seed" data >>pending
	seed=$((seed + 1))
	plug_in
}

@test "idempotent producers and a group's member outlive power cuts" {
	declare -A pids seen
	progress "seed $seed"
	broker_up data
	"$clients/crash.py" topic "$BROKER" topic 3
	start acked.plain produce "$BROKER" topic plain none
	start acked.small produce "$BROKER" topic small lz4
	start member.0 member "$BROKER" topic group
	for ((cut = 1; cut <= CUTS; cut++)); do
		for file in acked.plain acked.small member.0; do
			eventually grows "$file"
		done
		mq-topics -F none -b "$BROKER" create -q "made-$cut"
		power_cut
		# The power also fails while it comes up.
		if ((cut % 3 == 0)); then
			_mqd_launch data "$BROKER"
			sleep "0.0$((RANDOM % 10))"
			power_cut
		fi
		_mqd_start data "$BROKER"
		mq-topics -F none -b "$BROKER" list >topics
		for ((made = 1; made <= cut; made++)); do
			grep -qx "made-$made" topics
		done
	done
	for name in "${!pids[@]}"; do
		stop "$name"
	done

	"$clients/crash.py" compare "$BROKER" topic acked.plain acked.small
	committed=$("$clients/crash.py" committed member.0)
	[ "$committed" = "committed: $("$clients/clients.py" committed "$BROKER" group topic)" ]
	broker_down data
	mq-index check data
	mq-dump-log --verify data
	progress "$CUTS power cuts and more, with" \
		"$(awk '{ n += $2 } END { printf "%d", n / NR }' pending) operations each that were not durable"
}
