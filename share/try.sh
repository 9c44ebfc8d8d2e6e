#!/bin/sh
# try.sh [FILE]: from a fresh clone on a bare Debian to a log file that is kept
# in a topic and read back. Installs what the build needs (or says what to ask
# root for), builds, and works in a temporary directory that it removes.
set -eu
cd "$(dirname "$0")/.."

# A real log of this machine; its last line must be whole to come back as it was.
choose_input() {
	for file in "$@" /var/log/dpkg.log /var/log/apt/history.log /var/log/alternatives.log \
	    /var/lib/dpkg/status /etc/services; do
		if [ -f "$file" ] && [ -r "$file" ] && [ -s "$file" ] && [ -z "$(tail -c 1 "$file")" ]; then
			echo "$file"
			return
		fi
	done
	echo "try.sh: found no readable log file; name one: sh share/try.sh FILE" >&2
	return 66
}

# Shows a command as one would type it, then runs it.
show() {
	echo "\$ $*"
	"$@"
}

sh share/deps/ensure build
echo "Building libmq and its tools ..."
make -s -j "$(nproc)"
PATH=$PWD/bin:$PATH

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
store=$dir/store
input=$(choose_input "$@")
cp "$input" "$dir/input"
count=$(wc -l <"$dir/input")

echo
echo "1. $input, $count lines, goes into the topic 'log': every line is one record."
show mq-produce -d "$store" -t log "$dir/input"

echo
echo "2. All of it comes back, byte for byte."
echo "\$ mq-consume -d $store -t log -e >$dir/output"
mq-consume -d "$store" -t log -e >"$dir/output"
show cmp "$dir/input" "$dir/output"

echo
echo "3. A range, by offset: the first two records, each with its offset."
show mq-consume -d "$store" -t log -o 0..2 -f '%o %s\n'
echo "... and the last one:"
show mq-consume -d "$store" -t log -o -1 -e -f '%o %s\n'

echo
echo "4. A range, by time: what was appended since a moment ago."
since=$(($(date +%s%3N) + 1))
while [ "$(date +%s%3N)" -lt "$since" ]; do :; done
echo "\$ echo 'a later line' | mq-produce -d $store -t log"
echo 'a later line' | mq-produce -d "$store" -t log
show mq-consume -d "$store" -t log -o "@$since" -e -f '%o %s\n'
[ "$(mq-consume -d "$store" -t log -o "@$since" -e)" = 'a later line' ]

cat <<END

Done: $count lines went into a Kafka log and came back the same; the log was in a
temporary directory and is gone. The tools are in $PWD/bin.
Next: README.md goes on with a tour; 'make check' runs every test (as root it
installs the packages it needs, else it says which); 'make install' installs.
END
