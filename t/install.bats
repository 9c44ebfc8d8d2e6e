# make install: what a package would hold, and nothing left after uninstall.
bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/.." || return
	dest=$BATS_TEST_TMPDIR/dest
	shopt -s nullglob
}

# The tools are built by now; with the build that `make check` has, nothing is made twice.
make_here() {
	make -s WERROR=1 DESTDIR="$dest" PREFIX=/usr "$@"
}

@test "every tool is installed with its manual page, and runs from there" {
	make_here install
	for source in src/mq-*.c; do
		tool=$(basename "$source" .c)
		[ -x "$dest/usr/bin/$tool" ]
		[ -f "$dest/usr/share/man/man1/$tool.1" ]
		"$dest/usr/bin/$tool" -V
	done
	[ "$(find "$dest/usr/bin" -name 'mq-*' -printf '%i\n' | sort -u | wc -l)" = 1 ] # one program
	[ ! -e bin/mq ] || [ -x "$dest/usr/bin/mq" ]
	[ -f "$dest/usr/share/doc/mq/README.md" ]
}

@test "what the installed documents link to is installed beside them" {
	make_here install
	doc=$dest/usr/share/doc/mq
	links=$(grep -ho '[]][(][^)#]*' "$doc"/*.md | cut -c 3- | grep -v '^https*:' | sort -u)
	[[ $links == *reliability.md* ]]
	for link in $links; do
		[ -f "$doc/$link" ] || { echo "no $link"; false; }
	done
}

@test "completions lie where their shells look for them" {
	make_here install
	for file in completions/bash/* completions/zsh/_* completions/fish/*.fish; do
		find "$dest/usr/share/bash-completion/completions" "$dest/usr/share/zsh/site-functions" \
		    "$dest/usr/share/fish/vendor_completions.d" -name "$(basename "$file")" | grep -q .
	done
}

@test "the daemon is installed with its page, its configuration and its unit" {
	make_here install
	"$dest/usr/bin/mqd" -V
	[ -f "$dest/usr/share/man/man8/mqd.8" ] && [ -f "$dest/usr/share/man/man5/mqd.conf.5" ]
	grep -q '^ExecStart=/usr/bin/mqd ' "$dest/usr/lib/systemd/system/mqd.service"
	grep -q ' /usr/share/mq/mqd.conf$' "$dest/usr/lib/tmpfiles.d/mq.conf"
	[ -f "$dest/usr/share/mq/mqd.conf" ] && [ -f "$dest/usr/lib/sysusers.d/mq.conf" ]
	run ! grep -rn '@[a-z]*dir@' "$dest"
}

@test "uninstall removes every file that install put there, and no other" {
	make_here install
	mkdir -p "$dest/usr/bin"
	echo other >"$dest/usr/bin/other"
	make_here uninstall
	run find "$dest" -type f
	[ "$output" = "$dest/usr/bin/other" ]
}

@test "what is installed is named by make, one path a line" {
	run make_here install
	[ "$status" -eq 0 ]
	while read -r path; do
		[ -f "$path" ]
	done <<<"$output"
}
