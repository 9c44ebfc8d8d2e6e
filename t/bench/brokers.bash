# shellcheck shell=bash
# brokers.bash (sourced after lib.bash): mqd and Apache Kafka, started for a bench. One
# that is called mqd... is an mqd; all end with the bench.
#
#   address[NAME]   where it listens
#   pid[NAME]       its process

port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

declare -A address pid
# start_mqd NAME [KEY=VALUE...]
start_mqd() {
	local name=$1 options=() key
	shift
	for key; do options+=(-X "$key"); done
	address[$name]=127.0.0.1:$(port)
	mqd -q -F none -d "$TMPDIR/$name" --listen "${address[$name]}" "${options[@]}" &
	pid[$name]=$!
	for _ in {1..100}; do
		MQ_BROKERS=${address[$name]} mq-topics -F none list >"$TMPDIR/out" 2>&1 && return
	done
	say "mqd does not start: $(cat "$TMPDIR/out")"
	exit 1
}

# start_kafka NAME [KEY=VALUE...]
start_kafka() {
	local name=$1 said
	shift
	said=$(t/interop/oracle-kafka.sh "$TMPDIR/$name" "$@") || exit 1
	address[$name]=${said% *}
	pid[$name]=$(cat "$TMPDIR/$name.kafka/pid")
}
stop_all() {
	local name
	for name in "${!pid[@]}"; do
		case $name in
		mqd*) kill "${pid[$name]}" 2>/dev/null ;;
		*) t/interop/oracle-kafka.sh -s "$TMPDIR/$name" ;;
		esac
	done
	wait
	rm -rf "$TMPDIR"
}
trap stop_all EXIT

# Milliseconds of processor time that a process's threads have had.
ticks() { cat "/proc/$1/task/"*/schedstat | awk '{ ns += $1 } END { print ns / 1e6 }'; }

# KiB of memory that a process has to itself.
pss() { awk '/^Pss:/ { print $2 }' "/proc/$1/smaps_rollup"; }
