# shellcheck shell=bash
# broker.sh (sourced): the broker that the tests of this directory talk to.
#
#   broker_up DIR        starts one on DIR, if it is ours to start; $BROKER is its
#                        HOST:PORT
#   broker_down DIR      stops what broker_up started
#   broker_again DIR     stops an mqd that broker_up started, and starts it again
#   broker_crash DIR [SECONDS...]   the same, but kills it; SECONDS after each of
#                        its starts once more
#   lines N [TEXT]       N lines, "TEXT 0001"...
#   eventually COMMAND   again until it is true, for a minute
#   kcat_read TOPIC [OPTION...]   all that the topic has, by kcat
#   has_lines TOPIC N    whether that are N lines
#
# Which one: MQ_TEST_BROKER is the address of one that runs; MQ_TEST_KAFKA=1 is
# the pinned Apache Kafka; otherwise mqd. Tests make topics of their own and do
# not mind what else there is.

_broker_here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=t/interop/kafka.sh
. "$_broker_here/../kafka.sh"

_broker_properties=(group.min.session.timeout.ms=500 num.partitions=4 log.retention.check.interval.ms=1000
	group.initial.rebalance.delay.ms=0)

broker_up()
{
	if [ -n "${MQ_TEST_BROKER-}" ]; then
		BROKER=$MQ_TEST_BROKER
	elif [ -n "${MQ_TEST_KAFKA-}" ]; then
		BROKER=$(kafka_start "$1" "${_broker_properties[@]}")
	else
		_mqd_start "$1" 127.0.0.1:0 || return
	fi
	export BROKER
}

broker_down()
{
	if [ -n "${MQ_TEST_KAFKA-}" ] && [ -z "${MQ_TEST_BROKER-}" ]; then
		kafka_stop "$1"
	elif [ -e "$1.pid" ]; then
		_mqd_stop "$1"
	fi
}

# Again on the port that it had, as clients that go on find it.
broker_again()
{
	_mqd_stop "$1" && _mqd_start "$1" "$BROKER"
}

broker_crash()
{
	local after

	_mqd_end KILL "$1"
	for after in "${@:2}"; do
		_mqd_launch "$1" "$BROKER"
		sleep "$after"
		_mqd_end KILL "$1"
	done
	_mqd_start "$1" "$BROKER"
}

# An mqd ends by itself, and tells of no error.
_mqd_stop()
{
	_mqd_end TERM "$1"
	if ! tail -n 1 "$1.err" | grep -q ' info stopped$' || grep -q '^[^ ]* error ' "$1.err"; then
		tail -n 20 "$1.err" >&2
		return 1
	fi
}

_mqd_end()
{
	local pid
	pid=$(cat "$2.pid")

	kill -s "$1" "$pid" 2>/dev/null || :
	eventually _gone "$pid" || return
	cat "$2.err" >>"$2.log"
	rm -f "$2.pid"
}

_gone()
{
	! kill -0 "$1" 2>/dev/null
}

# Its pid is in DIR.pid, what it says in DIR.err, what earlier ones said in
# DIR.log. File descriptor 3 is bats' own.
_mqd_launch()
{
	mkdir -p "$1"
	: >"$1.err"
	mqd -F none -d "$1" --listen "$2" "${_broker_properties[@]/#/-X}" \
		</dev/null >"$1.out" 2>"$1.err" 3>&- &
	printf '%s\n' $! >"$1.pid"
}

_mqd_start()
{
	_mqd_launch "$@"
	eventually _mqd_ready_or_gone "$1"
	grep -q ' info ready$' "$1.err" || {
		cat "$1.err" >&2
		return 1
	}
	BROKER=$(sed -n 's/.* listening on \([0-9]\)/\1/p' "$1.err")
}

_mqd_ready_or_gone()
{
	grep -q ' info ready$' "$1.err" || _gone "$(cat "$1.pid")"
}

lines()
{
	seq -f "${2:-line} %06.0f" "$1"
}

eventually()
{
	local deadline=$((SECONDS + 60))

	until "$@"; do
		[ "$SECONDS" -lt "$deadline" ] || return 1
		sleep 0.1
	done
}

kcat_read()
{
	local topic=$1
	shift
	kcat -q -b "$BROKER" -C -t "$topic" -o beginning -e "$@"
}

has_lines()
{
	[ "$(kcat_read "$1" | wc -l)" -eq "$2" ]
}
