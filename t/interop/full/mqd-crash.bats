#!/usr/bin/env bats
# An mqd that is killed again and again below clients that do not stop.

bats_require_minimum_version 1.5.0

KILLS=20

setup()
{
	# shellcheck source=t/interop/mqd/broker.sh
	. "$BATS_TEST_DIRNAME/../mqd/broker.sh"
	# shellcheck source=t/interop/mqd/crash.sh
	. "$BATS_TEST_DIRNAME/../mqd/crash.sh"
	cd "$BATS_TEST_TMPDIR" || return
	unset MQ_TEST_BROKER MQ_TEST_KAFKA
	clients=$BATS_TEST_DIRNAME/../mqd
	broker_up data
}

teardown()
{
	clients_end
}

@test "idempotent producers and a group's member outlive mqd's crashes" {
	declare -A pids seen
	"$clients/crash.py" topic "$BROKER" topic 3
	start acked.plain produce "$BROKER" topic plain none
	start acked.small produce "$BROKER" topic small gzip
	start member.0 member "$BROKER" topic group
	start python.0 pymember "$BROKER" topic python
	for kill in $(seq "$KILLS"); do
		for file in acked.plain acked.small "member.$((kill / 4))" python.0; do
			eventually grows "$file"
		done
		sleep "0.$((RANDOM % 10))"
		case $((kill % 5)) in
		0) broker_again data ;;
		1) broker_crash data "0.0$((RANDOM % 10))" "0.0$((RANDOM % 10))" "0.0$((RANDOM % 10))" ;;
		*) broker_crash data ;;
		esac
		# A member that leaves lets the next one begin where it was.
		[ $((kill % 4)) -ne 3 ] || {
			stop "member.$((kill / 4))"
			start "member.$(((kill + 1) / 4))" member "$BROKER" topic group
		}
	done
	stop acked.plain
	stop acked.small
	stop "member.$((KILLS / 4))"
	stop python.0

	"$clients/crash.py" compare "$BROKER" topic acked.plain acked.small
	committed=$("$clients/crash.py" committed member.*)
	[ "$committed" = "committed: $("$clients/clients.py" committed "$BROKER" group topic)" ]
	committed=$("$clients/crash.py" committed python.0)
	[ "$committed" = "committed: $("$clients/clients.py" committed "$BROKER" python topic)" ]
	broker_down data
	mq-index check data
	mq-dump-log --verify data
}
