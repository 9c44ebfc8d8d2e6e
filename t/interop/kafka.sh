# shellcheck shell=bash
# kafka.sh (sourced): runs the pinned Apache Kafka, its tools and its broker.
#
#   kafka_tool CLASS [ARG...]      one tool's main class in a JVM of its own
#   kafka_java CLASS [ARG...]      one of our programs, t/{interop,data}/CLASS.java
#   kafka_dump_log [OPT...] FILE...   DumpLogSegments on the files: its text
#   kafka_batch <LINES             many tools in one JVM, each stdout in a file
#   kafka_format DIR [KEY=VALUE...] [--OPTION...]   format an empty directory
#   kafka_start DIR [KEY=VALUE...]   format if need be, start; prints HOST:PORT
#   kafka_start_on_existing DIR [KEY=VALUE...]      start on what is there
#   kafka_stop DIR                 TERM, wait; 1 if it had to be killed
#   kafka_kill DIR                 kill -9: a crash
#   kafka_bootstrap DIR            prints HOST:PORT of a started broker
#
# Variables: KAFKA_VERSION; KAFKA_HOME, its place in the cache; KAFKA_HEAP, the
# JVM's heap (256m); KAFKA_TIMEOUT, seconds a start or stop may take (60);
# KAFKA_CLUSTER_ID and KAFKA_NODE_ID, what kafka_format gives a new directory.
#
# What belongs to a broker but not to its data lies in DIR.kafka/, beside DIR:
# server.properties, server.log, bootstrap, pid. Brokers listen on free ports
# of 127.0.0.1. The caller ends what it started (a bats teardown, a trap).

_kafka_here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
KAFKA_VERSION=$(tail -n 1 "$_kafka_here/kafka.version")
KAFKA_HOME=${MQ_CACHE:-$HOME/.cache/mq}/kafka-$KAFKA_VERSION
: "${KAFKA_HEAP:=256m}" "${KAFKA_TIMEOUT:=60}" "${KAFKA_NODE_ID:=1}"
: "${KAFKA_CLUSTER_ID:=bXEtdGVzdC1jbHVzdGVyMQ}"

# Flags for JVMs that live for a second: the client compiler only, the shared
# class archive (which one that does not fit is not), the smallest collector;
# Kafka's log lines from WARN on, stderr.
_kafka_jvm=(-XX:TieredStopAtLevel=1 -Xshare:auto -XX:+UseSerialGC
	-XX:SharedArchiveFile="$KAFKA_HOME/classes.jsa" -Xlog:disable -Xlog:all=error:stderr
	-Dorg.slf4j.simpleLogger.defaultLogLevel=warn
	-Dorg.slf4j.simpleLogger.log.org.apache.kafka.clients.consumer.internals.OffsetFetcherUtils=error)

# The classpath: jars in name order, then our own programs' classes.
_kafka_classpath()
{
	printf '%s:' "$KAFKA_HOME"/jars/*.jar
	printf '%s\n' "$KAFKA_HOME/classes"
}

# Compiles our Java programs into the cache when one is newer than its class.
_kafka_compile()
{
	local src tmp

	for src in "$_kafka_here"/*.java "$_kafka_here"/../data/*.java; do
		[ "$KAFKA_HOME/classes/$(basename "$src" .java).class" -nt "$src" ] && continue
		tmp=$(mktemp -d "$KAFKA_HOME/classes.XXXXXX") || return
		mkdir -p "$KAFKA_HOME/classes"
		javac -cp "$(_kafka_classpath)" -sourcepath "$_kafka_here" -d "$tmp" "$src" &&
			find "$tmp" -name '*.class' -exec mv -f -t "$KAFKA_HOME/classes" {} +
		set -- $?
		rm -rf "$tmp"
		[ "$1" -eq 0 ] || return 1
	done
}

kafka_tool()
{
	"$_kafka_here/kafka-fetch.sh" || return
	java "${_kafka_jvm[@]}" -Xmx"$KAFKA_HEAP" -cp "$(_kafka_classpath)" "$@"
}

kafka_java()
{
	"$_kafka_here/kafka-fetch.sh" && _kafka_compile && kafka_tool "$@"
}

# Options (with their values joined by =) come first, files after them.
kafka_dump_log()
{
	local opts=() files

	while [ $# -gt 0 ] && [[ $1 == --* ]]; do
		opts+=("$1")
		shift
	done
	files=$(IFS=,; printf '%s' "$*")
	kafka_tool org.apache.kafka.tools.DumpLogSegments --files "$files" "${opts[@]}"
}

# Reads lines OUT <tab> CLASS <tab> ARG... from stdin; see KafkaBatch.java.
# Prints "STATUS <tab> OUT" for each; returns 1 when a status was not 0.
kafka_batch()
{
	kafka_java KafkaBatch
}

# Two ports of 127.0.0.1 on which nothing listens, below the ephemeral range.
_kafka_free_ports()
{
	local port found=()

	while [ ${#found[@]} -lt 2 ]; do
		port=$((20000 + RANDOM % 12000))
		(: <>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || found+=("$port")
	done
	printf '%s\n' "${found[@]}"
}

# Writes DIR.kafka/server.properties for new ports; a later line wins over an
# earlier one, so the caller's KEY=VALUE come last. The session is short because
# a broker that starts again after a crash must wait for its old one to end.
_kafka_configure()
{
	local dir=$1 node_id=$2 ports
	shift 2

	mkdir -p "$dir.kafka"
	rm -f "$dir.kafka/server.log"
	mapfile -t ports < <(_kafka_free_ports)
	cat >"$dir.kafka/server.properties" <<-PROPERTIES
		process.roles=broker,controller
		node.id=$node_id
		listeners=PLAINTEXT://127.0.0.1:${ports[0]},CONTROLLER://127.0.0.1:${ports[1]}
		advertised.listeners=PLAINTEXT://127.0.0.1:${ports[0]}
		controller.listener.names=CONTROLLER
		listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
		controller.quorum.bootstrap.servers=127.0.0.1:${ports[1]}
		log.dirs=$dir
		offsets.topic.num.partitions=4
		offsets.topic.replication.factor=1
		transaction.state.log.num.partitions=2
		transaction.state.log.replication.factor=1
		transaction.state.log.min.isr=1
		share.coordinator.state.topic.num.partitions=1
		share.coordinator.state.topic.replication.factor=1
		share.coordinator.state.topic.min.isr=1
		group.initial.rebalance.delay.ms=0
		log.cleaner.dedupe.buffer.size=2097152
		broker.heartbeat.interval.ms=500
		broker.session.timeout.ms=4000
	PROPERTIES
	[ $# -eq 0 ] || printf '%s\n' "$@" >>"$dir.kafka/server.properties"
	printf '127.0.0.1:%s\n' "${ports[0]}" >"$dir.kafka/bootstrap"
}

kafka_format()
{
	local dir=$1 options=() properties=() arg quorum=--standalone
	shift

	for arg; do
		case $arg in
		--*) options+=("$arg") ;;
		controller.quorum.voters=*) quorum= ; properties+=("$arg") ;;
		*) properties+=("$arg") ;;
		esac
	done
	mkdir -p "$dir"
	dir=$(cd "$dir" && pwd)
	_kafka_configure "$dir" "$KAFKA_NODE_ID" "${properties[@]}"
	kafka_tool kafka.tools.StorageTool format ${quorum:+"$quorum"} -t "$KAFKA_CLUSTER_ID" \
		-c "$dir.kafka/server.properties" "${options[@]}" >"$dir.kafka/format.log" 2>&1 || {
		cat "$dir.kafka/format.log" >&2
		return 1
	}
}

kafka_start()
{
	[ -e "$1/meta.properties" ] || kafka_format "$@" || return
	kafka_start_on_existing "$@"
}

# The node id is the directory's own. A port that somebody else took between
# our look and the broker's bind is no failure of the test: try others.
kafka_start_on_existing()
{
	local dir node_id try
	dir=$(cd "$1" && pwd) || return
	shift

	node_id=$(sed -n 's/^node.id=//p' "$dir/meta.properties")
	"$_kafka_here/kafka-fetch.sh" || return
	[ -e "$KAFKA_HOME/classes.jsa" ] || _kafka_archive || return
	for try in 1 2 3; do
		_kafka_configure "$dir" "$node_id" "$@"
		_kafka_launch "$dir" && kafka_bootstrap "$dir" && return
		grep -q 'Address already in use' "$dir.kafka/server.log" || break
	done
	echo "kafka_start: no broker on $dir after $try tries (see $dir.kafka/server.log)" >&2
	tail -n 5 "$dir.kafka/server.log" >&2
	return 1
}

# Writes what a broker has loaded into the cache, as JVMs map it: with it a start
# takes half the time. Made by one start, in a subshell that has other flags.
# shellcheck disable=SC2030,SC2031 # that is meant
_kafka_archive()
{
	local tmp
	tmp=$(mktemp -d "$KAFKA_HOME/archive.XXXXXX") || return

	(
		_kafka_jvm=("${_kafka_jvm[@]/-XX:SharedArchiveFile=*/-XX:ArchiveClassesAtExit=$tmp/classes.jsa}")
		_kafka_classpath() { printf '%s\n' "$KAFKA_HOME"/jars/*.jar | paste -sd :; }
		kafka_format "$tmp/data" && _kafka_launch "$tmp/data" && kafka_stop "$tmp/data"
	) && mv -f "$tmp/classes.jsa" "$KAFKA_HOME/classes.jsa"
	set -- $?
	rm -rf "$tmp"
	return "$1"
}

# Starts the broker and waits for the line it logs when it is unfenced and
# serves. File descriptor 3 is bats' own: a child that kept it would hang bats.
# shellcheck disable=SC2031 # the archive's own flags stay where they are
_kafka_launch()
{
	local dir=$1 pid deadline=$((SECONDS + KAFKA_TIMEOUT))

	java "${_kafka_jvm[@]}" -Xmx"$KAFKA_HEAP" \
		-Dorg.slf4j.simpleLogger.logFile="$dir.kafka/server.log" \
		-Dorg.slf4j.simpleLogger.showDateTime=true \
		-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info \
		-cp "$(_kafka_classpath)" kafka.Kafka "$dir.kafka/server.properties" \
		</dev/null >"$dir.kafka/server.out" 2>&1 3>&- &
	pid=$!
	printf '%s\n' "$pid" >"$dir.kafka/pid"
	until grep -qs 'Kafka Server started' "$dir.kafka/server.log"; do
		if [ "$SECONDS" -ge "$deadline" ] || ! kill -0 "$pid" 2>/dev/null; then
			kafka_kill "$dir"
			return 1
		fi
		sleep 0.05
	done
}

kafka_bootstrap()
{
	cat "$1.kafka/bootstrap"
}

# Sends SIGNAL to DIR's broker, if that is what its pid still is, and waits
# until it has gone. Returns 1 when it has not within KAFKA_TIMEOUT.
_kafka_signal()
{
	local signal=$1 dir pid deadline=$((SECONDS + KAFKA_TIMEOUT))
	dir=$(cd "$2" && pwd) || return

	pid=$(cat "$dir.kafka/pid" 2>/dev/null) || return 0
	while grep -qsaF "$dir.kafka/server.properties" "/proc/$pid/cmdline"; do
		[ -z "$signal" ] || kill -s "$signal" "$pid" 2>/dev/null
		signal=
		[ "$SECONDS" -lt "$deadline" ] || return 1
		sleep 0.05
	done
	wait "$pid" 2>/dev/null || : # not always our child; its status says nothing
	rm -f "$dir.kafka/pid"
}

kafka_stop()
{
	_kafka_signal TERM "$1" && return
	kafka_kill "$1"
	echo "kafka_stop: the broker on $1 did not end by itself and was killed" >&2
	return 1
}

kafka_kill()
{
	_kafka_signal KILL "$1"
}
