#!/bin/sh
# try.sh [FILE]: from a fresh clone on a bare Debian to a log file that is kept
# in a topic and read back. Installs what the build needs (or says what to ask
# root for), builds, and works in a temporary directory that it removes.
set -eu
[ $# -eq 0 ] || set -- "$(realpath "$1")"
cd "$(dirname "$0")/.."

# A real log of this machine; its last line must be whole to come back as it was.
choose_input() {
	for file in "$@"; do
		if [ -f "$file" ] && [ -r "$file" ] && [ -s "$file" ] && [ -z "$(tail -c 1 "$file")" ]; then
			echo "$file"
			return
		fi
	done
	echo "try.sh: no readable file that ends in a newline: $* (name one: sh share/try.sh FILE)" >&2
	return 66
}

# Shows a command line, then runs it.
show() {
	printf '$ %s\n' "$1"
	eval "$1"
}

sh share/deps/ensure build
echo "Building libmq and its tools ..."
make -s -j "$(nproc)"
[ $# -gt 0 ] || set -- /var/log/dpkg.log /var/log/apt/history.log /var/lib/dpkg/status /etc/services
input=$(choose_input "$@")
PATH=$PWD/bin:$PATH
bin=$PWD/bin

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 141' PIPE
cp "$input" "$dir/input"
cd "$dir"
count=$(wc -l <input)

echo
echo "1. $input, $count lines, goes into a topic: every line is a record."
show 'mq-produce -d store -t log input'
show 'ls store/log-0'

echo
echo "2. All of it comes back, byte for byte."
show 'mq-consume -d store -t log -e >output'
show 'cmp input output && echo the same'

echo
echo "3. A range, by offset: the first two records, then the last."
show "mq-consume -d store -t log -e -o 0..2 -f '%o %s\n'"
show "mq-consume -d store -t log -e -o -1 -f '%o %s\n'"

echo
echo "4. A range, by time: what came since a moment ago."
now=$(($(date +%s%3N) + 1))
while [ "$(date +%s%3N)" -lt "$now" ]; do :; done
show "echo 'a later line' | mq-produce -d store -t log"
show "mq-consume -d store -t log -e -o @$now"
[ "$(mq-consume -d store -t log -e -o "@$now")" = 'a later line' ]

cat <<END

Done: $count lines of $input went into a log in Kafka's format and came back
the same. That store was in a temporary directory and is gone; the tools are in
$bin. Next: the tour in README.md; 'make check' runs every test;
'make install' installs (PREFIX=/usr/local).
END
