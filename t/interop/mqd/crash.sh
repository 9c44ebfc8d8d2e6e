# shellcheck shell=bash
# crash.sh (sourced, after broker.sh): clients that go on while their broker dies.
# The test has declared the arrays pids and seen.
#
#   start NAME COMMAND...   crash.py COMMAND in the background, with its lines in NAME
#   stop NAME               ends it, and fails if it had failed
#   grows FILE              whether it has more lines than when it was last asked
#   clients_end             what is left of them, for teardown()

# shellcheck disable=SC2154 # pids and seen

start()
{
	"$_broker_here/crash.py" "${@:2}" >"$1" 2>"log.$1" 3>&- &
	pids[$1]=$!
}

stop()
{
	kill -TERM "${pids[$1]}"
	wait "${pids[$1]}"
}

grows()
{
	local lines
	lines=$(wc -l <"$1")

	[ "$lines" -gt "${seen[$1]-0}" ] && seen[$1]=$lines
}

clients_end()
{
	[ -n "${BATS_TEST_COMPLETED-}" ] || tail -n 20 -- log.* data.log data.err
	jobs -p | xargs -r kill -KILL 2>/dev/null || :
}
