# runs: plain
# mq-produce: how often it syncs, as the kernel sees it.

setup() {
	# shellcheck source=t/lib/tools.bash
	. "$BATS_TEST_DIRNAME/lib/tools.bash"
	fresh_store
	mq-produce -t t <<<first
}

# syncs ARGUMENT...: fdatasync and fsync calls of a mq-produce into t.
syncs() {
	strace -f -o trace -e trace=fdatasync,fsync mq-produce -t t "$@" || return
	grep -cE '(fdatasync|fsync)\(' trace || :
}

@test "a writer of single lines does not cost a sync a line" {
	seq 20000 | sed -u 's/^/line /' | syncs >calls
	[ "$(mq-consume -e t | wc -l)" -eq 20001 ]
	echo "$(cat calls) syncs"
	[ "$(cat calls)" -ge 1 ]
	[ "$(cat calls)" -lt 2000 ]
}

@test "a file is synced at its end" {
	seq 20000 >in
	[ "$(syncs in)" -le 3 ]
}

@test "-a 1 and -a 0 do not sync" {
	seq 1000 >in
	[ "$(syncs -a 1 in)" -eq 0 ]
	[ "$(syncs -a 0 in)" -eq 0 ]
}
