# A store that mqd serves: the tools go through its socket, and nobody sees a difference.

setup() {
	# shellcheck source=t/lib/tools.bash
	. "$BATS_TEST_DIRNAME/lib/tools.bash"
	unset MQ_TEST_BROKERS
	fresh_store
}

teardown() {
	[ -z "${daemon:-}" ] || kill -9 "$daemon" 2>/dev/null || :
}

# serve: a daemon on the store, with its log in the file log.
serve() {
	: >log
	mqd -d store --listen 127.0.0.1:0 2>>log 3>&- &
	daemon=$!
	soon grep -q '[ >]ready$' log
}

# stop: the daemon ends.
stop() {
	kill -TERM "$daemon"
	ended "$daemon" 0
	daemon=
}

@test "what is written without the daemon is read through it, and the other way" {
	seq 5 | mq-produce -t t
	serve
	run mq-consume -t t -e
	is '1\n2\n3\n4\n5'
	seq 6 10 | mq-produce -t t
	mq-consume -t t -G g -e >got
	cmp got <(seq 10)
	stop
	mq-consume -t t -e | cmp - <(seq 10)
	[ "$(mq-groups lag g | cut -f 6)" = 0 ]
}

@test "topics are made, changed and deleted through the daemon" {
	mq-topics create old
	serve
	mq-topics create new --partitions 3 -X retention.ms=1d
	mq-topics delete -y old
	[ "$(mq-topics list)" = new ]
	stop
	[ "$(mq-topics list)" = new ]
	mq-topics describe new | grep -q '^new	retention.ms	86400000	'
}

@test "-v tells of it; a socket that a killed daemon left behind is nobody" {
	serve
	try 0 mq-topics -v
	[[ $stderr == *' is served'* ]]
	kill -9 "$daemon"
	ended "$daemon" 137
	daemon=
	[ -S store/mqd.sock ]
	echo x | mq-produce -t t
	run mq-consume -t t -e
	is 'x'
}

@test "mq-dump-log and mq-index read a store that is served; what would write says who has it" {
	serve
	mq-topics create t --partitions 2
	seq 10 | mq-produce -t t -p 1
	run mq-dump-log t:1
	[[ $output == 'batch 0..9 n=10 '* ]]
	mq-dump-log --verify store
	mq-index check store
	bad 66 't:0: no file of it in ' mq-dump-log t:0
	bad 66 't:2: no such partition in ' mq-dump-log t:2
	bad 75 'an mqd has the store (stop it first; -m: wait for its end)' mq-index rebuild t
	bad 75 'locked by another process for 50 ms' mq-index rebuild -m 0.05 t
	stop
	mq-index rebuild t
}

@test "who may not use the socket reads the files, and waits in vain to write" {
	seq 3 | mq-produce -t t
	serve
	chmod -R a+rX store
	chmod a+w store/.lock store/t-0 store/t-0/mq.*
	try 0 as_user mq-consume -d store -t t -e
	is '1\n2\n3'
	bad 75 'locked by another process for 50 ms: a daemon has the store' \
	    as_user mq-produce -d store -t t -m 0.05 <<<x
}
