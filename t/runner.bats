# What the runner makes of suites that fail, skip, die, hang or fall silent.

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	root=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
}

# make_suite NAME <SCRIPT: a suite of that name, for t/run to run by its path.
make_suite() {
	{ echo '#!/bin/bash'; cat; } >"$1"
	chmod +x "$1"
}

# run_suites [OPTION...] NAME...: runs suites made here; the closing line is $closing.
run_suites() {
	run "$root/t/run" "${@/#\.\//$PWD/}"
	closing=${lines[-1]}
}

# gone PID: it ends. Dead but not yet reaped by whoever inherited it is gone, too.
gone() {
	local tries=0

	while grep -qs '^State:[[:space:]]*[^ZX[:space:]]' "/proc/$1/status"; do
		[ "$((tries += 1))" -lt 500 ] || return 1
		sleep 0.01
	done
}

@test "a suite that passes is one line with its time, and 0" {
	make_suite good <<<'echo "ok 1 - fine"; echo noise >&2; echo "1..1"'
	run_suites ./good
	[ "$status" -eq 0 ]
	[ ${#lines[@]} -eq 2 ]
	[[ ${lines[0]} =~ ^"ok   ".*/good:\ 1\ tests,\ [0-9]+\.[0-9]{3}\ s$ ]]
	[ "$closing" = "1 passed, 0 failed, 0 skipped" ]
}

@test "a failed test is shown with its comments and stderr, the passed ones are not" {
	make_suite bad <<<'printf "1..3\nok 1 - a\nnot ok 2 - b\n# got 1\nok 3 - c\n"; echo reason >&2; exit 1'
	run_suites ./bad
	[ "$status" -eq 1 ]
	[[ $output == *"not ok 2 - b"*"# got 1"*"stderr: reason"* ]]
	[[ $output != *"ok 1 - a"* ]]
	[[ $output != *"ok 3 - c"* ]]
	[ "$closing" = "2 passed, 1 failed, 0 skipped" ]
}

@test "a skipped test is counted and named" {
	make_suite skips <<<'printf "ok 1 - a # SKIP no tool\nok 2 - b # skip\nok 3 - c\n1..3\n"'
	make_suite skips_all <<<'echo "1..0 # SKIP nothing to do here"'
	run_suites ./skips ./skips_all
	[ "$status" -eq 0 ]
	[[ $output == *"a # SKIP no tool"* ]]
	[[ $output == *"nothing to do here"* ]]
	[ "$closing" = "1 passed, 0 failed, 3 skipped" ]
}

@test "a suite that a signal ends has failed, also after its plan" {
	make_suite dies <<<'printf "1..1\nok 1 - a\n"; kill -SEGV $$'
	run_suites ./dies
	[ "$status" -eq 1 ]
	[[ $output == *"died of signal 11"* ]]
	[ "$closing" = "1 passed, 1 failed, 0 skipped" ]
}

@test "a suite that ends nonzero with every test passed has failed" {
	make_suite leaks <<<'printf "1..1\nok 1 - a\n"; exit 23'
	run_suites ./leaks
	[ "$status" -eq 1 ]
	[[ $output == *"ended with status 23"* ]]
	[ "$closing" = "1 passed, 1 failed, 0 skipped" ]
}

@test "a suite with no plan, an empty plan, or fewer or more results than planned has failed" {
	make_suite silent <<<':'
	make_suite planless <<<'echo "ok 1 - a"'
	make_suite empty <<<'echo 1..0'
	make_suite short <<<'printf "1..3\nok 1 - a\n"'
	make_suite long <<<'printf "1..1\nok 1 - a\nok 2 - b\n"'
	run_suites ./silent ./planless ./empty ./short ./long
	[ "$status" -eq 1 ]
	[[ $output == *"printed no plan after 0 results"* ]]
	[[ $output == *"printed no plan after 1 results"* ]]
	[[ $output == *"has no tests"* ]]
	[[ $output == *"planned 3 tests, printed 1 results"* ]]
	[[ $output == *"planned 1 tests, printed 2 results"* ]]
	[ "$closing" = "4 passed, 5 failed, 0 skipped" ]
}

@test "a suite that hangs is ended at its time-out, with all that it started" {
	make_suite hangs <<<'echo "1..1"; echo "ok 1 - a"; sleep 1000 & echo $! >'"$PWD"'/child; wait'
	run_suites -t 1 ./hangs
	[ "$status" -eq 1 ]
	[[ $output == *"ran out of time"* ]]
	[ "$closing" = "1 passed, 1 failed, 0 skipped" ]
	gone "$(cat child)"
}

@test "what a suite leaves running is killed" {
	make_suite leaves <<<'sleep 1000 >/dev/null 2>&1 & echo $! >'"$PWD"'/child; printf "1..1\nok 1 - a\n"'
	run_suites ./leaves
	[ "$status" -eq 0 ]
	gone "$(cat child)"
}

@test "a suite has an empty TMPDIR, no stdin, default signals and no settings of the user" {
	make_suite world <<-'END'
		echo 1..5
		[ -z "$(ls -A "$TMPDIR")" ] && echo "ok 1 - empty TMPDIR"
		[ -z "$(cat)" ] && echo "ok 2 - no stdin"
		grep -q 'SigIgn:.*[02468ace].$' /proc/self/status && bash -c 'kill -INT $$' || echo "ok 3 - INT kills"
		[ -z "${MQ_DIR+x}${MQ_BROKERS+x}${MQ_CONFIG+x}" ] && echo "ok 4 - no MQ_DIR"
		[ "$(command -v mq-none || command -v bash)" ] && [[ $PATH == "$MQ_BIN:"* ]] && echo "ok 5 - MQ_BIN first"
	END
	MQ_DIR=/nowhere MQ_BROKERS=x MQ_CONFIG=y run_suites ./world
	[ "$status" -eq 0 ]
	[ "$closing" = "5 passed, 0 failed, 0 skipped" ]
}

@test "no suite at all, and a layer that does not exist, are failures" {
	run_suites ./missing
	[ "$status" -eq 1 ]
	[ "$closing" = "0 passed, 1 failed, 0 skipped" ]
	run_suites soup
	[ "$status" -eq 1 ]
	run "$root/t/run"
	[ "$status" -eq 2 ]
	[[ $output == *"layers:"*"unit"* ]]
}

@test "suites run side by side, and each report stays in one piece" {
	for i in 1 2 3 4 5 6; do
		make_suite "s$i" <<<"echo 'not ok 1 - $i'; for l in {1..50}; do echo '# of $i'; done; echo 1..1"
	done
	run_suites -j 3 ./s1 ./s2 ./s3 ./s4 ./s5 ./s6
	[ "$closing" = "0 passed, 6 failed, 0 skipped" ]
	[ "$(grep '# of' <<<"$output" | uniq | wc -l)" -eq 6 ]
}

@test "INT stops the runner and its suites" {
	make_suite waits <<<'echo $$ >'"$PWD"'/pid; sleep 1000'
	env --default-signal "$root/t/run" "$PWD/waits" 3>&- &
	until [ -s pid ]; do
		[ "$((tries += 1))" -lt 500 ]
		sleep 0.02
	done
	kill -INT $!
	wait $! || status=$?
	[ "$status" -eq 130 ]
	gone "$(cat pid)"
}
