# A daemon comes to a store and goes again below tools that run: nobody notices.

setup() {
	# shellcheck source=t/lib/tools.bash
	. "$BATS_TEST_DIRNAME/lib/tools.bash"
	unset MQ_TEST_BROKERS
	fresh_store
	mq-topics create t --partitions "${partitions:-1}"
	mkfifo in
}

teardown() {
	[ -z "${daemon:-}" ] || running+=("$daemon")
	kill -9 "${running[@]}" 2>/dev/null || :
}

running=()

# serve: a daemon on the store.
serve() {
	: >log
	mqd -d store --listen 127.0.0.1:0 -X group.initial.rebalance.delay.ms=0 2>>log 3>&- 9>&- &
	daemon=$!
	soon grep -q '[ >]ready$' log
}

# leave SIGNAL: the daemon ends.
leave() {
	kill "-$1" "$daemon"
	wait "$daemon" || :
	daemon=
}

# begin NAME COMMAND...: it runs, with its output in NAME.out and NAME.err.
begin() {
	"${@:2}" >"$1.out" 2>"$1.err" 3>&- 9>&- &
	running+=($!)
}

# feed COMMAND...: a producer of what is written to descriptor 9.
feed() {
	"$@" <in >feed.out 2>feed.err 3>&- &
	feeder=$!
	running+=("$feeder")
	exec 9>in
}

said=0

# say N: the next N lines.
say() {
	seq $((said + 1)) $((said + $1)) >&9
	said=$((said + $1))
}

@test "a producer goes on when a daemon comes, and when it goes; -v says so" {
	feed mq-produce -v -t t --ack-format '%i\n'
	say 3
	soon has_lines 3 feed.out
	serve
	say 3
	soon has_lines 6 feed.out
	leave TERM
	say 3
	soon has_lines 9 feed.out
	serve
	say 3
	soon has_lines 12 feed.out
	leave KILL
	say 3
	soon has_lines 15 feed.out
	exec 9>&-
	ended "$feeder" 0
	mq-consume -t t -e | cmp - <(seq 15)
	[ "$(grep -c 'is now served: through its mqd.sock$' feed.err)" -eq 2 ]
	[ "$(grep -c 'is served no more$' feed.err)" -eq 2 ]
	[ "$(count feed.err)" -eq 6 ] # with the first line, and the last
}

# steadily N: lines, N at a time, until it is enough.
steadily() {
	local n=0

	while [ ! -e enough ]; do
		seq $((n + 1)) $((n += $1))
		read -rt 0.005 <> <(:) || :
	done >&9 &
	running+=($!)
}

# enough: the producer ends; $said is how many lines it was given.
enough() {
	touch enough
	wait "${running[-1]}"
	exec 9>&-
	ended "$feeder" 0
	said=$(count feed.out)
}

# come_and_go SIGNAL...: a daemon that comes, and goes by each of them.
come_and_go() {
	local before

	for signal; do
		before=$(count feed.out)
		serve
		soon has_lines "$((before + 50))" feed.out
		leave "$signal"
		before=$(count feed.out)
		soon has_lines "$((before + 50))" feed.out
	done
}

@test "each line once and in order, whatever comes and goes; a follower sees them so too" {
	begin follow mq-consume -t t
	feed mq-produce -t t --ack-format '%i\n'
	steadily 1
	come_and_go TERM KILL KILL TERM KILL
	enough
	mq-consume -t t -e | cmp - <(seq "$said")
	cmp feed.out <(seq "$said")
	soon has_lines "$said" follow.out
	cmp follow.out <(seq "$said")
	cat feed.err follow.err
	[ ! -s feed.err ] && [ ! -s follow.err ]
	mq-dump-log --verify store/t-0
}

@test "what a killed daemon had written, and not answered for, is not written again" {
	feed mq-produce -t t -B 20 --ack-format '%i\n'
	steadily 1000
	come_and_go KILL KILL KILL KILL
	enough
	cmp feed.out <(seq "$said")
	mq-consume -t t -e | cmp - feed.out
}

# together N: what the group's members have seen holds N lines.
together() {
	[ "$(sort -u one.out two.out | wc -l)" -ge "$1" ]
}

@test "a group of two skips nothing" {
	mq-topics create parts --partitions 4
	begin one mq-consume -t parts -G g
	begin two mq-consume -t parts -G g
	feed mq-produce -t parts --partitioner rr --ack-format '%i\n'
	steadily 1
	come_and_go TERM KILL TERM KILL
	enough
	soon together "$said"
	sort -un one.out two.out | cmp - <(seq "$said")
	cat one.err two.err
	[ ! -s one.err ] && [ ! -s two.err ]
}
