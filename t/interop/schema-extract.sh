#!/bin/bash
# schema-extract.sh: takes the message schemas out of the pinned Kafka's jars.
#
#   t/interop/schema-extract.sh     prints the directory they lie in
#
# The result is ${MQ_CACHE:-~/.cache/mq}/kafka-VERSION/schemas/JAR/NAME.json with
# JAR one of clients (requests, responses, headers, consumer protocol, control
# records), metadata, raft, group-coordinator, transaction-coordinator,
# share-coordinator, storage (producer snapshot, remote log metadata). They are
# Apache's text with // comments, so they are held against ours, not copied.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=t/interop/kafka.sh
. "$here/kafka.sh"

out=$KAFKA_HOME/schemas
if [ ! -d "$out" ]; then
	"$here/kafka-fetch.sh"
	tmp=$(mktemp -d "$out.XXXXXX")
	trap 'rm -rf "$tmp"' EXIT
	for jar in clients metadata raft group-coordinator transaction-coordinator share-coordinator storage; do
		file=$KAFKA_HOME/jars/kafka-$jar-$KAFKA_VERSION.jar
		mkdir "$tmp/$jar" "$tmp/x"
		(cd "$tmp/x" && jar --extract --file "$file")
		find "$tmp/x" -name '*.json' -exec mv -t "$tmp/$jar" {} +
		rm -rf "$tmp/x"
	done
	chmod 755 "$tmp"
	mv -T "$tmp" "$out" 2>/dev/null || [ -d "$out" ]
fi
printf '%s\n' "$out"
