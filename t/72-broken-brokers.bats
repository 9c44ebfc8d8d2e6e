# shellcheck disable=SC2030,SC2031 # each test has a shell of its own
# Brokers that are not there, are none, cannot be reached, or go away: what people are told.

setup() {
	# shellcheck source=t/lib/tools.bash
	. "$BATS_TEST_DIRNAME/lib/tools.bash"
	unset MQ_TEST_BROKERS
	fresh_store
	unset MQ_DIR
	started=()
}

teardown() {
	[ "${#started[@]}" -eq 0 ] || kill -9 "${started[@]}" 2>/dev/null || :
}

# answers ANSWER: a server that says that, a Python bytes object, to whatever it is sent,
# and then closes; None: it says nothing, and waits. $MQ_BROKERS is where.
answers() {
	rm -f port
	python3 - "$1" >port 3>&- <<-'PYTHON' &
	import socket, sys
	answer = eval(sys.argv[1])
	server = socket.create_server(("127.0.0.1", 0))
	print(server.getsockname()[1], flush=True)
	clients = []
	while True:
	    client, _ = server.accept()
	    client.recv(1)
	    if answer is not None:
	        client.sendall(answer)
	        client.shutdown(socket.SHUT_WR)
	    clients.append(client)
	PYTHON
	started+=("$!")
	soon has_lines 1 port
	MQ_BROKERS=127.0.0.1:$(cat port)
	export MQ_BROKERS
}

# broker [OPTION...]: an mqd; $MQ_BROKERS is its address, the same when it comes again.
broker() {
	: >log
	mqd -F none -d served --listen "${MQ_BROKERS-127.0.0.1:0}" "$@" 2>>log 3>&- 9>&- &
	daemon=$!
	started+=("$daemon")
	soon grep -q ' ready$' log
	MQ_BROKERS=$(sed -n 's/.* listening on \([0-9]\)/\1/p' log)
	export MQ_BROKERS
}

# goes: it ends.
goes() {
	kill -TERM "$daemon"
	ended "$daemon" 0
}

@test "what answers but is no broker: 76, one line" {
	answers 'b"HTTP/1.1 400 Bad Request\r\n\r\n"'
	bad 76 "$MQ_BROKERS: what answers there is no Kafka broker" mq-produce -t t <<<x
	answers 'bytes(range(200, 256)) * 10'
	bad 76 "$MQ_BROKERS: what answers there is no Kafka broker" mq-consume -t t -e
	answers 'bytes(400)'
	bad 76 "$MQ_BROKERS: what answers there is no Kafka broker" mq-topics
	answers 'b"\0\0\0\x09\0\0\0\x07\0\0\0\0\0"'
	bad 76 "$MQ_BROKERS: what answers there is no Kafka broker" mq-groups
}

@test "what closes at once, or says nothing: 75, one line" {
	answers 'b""'
	bad 75 "$MQ_BROKERS: closed the connection at once (no Kafka broker, or one that wants TLS?)" \
		mq-topics
	answers None
	bad 75 "$MQ_BROKERS: no answer in time" mq-consume -m 0.5 -t t -e
}

@test "a name that is none, a port where nobody listens: 75, one line, soon, or after -m" {
	bad 75 'nosuch.invalid:9092: no such host' mq-groups -b nosuch.invalid
	bad 75 '127.0.0.1:1: connection refused' mq-consume -b 127.0.0.1:1 -t t
	bad 75 '127.0.0.1:1: connection refused' mq-topics -m 0.5 -b 127.0.0.1:1
}

@test "what is no address: 2, one line, and which option" {
	bad 2 "-b: '127.0.0.1:99999' is no HOST[:PORT]" mq-topics -b 127.0.0.1:99999
	bad 2 "-b: 'host:' is no HOST[:PORT]" mq-groups -b a,host:
	bad 2 "-b: ':9092' is no HOST[:PORT]" mq-consume -b :9092 -t t
	bad 2 "-b: 'unix:' is no HOST[:PORT]" mq-produce -b unix: -t t
}

@test "an advertised address that cannot be reached is named, and where it comes from" {
	broker -X advertised.listeners=PLAINTEXT://127.0.0.1:1
	told="$MQ_BROKERS: connected, but broker 1 advertises 127.0.0.1:1, which refused (fix its advertised address)"
	bad 75 "$told" mq-produce -t t <<<x
	bad 75 "$told" mq-consume -t t -e
	bad 75 "$told" mq-topics create u
	bad 75 "$told" mq-groups
}

@test "a broker that goes and comes back: told once, and all goes on" {
	broker
	mq-topics create t
	mq-consume -t t >got 2>got.err &
	started+=("$!")
	mq-consume -t t -G g >shared 2>shared.err &
	started+=("$!")
	mkfifo in
	mq-produce -t t --ack-format '%o\n' in >acks 2>err &
	producer=$!
	started+=("$producer")
	exec 9>in
	seq 5 >&9
	soon has_lines 5 got
	soon has_lines 5 shared
	goes
	seq 6 9 >&9
	for told in err got.err shared.err; do
		soon grep -q 'connection refused; trying on' "$told"
	done
	broker
	exec 9>&-
	ended "$producer" 0
	soon has_lines 9 got
	soon has_lines 9 shared
	[ "$(count acks)" -eq 9 ]
	cmp got <(seq 9)
	cmp shared <(seq 9)
	for told in err got.err shared.err; do
		[ "$(cut -d' ' -f3- "$told")" = $'connection refused; trying on\nconnected again' ] ||
			{ cat "$told"; false; }
	done
}

@test "a broker that stays away for -m: 75, and why" {
	broker
	mq-topics create t
	mq-consume -m 1 -t t >got 2>got.err &
	consumer=$!
	started+=("$consumer")
	mkfifo in
	mq-produce -m 1 -t t in 2>err &
	producer=$!
	started+=("$producer")
	exec 9>in
	echo 1 >&9
	soon has_lines 1 got
	goes
	echo 2 >&9
	exec 9>&-
	ended "$producer" 75
	ended "$consumer" 75
	[[ $(tail -n 1 err) == 'mq-produce: t-0: no broker has taken it in time: '*'connection refused' ]]
	[[ $(tail -n 1 got.err) == 'mq-consume: tried for too long: '*'connection refused' ]]
}

@test "what a broker does by itself is refused once, not for each partition" {
	broker
	mq-topics create t --partitions 3
	bad 69 'a broker cleans by itself' mq-topics clean t
}

@test "a group that takes no such member says what to change" {
	broker
	mq-topics create t
	bad 69 'session.timeout.ms is not between' mq-consume -t t -e -G g -X session.timeout.ms=10
	mq-consume -t t -G g -X partition.assignment.strategy=range >got &
	started+=("$!")
	soon sh -c 'mq-groups describe g -J | grep -q "\"member\":\"mq"'
	bad 69 'partition.assignment.strategy' \
		mq-consume -t t -e -G g -X partition.assignment.strategy=roundrobin
}
