# mqd, the daemon's entry: options, configuration, --check, --ephemeral, --run, signals.

setup() {
	# shellcheck source=t/lib/tools.bash
	. "$BATS_TEST_DIRNAME/lib/tools.bash"
	fresh_store
	below=()
	unset MQ_DIR MQ_BROKERS NOTIFY_SOCKET JOURNAL_STREAM
	export HOME=$PWD
}

teardown() {
	[ -z "${daemon:-}" ] || kill -9 "$daemon" 2>/dev/null || :
}

# start ARGUMENT...: a daemon on the store and any port, with its log in the file log.
start() {
	serve --listen 127.0.0.1:0 "$@"
}

# serve ARGUMENT...: the same, on what ARGUMENTs say.
serve() {
	: >log
	"${below[@]}" mqd -d store "$@" 2>>log 3>&- &
	daemon=$!
	soon grep -q '[ >]ready$' log
}

# stops STATUS: the daemon is told to end, and ends with it.
stops() {
	kill -TERM "$daemon"
	ended "$daemon" "$1"
	daemon=
}

# address: where the daemon listens.
address() {
	sed -nE 's/.* listening on (127[^ ]*)$/\1/p' log
}

@test "it makes a store, says when it is ready, and ends with 0 when told to" {
	start
	[ -f store/meta.properties ] && [ -S store/mqd.sock ]
	[ "$(stat -c %a store/mqd.sock)" = 660 ]
	stops 0
	grep -q ' stopped$' log
	[ ! -e store/mqd.sock ]
	start
	stops 0
}

@test "a line of the log is a time, a level and a text" {
	start
	stops 0
	run ! grep -vE '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{3}Z (error|warn|info|debug) .' log
}

@test "in the journal a line has a level and no time" {
	: >log
	stream=$(stat -c %d:%i log)
	JOURNAL_STREAM=$stream start
	grep -qx '<6>ready' log
	stops 0
	run ! grep -v '^<[3467]>' log
}

@test "told twice to say more, it shows every request and answer" {
	start -v -v
	mq-topics create -b "$(address)" -t t
	stops 0
	grep -q ' debug 127[^ ]* > CreateTopics v[0-9]* #[0-9]* .*name=t ' log
	grep -q ' debug 127[^ ]* < CreateTopics v[0-9]* #[0-9]* ' log
}

@test "INT ends it as TERM does; the same signal at once is not two" {
	start
	kill -TERM "$daemon" && kill -TERM "$daemon" || :
	ended "$daemon" 0
	start
	kill -INT "$daemon" || :
	# a background job of a script ignores INT
	stops 0
}

@test "a second signal ends it at once, and the next start goes on" {
	below=(env --default-signal=INT) # which a background job ignores
	start
	echo x | mq-produce -b "$(address)" -t t
	kill -STOP "$daemon"
	kill -TERM "$daemon"
	kill -INT "$daemon"
	kill -CONT "$daemon"
	ended "$daemon" 143
	start
	stops 0
	grep -q ' info partitions that were not used since .* looked at when they are: 1$' log
}

@test "a second daemon on a store, or on a port, is told to try later" {
	start
	bad 75 'another mqd' mqd -q -d store --listen 127.0.0.1:0
	bad 75 "$(address)" mqd -q -d other --listen "$(address)"
	stops 0
}

@test "bad configuration is one line and 78" {
	echo 'num.partitions=many' >bad.conf
	bad 78 'bad.conf:1: num.partitions=many: want a number' mqd -d store -F bad.conf
	bad 78 'allow.anonymous.network' mqd -d store --listen 0.0.0.0:9092
	bad 78 'PLAINTEXT is all' mqd -d store --listen SSL://localhost:9092
	bad 78 'one directory' mqd -X log.dirs=a,b
	bad 78 'a cluster of one node' mqd -d store -X controller.quorum.voters=1@a:1,2@b:1
	bad 66 'none.conf' mqd -d store -F none.conf
	[ ! -e store ]
}

@test "a configuration that cannot be read, or is none, is one line and 78" {
	mkdir dir.conf
	bad 78 'dir.conf: Is a directory' mqd -d store -F dir.conf
	printf '\177ELF\002\001\001\n' >elf.conf
	bad 78 'elf.conf:1: what stands there is no key' mqd -d store -F elf.conf
	echo log.segment.bytes=none >m.conf
	bad 78 'm.conf:1: log.segment.bytes=none: want a number' mqd -d store -F m.conf
	echo listeners=127.0.0.1:0 >m.conf
	chmod 0 m.conf
	as_user() {
		if [ "$(id -u)" = 0 ]; then
			setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
		else
			"$@"
		fi
	}
	bad 78 'm.conf: Permission denied' as_user "$MQ_BIN/mqd" -d store -F m.conf
	mkdir shut
	chmod 555 shut . # a parent too
	bad 69 ': cannot be made: Permission denied' as_user "$MQ_BIN/mqd" -q -d shut --listen 127.0.0.1:0
	bad 69 'new: cannot be made: Permission denied' as_user "$MQ_BIN/mqd" -q -d new --listen 127.0.0.1:0
	chmod 755 .
	[ ! -e store ]
}

@test "an address that cannot be listened on is one line: wrong is 78, not there so far is 75" {
	bad 75 'cannot listen on 192.0.2.1:0: Cannot assign requested address' mqd -q -d store --listen 192.0.2.1:0 \
		-X allow.anonymous.network=yes
	bad 78 'cannot listen on unix:none/x: No such file' mqd -q -d store --listen unix:none/x
	bad 78 'metrics.listen: cannot listen on unix:none/x: No such file' \
		mqd -q -d store --listen 127.0.0.1:0 -X metrics.listen=unix:none/x
	bad 78 'metrics.listen=127.0.0.1: want HOST:PORT or unix:PATH' \
		mqd --check -X metrics.listen=127.0.0.1 -X allow.anonymous.network=yes
	bad 2 'empty address' mqd -q -d store --listen ''
}

@test "a directory of another node, of another cluster, or with half of a store is 69" {
	id=b3JhY2xlLXVua25vd24tMQ
	try 0 mqd --run true -d store -X cluster.id=$id -X node.id=3
	grep -qx cluster.id=$id store/meta.properties
	try 0 mqd --run true -d store
	bad 69 'the store of node 3 (meta.properties), but node.id is 2' mqd -q -d store -X node.id=2
	bad 69 "of cluster $id (meta.properties), but cluster.id is other" mqd -q -d store -X cluster.id=other
	bad 78 'cluster.id=other: for a new directory it is a uuid' mqd -q -d new -X cluster.id=other
	rm -r store/__cluster_metadata-0
	bad 69 'its metadata log is lost' mqd -q -d store
	echo garbage >store/meta.properties
	bad 74 'meta.properties: no version=1' mqd -q -d store
	bad 69 'meta.properties: not a directory' mqd -q -d store/meta.properties
}

@test "a directory that goes away below it is an error, in the log and in the status" {
	start
	mq-topics create -b "$(address)" -t t
	rm -r store
	echo x | mq-produce -b "$(address)" -t t -m 1 2>/dev/null || :
	stops 74
	grep -q ' error store: the directory takes nothing more until the next start: ' log
	grep -q ' error not a clean stop: store/' log
}

# In a name space where a small disk can be mounted.
@test "a full disk: what is produced is refused, told once, and taken again when there is room" {
	cat >full.sh <<-'END'
		mkdir disk && mount -t tmpfs -o size=16m none disk || exit
		mqd -d disk/store --listen 127.0.0.1:0 2>log & daemon=$!
		until grep -q ' ready$' log; do sleep 0.05; done
		at=$(sed -nE 's/.* listening on (127[^ ]*)$/\1/p' log)
		mq-topics create -b "$at" -t t
		head -c 15000000 /dev/zero >disk/other
		echo 1 | mq-produce -b "$at" -t t -m 2 2>said
		echo "full $?"
		mq-consume -b "$at" -t t -e | wc -l
		rm disk/other
		echo 2 | mq-produce -b "$at" -t t -m 20
		echo "room $?"
		mq-consume -b "$at" -t t -e
		kill "$daemon"; wait "$daemon"
		echo "stop $?"
		head -c 30000000 /dev/zero >disk/other 2>/dev/null
		mqd -q -d disk/new --listen 127.0.0.1:0 2>start
		echo "start $?"
	END
	unshare -Urm --kill-child bash full.sh >out
	[ "$(grep -cE '^(full 75|0|room 0|2|stop 0|start 74)$' out)" = 6 ]
	grep -q 'disk.min.free' said
	[ "$(grep -c 'disk.min.free .*refused' log)" = 1 ] && grep -q 'there is room again' log
	[ "$(wc -l <start)" = 1 ] && grep -q 'No space left on device' start
}

@test "a wrong command line is one line and 2" {
	bad 2 'no operand' mqd store
	bad 2 'exclude each other' mqd --ephemeral -d store
	bad 2 'starts nothing' mqd --check --ephemeral
	bad 2 'starts nothing' mqd --check --run true
	bad 2 'NAME=VALUE' mqd -X nonsense
	bad 2 'secrets' mqd -X ssl.keystore.password=x
	bad 2 'did you mean --listen' mqd --listn x
}

@test "a directory of somebody else's is left alone" {
	mkdir store
	echo x >store/file
	run mqd -q -d store --listen 127.0.0.1:0
	[ "$status" = 69 ] || [ "$status" = 66 ]
	[ "$(ls store)" = file ]
}

@test "--check tells what would hold and what has no meaning, and starts nothing" {
	printf '%s\n' listeners=PLAINTEXT://:9092 log.retention.hours=1 num.io.threads=8 >s.properties
	try 0 mqd -d store -F s.properties -X num.partitions=3 --check
	[[ $stderr == *'names no host'* ]]
	grep -qx 'listen	127.0.0.1:9092' <<<"$output"
	grep -qx 'key	num.partitions	3	set' <<<"$output"
	grep -qx 'key	log.retention.ms	3600000	set' <<<"$output"
	grep -qx 'key	fetch.max.bytes	57671680	default' <<<"$output"
	grep -qx 'ignored	num.io.threads	s.properties:3' <<<"$output"
	[ ! -e store ]
}

@test "what the file says goes below the environment, that below options" {
	dir_of() {
		mqd "$@" --check | sed -n 's/^key	log.dirs	\([^	]*\).*/\1/p'
	}
	echo log.dirs=file >m.conf
	[ "$(dir_of -F m.conf)" = file ]
	[ "$(MQ_DIR=mine dir_of -F m.conf)" = mine ]
	[ "$(MQ_DIR=mine dir_of -F m.conf -X log.dirs=x)" = x ]
	[ "$(MQ_DIR=mine dir_of -F m.conf -X log.dirs=x -d d)" = d ]
	[ "$(XDG_DATA_HOME=$PWD/data dir_of)" = "$PWD/data/mq" ]
	[ "$(XDG_DATA_HOME="" dir_of)" = "$HOME/.local/share/mq" ]
}

@test "HUP reads the file again" {
	echo max.connections=7 >m.conf
	start -F m.conf
	printf 'max.connections=8\nnum.partitions=9\n' >m.conf
	kill -HUP "$daemon"
	soon grep -q ' reloaded$' log
	grep -q 'num.partitions: a change takes effect at the next start' log
	echo max.connections=x >m.conf
	kill -HUP "$daemon"
	soon grep -q 'error not reloaded: m.conf:1' log
	stops 0
}

@test "--ephemeral prints where it is, and leaves nothing behind" {
	mkdir tmp
	mkfifo input
	TMPDIR=tmp mqd --ephemeral <input >out 2>log 3>&- &
	daemon=$!
	exec 4>input
	soon grep -qE '^BROKERS=127\.0\.0\.1:[0-9]+$' out
	[ -n "$(ls tmp)" ]
	exec 4>&-
	ended "$daemon" 0
	daemon=
	[ -z "$(ls tmp)" ] && [ ! -s log ]
}

@test "--run runs a command with the address, and ends as it does" {
	mkdir tmp
	export MQ_DIR=$PWD/mine
	try 0 env TMPDIR=tmp mqd --run 'echo "$MQ_BROKERS ${MQ_DIR-unset}"'
	[[ $output =~ ^127\.0\.0\.1:[0-9]+\ unset$ ]]
	try 7 env TMPDIR=tmp mqd --run sh -- -c 'exit 7'
	try 143 env TMPDIR=tmp mqd --run 'kill $$'
	status=0
	TMPDIR=tmp mqd --run ./none x 2>said || status=$?
	[ "$status" = 127 ] && grep -q 'No such file' said
	touch file
	bad 126 'Permission denied' env TMPDIR=tmp mqd --run ./file x
	[ -z "$(ls tmp)" ] && [ ! -e mine ]
}

@test "--run ends the command when it is told to end" {
	mqd --run 'echo $$ >pid; exec sleep 60' 2>log 3>&- &
	daemon=$!
	soon test -s pid
	kill -TERM "$daemon"
	ended "$daemon" 143
	daemon=
	run ! kill -0 "$(cat pid)" 2>/dev/null
}

@test "metrics, health and readiness have an address of their own" {
	start -X "metrics.listen=unix:$PWD/m.sock"
	get() {
		curl -s --unix-socket m.sock -w '%{http_code}' "http://mqd$1"
	}
	[ "$(get /health)" = "$(printf 'alive\n200')" ]
	[ "$(get /ready)" = "$(printf 'ready\n200')" ]
	[[ $(get /other) == *404 ]]
	get /metrics >page
	grep -qx 'kafka_controller_kafkacontroller_activecontrollercount 1' page
	run ! grep -vE '^(# (HELP|TYPE) [a-z_]+ .+|[a-z_]+(\{[^}]*\})? -?[0-9.]+|200)$' page
	stops 0
}

@test "where metrics are is told, as any free port may be meant" {
	start -X metrics.listen=127.0.0.1:0
	at=$(sed -nE 's/.* info metrics on (127[^ ]*)$/\1/p' log)
	[ "$(curl -s "http://$at/health")" = alive ]
	stops 0
}

# Prometheus' rules: one HELP and TYPE for each name, its lines below them, none twice;
# a histogram's buckets grow up to its count.
@test "metrics of requests are what Prometheus reads" {
	start -X "metrics.listen=unix:$PWD/m.sock"
	echo x | mq-produce -b "$(address)" -t t
	kcat -b "$(address)" -C -e -t none 2>/dev/null || :
	curl -s --unix-socket m.sock http://mqd/metrics >page
	stops 0
	grep -qx 'kafka_network_requestmetrics_requests_total{request="Produce"} 1' page
	grep -qx 'kafka_network_requestmetrics_errors_total{request="Metadata",error="UNKNOWN_TOPIC_OR_PARTITION"} [1-9]' page
	grep -qx 'kafka_network_requestmetrics_totaltimems_count{request="Produce"} 1' page
	awk '
		function bad(why) { print why ": " $0; failed = 1 }
		$2 == "HELP" { if (helped[$3]++) bad("HELP twice"); name = $3; next }
		$2 == "TYPE" { if (typed[$3]++ || $3 != name) bad("TYPE"); type = $4; next }
		series[$1]++ { bad("twice") }
		{ base = $1; sub(/\{.*/, "", base); suffix = substr(base, length(name) + 1) }
		index(base, name) != 1 || (suffix != "" && type != "histogram") { bad("not under its name") }
		type == "counter" && name !~ /_total$/ { bad("a counter is no _total") }
		suffix == "_bucket" { if (/le="0.25"/) last = 0; if ($2 < last) bad("shrinks"); last = $2 }
		suffix == "_count" && $2 != last { bad("count") }
		END { exit failed }' page
}

@test "it tells the service manager, and answers its watchdog" {
	python3 - "$PWD/notify" >notices 3>&- <<-'END' &
		import socket, sys
		s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
		s.bind(sys.argv[1])
		while True:
		    state = s.recv(100).decode()
		    print(state, flush=True)
		    if state == "STOPPING=1":
		        break
	END
	listener=$!
	soon test -S notify
	NOTIFY_SOCKET=$PWD/notify WATCHDOG_USEC=100000 start
	soon grep -q WATCHDOG=1 notices
	stops 0
	wait "$listener"
	[ "$(head -n 1 notices)" = READY=1 ] && [ "$(tail -n 1 notices)" = STOPPING=1 ]
}

@test "clients are told the address that belongs to the listener they came by" {
	cat >two.conf <<-'END'
		listener.security.protocol.map=IN:PLAINTEXT,OUT:PLAINTEXT
		listeners=IN://127.0.0.1:0,OUT://127.0.0.2:0
		advertised.listeners=OUT://outside.test:19092,IN://inside.test:9092
	END
	try 0 mqd -d store -F two.conf --check
	grep -qx 'advertise	outside.test:19092	127.0.0.2:0' <<<"$output"
	serve -F two.conf
	mapfile -t addresses < <(address)
	[ "${#addresses[@]}" = 2 ]
	kcat -L -b "${addresses[0]}" | grep -q 'broker 1 at inside\.test:9092 '
	kcat -L -b "${addresses[1]}" | grep -q 'broker 1 at outside\.test:19092 '
	stops 0
}
