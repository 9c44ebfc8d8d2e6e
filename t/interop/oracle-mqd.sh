#!/bin/bash
# oracle-mqd.sh: one mqd for t/interop/oracle.py to hold against a Kafka.
#
#   t/interop/oracle-mqd.sh DIR [KEY=VALUE...]  starts one on DIR, prints HOST:PORT
#   t/interop/oracle-mqd.sh -s DIR              stops it
#
# It has what kafka.sh and oracle-kafka.sh give a Kafka, as far as it is a matter of
# answers. Messages are in DIR.err. It goes on running when the shell ends.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=t/interop/kafka.sh
. "$here/kafka.sh"

gone()
{
	! kill -0 "$1" 2>/dev/null
}

if [ "${1-}" = -s ]; then
	pid=$(cat "$2.pid" 2>/dev/null) || exit 0
	kill "$pid" 2>/dev/null || :
	for _ in $(seq 300); do
		if gone "$pid"; then
			rm -f "$2.pid"
			exit 0
		fi
		sleep 0.1
	done
	echo "oracle-mqd.sh: process $pid does not end" >&2
	exit 1
fi

dir=$1
shift
mapfile -t properties < <(grep -v '^#' "$here/oracle.properties")
properties+=(offsets.topic.num.partitions=4 group.initial.rebalance.delay.ms=0
	log.cleaner.dedupe.buffer.size=2097152 "$@")
mapfile -t ports < <(_kafka_free_ports)
mkdir -p "$dir"
mqd -F none -d "$dir" --listen "127.0.0.1:${ports[0]}" "${properties[@]/#/-X}" \
	</dev/null >"$dir.out" 2>"$dir.err" 3>&- &
printf '%s\n' $! >"$dir.pid"
for _ in $(seq 300); do
	if gone "$!"; then
		cat "$dir.err" >&2
		exit 1
	fi
	if grep -q ' ready$' "$dir.err"; then
		printf '127.0.0.1:%s\n' "${ports[0]}"
		exit 0
	fi
	sleep 0.1
done
echo "oracle-mqd.sh: not ready within 30 s, see $dir.err" >&2
exit 1
