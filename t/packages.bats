# share/deps/ensure: what it asks, installs, and leaves behind. apt and dpkg are
# stand-ins; root is that of a user namespace with a /usr/sbin of its own.

bats_require_minimum_version 1.5.0

setup() {
	ensure=$BATS_TEST_DIRNAME/../share/deps/ensure
	cd "$BATS_TEST_TMPDIR" || return
	mkdir bin sbin lists
	cp "$ensure" lists/ensure
	printf '# a list\nalpha # why\nbeta\n' >lists/one
	printf 'beta\ngamma\n' >lists/two
	policy=sbin/policy-rc.d

	# Installed is what the file "installed" names.
	fake dpkg-query <<<'for p; do :; done; grep -qx "$p" installed && printf installed'
	fake apt-get <<<'{ echo "$* frontend=$DEBIAN_FRONTEND"; cat sbin/policy-rc.d; cat; } >>apt.log 2>&1; [ ! -e broken ] || [ "$1" != install ]'
	touch installed apt.log
}

fake() {
	{ echo '#!/bin/sh'; cat; } >"bin/$1"
	chmod +x "bin/$1"
}

as_root() {
	run --separate-stderr env PATH="$PWD/bin:$PATH" unshare -Urm sh -c 'mount --bind sbin /usr/sbin && sh lists/ensure "$@"' sh "$@"
}

as_user() {
	run --separate-stderr env PATH="$PWD/bin:$PATH" unshare -U sh lists/ensure "$@"
}

@test "a complete machine is left alone and needs no root" {
	printf 'alpha\nbeta\ngamma\n' >installed
	as_user one two
	[ "$status" -eq 0 ]
	[ -z "$output$stderr" ]
	[ ! -s apt.log ]
}

@test "a user is told in one line what to ask root for" {
	echo beta >installed
	as_user one two
	[ "$status" -eq 69 ]
	[ -z "$output" ]
	[ "$(wc -l <<<"$stderr")" -eq 1 ]
	[[ $stderr == *"ask root to run: apt-get update && apt-get install -y --no-install-recommends alpha gamma" ]]
	[ ! -s apt.log ]
}

@test "root installs what is missing and no more, with no question and no service started" {
	echo beta >installed
	as_root one two
	[ "$status" -eq 0 ]
	[ -z "$output" ]
	grep -qE '^update .*frontend=noninteractive$' apt.log
	grep -qE '^install .*--no-install-recommends .* alpha gamma frontend=noninteractive$' apt.log
	[ "$(grep -c '^exit 101$' apt.log)" -eq 2 ]
	[ ! -e "$policy" ]
}

@test "a failed installation is a failure, and cleans up as well" {
	touch broken
	as_root one
	[ "$status" -ne 0 ]
	[ ! -e "$policy" ]
}

@test "the machine's own policy-rc.d stays as it was" {
	echo 'exit 0' >"$policy"
	as_root one
	[ "$status" -eq 0 ]
	[ "$(cat "$policy")" = 'exit 0' ]
}

@test "our policy-rc.d, left by a run that was killed, goes" {
	fake apt-get <<<'[ "$1" = update ] || kill -KILL $PPID'
	as_root one
	[ "$status" -ne 0 ]
	[ -e "$policy" ]
	fake apt-get <<<':'
	as_root one
	[ "$status" -eq 0 ]
	[ ! -e "$policy" ]
}

@test "every package of the lists is one that Debian has" {
	command -v apt-cache >/dev/null
	cd "$BATS_TEST_DIRNAME/../share/deps" || return
	sed 's/#.*//' build check fresh | xargs -n 1 | while read -r package; do
		dpkg-query -W "$package" >/dev/null 2>&1 || apt-cache show "$package" >/dev/null
	done
}
