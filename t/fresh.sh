#!/bin/bash
# The README's two commands on a bare Debian 12: a minimal system with apt and a
# clone, entered with its own mounts and processes. Once as root; once as a user,
# who asks root for just the packages that the commands name. Prints TAP; what
# each command said is left in build/fresh. Needs root.
#
# The guest reaches packages as this machine does: apt's sources, proxies and
# keys, certificates, and the settings of other package tools are carried over.
# MQ_CACHE (~/.cache/mq) keeps the minimal system and the packages for a week.
set -u -o pipefail
cd "$(dirname "$0")/.." || exit 1
top=$PWD logs=$PWD/build/fresh cache=${MQ_CACHE:-$HOME/.cache/mq}
base=$cache/bookworm.tar
passed_on='^(([a-z]+|[A-Z]+)_(proxy|PROXY)|SSL_CERT_(FILE|DIR)|(CURL|REQUESTS)_CA_BUNDLE|PIP_[A-Z_]+|NODE_EXTRA_CA_CERTS|JAVA_TOOL_OPTIONS|MAVEN_[A-Z]+)='

# --- the guest --------------------------------------------------------------

# apt's sources of this machine, if it is the same Debian; else mmdebstrap's own.
sources() {
	local file

	grep -qs '^VERSION_CODENAME=bookworm' /etc/os-release || return
	for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources; do
		[ ! -f "$file" ] || echo "$file"
	done
}

make_base() {
	local acquire=$work/acquire files

	[ -z "$(find "$base" -mtime -7 2>/dev/null)" ] || return 0
	mapfile -t files < <(sources)
	apt-config dump | grep -E '^Acquire::(http|https|Check-[A-Za-z-]+|Retries|ForceIPv[46])\b' >"$acquire"
	mkdir -p "$cache"
	mmdebstrap --variant=minbase --format=tar --aptopt="$acquire" \
	    ${files:+$(! grep -qs https: "${files[@]}" || echo --include=ca-certificates)} \
	    bookworm "$base.new" "${files[@]}" >&2 && mv "$base.new" "$base"
}

# carry FILE...: copies files and trees of this machine to the same place in the guest.
carry() {
	local file

	for file in "$@"; do
		[ ! -e "$file" ] || tar -C / -chf - "${file#/}" 2>/dev/null | tar -C "$guest" -xf -
	done
}

make_guest() {
	guest=$work/$1 home=/home/somebody
	mkdir "$guest" && tar -C "$guest" -xf "$base" || return
	carry /etc/apt/auth.conf /etc/apt/auth.conf.d /etc/resolv.conf /etc/hosts \
	    /usr/local/share/ca-certificates /etc/pip.conf
	echo somebody:x:1000: >>"$guest/etc/group"
	echo somebody:x:1000:1000::$home:/bin/sh >>"$guest/etc/passwd"
	for place in root home/somebody; do
		mkdir -p "$guest/$place/.m2" "$guest/$place/.config/pip"
		cp "$HOME/.m2/settings.xml" "$guest/$place/.m2/" 2>/dev/null
		cp "$HOME/.config/pip/pip.conf" "$guest/$place/.config/pip/" 2>/dev/null
		git clone -q --no-hardlinks "$top" "$guest/$place/mq" || return
	done
	chown -R 1000:1000 "$guest$home"
}

# in_guest WHO LOG COMMAND: runs a command line of the README in the clone of
# root or somebody, with nothing on stdin; its output goes to LOG.
in_guest() {
	local id=0 home=/root vars

	[ "$1" = root ] || id=1000 home=/home/somebody
	mapfile -t vars < <(env | grep -E "$passed_on")
	unshare --mount --propagation private --pid --fork --kill-child \
	    "$top/t/fresh.sh" --enter "$guest" "$cache" \
	    setpriv --reuid "$id" --regid "$id" --clear-groups --inh-caps -all \
	    env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
	    HOME="$home" LANG=C.UTF-8 "${vars[@]}" \
	    sh -c "cd ~/mq && $3" </dev/null >"$logs/$2" 2>&1
}

# enter GUEST CACHE COMMAND...: in a mount namespace of its own, makes GUEST the
# root and runs the command there.
enter() {
	local guest=$1 cache=$2

	shift 2
	mount --bind "$guest" "$guest" && cd "$guest" || exit 1
	mkdir -p "$cache/archives" .old
	mount --bind "$cache/archives" var/cache/apt/archives
	mount --rbind /sys sys
	mount --rbind /dev dev
	mount -t tmpfs tmpfs tmp
	mount -t proc proc proc
	pivot_root . .old || exit 1
	exec chroot . sh -c 'umount -l /.old && rmdir /.old && exec "$@"' sh "$@"
}

# --- the tests --------------------------------------------------------------

count=0 failed=0

# result NAME STATUS LOG
result() {
	count=$((count + 1))
	if [ "$2" -eq 0 ]; then
		echo "ok $count - $1"
	else
		echo "not ok $count - $1"
		tail -n 60 "$logs/$3" | sed 's/^/# /'
		failed=1
	fi
}

all_passed() {
	tail -n 1 "$logs/$1" | grep -qE '^[1-9][0-9]* passed, 0 failed, 0 skipped$'
}

as_root() {
	make_guest as-root || { echo "Bail out! no guest"; exit 1; }
	in_guest root root-1.log "${commands[0]}"
	result "root: ${commands[0]}" $? root-1.log
	in_guest root root-2.log "${commands[1]}" && all_passed root-2.log
	result "root: ${commands[1]}" $? root-2.log
}

# A user is told in one line what root is to run; root runs that and no more.
as_user() {
	local i asked

	make_guest as-user || { echo "Bail out! no guest"; exit 1; }
	for i in 0 1; do
		in_guest somebody "user-$i-asks.log" "${commands[i]}"
		asked=$(sed -n 's/.*ask root to run: //p' "$logs/user-$i-asks.log")
		[ -n "$asked" ] && [ "$(wc -l <<<"$asked")" -eq 1 ]
		result "user: ${commands[i]}: says what to ask root for" $? "user-$i-asks.log"
		in_guest root "user-$i-root.log" "$asked"
		result "root runs it" $? "user-$i-root.log"
		in_guest somebody "user-$i.log" "${commands[i]}" && { [ "$i" = 0 ] || all_passed "user-$i.log"; }
		result "user: ${commands[i]}" $? "user-$i.log"
	done
}

if [ "${1-}" = --enter ]; then
	enter "${@:2}"
fi
[ "$(id -u)" = 0 ] || { echo "Bail out! fresh.sh enters another system, which needs root"; exit 1; }
sh share/deps/ensure fresh || { echo "Bail out! packages are missing"; exit 1; }
mapfile -t commands < <(awk '/^```/ { if (fences++) exit; next } fences' README.md)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
rm -rf "$logs"
mkdir -p "$logs"
make_base || { echo "Bail out! no minimal Debian"; exit 1; }
as_root
as_user
echo "1..$count"
exit "$failed"
