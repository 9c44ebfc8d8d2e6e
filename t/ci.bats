# .ci/run: the README's two commands, and when it is content with them.

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	mkdir .ci
	cp "$BATS_TEST_DIRNAME/../.ci/run" .ci/run
}

# readme FIRST SECOND: a README whose first code block has these two commands.
readme() {
	printf '# a thing\n\n```\n%s\n%s\n```\n\n```\nfalse\n```\n' "$1" "$2" >README.md
}

@test "both commands run, in order, and the closing line is the last" {
	readme 'echo one >>order' 'echo two >>order; echo "3 passed, 0 failed, 0 skipped"'
	run .ci/run
	[ "$status" -eq 0 ]
	[ "$(paste -sd ' ' order)" = "one two" ]
	[ "${lines[-1]}" = "3 passed, 0 failed, 0 skipped" ]
}

@test "a failed or skipped test fails it, and so does a run without tests" {
	for closing in '2 passed, 1 failed, 0 skipped' '2 passed, 0 failed, 1 skipped' \
	    '0 passed, 0 failed, 0 skipped' 'all is well'; do
		readme true "echo '$closing'"
		run .ci/run
		[ "$status" -ne 0 ]
		[ "${lines[-1]}" = "$closing" ]
	done
}

@test "a command that fails ends it, with the closing line last if there was one" {
	readme 'exit 3' 'echo "3 passed, 0 failed, 0 skipped"'
	run .ci/run
	[ "$status" -ne 0 ]
	[[ $output != *passed* ]]
	readme true 'echo "3 passed, 1 failed, 0 skipped"; echo "make: Error 1" >&2; exit 2'
	run .ci/run
	[ "$status" -ne 0 ]
	[ "${lines[-1]}" = "3 passed, 1 failed, 0 skipped" ]
}

@test "a README that does not start with two commands fails it" {
	printf 'nothing\n' >README.md
	run .ci/run
	[ "$status" -ne 0 ]
}

@test "the README of this tree starts with the first command and the test command" {
	run awk '/^```/ { if (fences++) exit; next } fences' "$BATS_TEST_DIRNAME/../README.md"
	[ "${lines[0]}" = "sh share/try.sh" ]
	[ "${lines[1]}" = "make check" ]
	[ ${#lines[@]} -eq 2 ]
}
