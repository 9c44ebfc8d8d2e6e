#!/bin/bash
# oracle-kafka.sh: one Apache Kafka for t/interop/oracle.py to ask, or for you.
#
#   t/interop/oracle-kafka.sh              starts one in a temporary directory:
#       read K DIR <<<"$(t/interop/oracle-kafka.sh)"
#   t/interop/oracle-kafka.sh DIR [KEY=VALUE...]   starts one on DIR
#   t/interop/oracle-kafka.sh -s DIR       stops it; a temporary DIR is removed
#
# Prints "HOST:PORT DIR". It has oracle.properties, then what the caller adds. It
# goes on running when the shell ends, so stop it.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=t/interop/kafka.sh
. "$here/kafka.sh"

if [ "${1-}" = -s ]; then
	kafka_stop "$2"
	case $2 in
	"${TMPDIR:-/tmp}"/mq-oracle.*) rm -rf "$2" "$2.kafka" ;;
	esac
	exit
fi
dir=${1-}
[ $# -eq 0 ] || shift
[ -n "$dir" ] || dir=$(mktemp -d "${TMPDIR:-/tmp}/mq-oracle.XXXXXX")
mapfile -t properties < <(grep -v '^#' "$here/oracle.properties")
address=$(kafka_start "$dir" "${properties[@]}" "$@")
printf '%s %s\n' "$address" "$dir"
