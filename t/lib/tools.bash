# shellcheck shell=bash
# shellcheck disable=SC2154 # output, stderr, status: run sets them
# tools: words that the tests of the tools share. To be sourced by a bats file.

bats_require_minimum_version 1.5.0

# fresh_store: an empty store of this test, or, with MQ_TEST_BROKERS, brokers without
# topics and groups; and its directory to work in.
fresh_store() {
	cd "$BATS_TEST_TMPDIR" || return
	if [ -z "${MQ_TEST_BROKERS-}" ]; then
		export MQ_DIR=$BATS_TEST_TMPDIR/store
		return
	fi
	unset MQ_DIR
	export MQ_BROKERS=$MQ_TEST_BROKERS
	mq-topics list | xargs -r mq-topics delete -y
	soon no_groups
}

# no_groups: deletes all groups; one whose member has just died takes a while.
no_groups() {
	mq-groups list | xargs -r mq-groups delete -y 2>/dev/null || :
	[ -z "$(mq-groups list)" ]
}

# soon COMMAND...: waits until the command is true; fails after half a minute.
soon() {
	local end=$((SECONDS + 30))

	until "$@"; do
		[ "$SECONDS" -lt "$end" ] || { echo "waited in vain: $*" >&2; return 1; }
		read -rt 0.02 <> <(:) || :
	done
}

# try STATUS COMMAND...: runs it; stdout and stderr are in $output and $stderr.
# A failure that a person caused is told by one line that begins with the tool.
try() {
	local expected=$1

	shift
	run --separate-stderr -- "$@"
	if [ "$status" -ne "$expected" ]; then
		printf '%s: status %s, not %s\nstdout: %s\nstderr: %s\n' "$*" "$status" "$expected" \
		    "$output" "${stderr:-}"
		return 1
	fi
}

# bad STATUS TEXT COMMAND...: ends so, with one line on stderr that holds the text
# and nothing on stdout.
bad() {
	local status_wanted=$1 text=$2

	shift 2
	try "$status_wanted" "$@" || return
	if [ "${#stderr_lines[@]}" -ne 1 ] || [ -n "$output" ] ||
		[[ ${stderr_lines[0]} != mq*": "*"$text"* ]]; then
		printf '%s: wanted one line with "%s"\nstdout: %s\nstderr: %s\n' "$*" "$text" \
		    "$output" "$stderr"
		return 1
	fi
}

# same FILE COMMAND...: the command prints just what is in the file.
same() {
	"${@:2}" >"$BATS_TEST_TMPDIR/same.out" || return
	cmp "$1" "$BATS_TEST_TMPDIR/same.out"
}

# is TEXT: $output is that (printf's escapes are read).
is() {
	local wanted

	wanted=$(printf '%b' "$1")
	[ "$output" = "$wanted" ] || { printf 'got:    %s\nwanted: %s\n' "$output" "$wanted"; return 1; }
}

# count FILE: its lines.
count() {
	wc -l <"$1"
}

# has_lines N FILE: at least so many.
has_lines() {
	[ "$(wc -l <"$2")" -ge "$1" ]
}

# ended PID STATUS: a background process ends with it.
ended() {
	local got=0

	wait "$1" || got=$?
	[ "$got" -eq "$2" ] || { echo "process $1 ended with $got, not $2"; return 1; }
}

# as_user TOOL ARGUMENT...: runs a copy of the tool as somebody whom permissions bind,
# with no configuration. Name files by paths within the current directory.
as_user() {
	local tool=$1

	shift
	cp -f "$(command -v "$tool")" .
	chmod 755 . "$tool"
	if [ "$(id -u)" -eq 0 ]; then
		setpriv --reuid 65534 --regid 65534 --clear-groups -- "./$tool" -F none "$@"
	else
		"./$tool" -F none "$@"
	fi
}

# hold_lock FILE: as a daemon holds a store's, until `keeper` is killed.
hold_lock() {
	python3 - "$1" >held <<-'PYTHON' &
		import fcntl, struct, sys, time
		f = open(sys.argv[1], "r+b")
		fcntl.fcntl(f, 37, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0)) # F_OFD_SETLK
		print("held", flush=True)
		time.sleep(60)
	PYTHON
	# shellcheck disable=SC2034 # the caller's
	keeper=$!
	soon grep -q held held
}
