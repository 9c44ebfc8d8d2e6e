# mq: the tools by one name.

setup() {
	# shellcheck source=t/lib/tools.bash
	. "$BATS_TEST_DIRNAME/lib/tools.bash"
	fresh_store
	mq=$BATS_TEST_DIRNAME/../bin/mq
	export MANPAGER=cat PAGER=cat
}

# mq_bad TEXT ARGUMENT...: mq ends with 2 and one line that holds the text.
mq_bad() {
	bad 2 "$1" mq "${@:2}"
}

@test "mq TOOL is mq-TOOL, with its arguments, input, output and status" {
	echo 'two  words' | mq produce -t t
	[ "$(mq consume -e t -f '%s|%t')" = 'two  words|t' ]
	bad_status=0
	mq consume -e nosuch 2>err || bad_status=$?
	[ "$bad_status" -eq 66 ]
	grep -qx 'mq-consume: no topic nosuch' err
	[ "$(mq topics list)" = t ]
}

@test "mq alone, mq -h and mq help list every tool, with what it does" {
	try 0 mq
	listed=$output
	[ -z "$stderr" ]
	for tool in consume dump-log groups index produce topics; do
		[[ $listed == *"  $tool "*[a-z]* ]]
	done
	try 0 mq -h
	[ "$output" = "$listed" ]
	try 0 mq --help
	[ "$output" = "$listed" ]
	try 0 mq help
	[ "$output" = "$listed" ]
}

@test "an unknown tool is a usage error that names the nearest" {
	mq_bad "unknown tool 'prodcue' (did you mean produce?)" prodcue
	mq_bad "unknown tool 'topic' (did you mean topics?)" topic
	mq_bad "unknown tool 'zzzzzz' (mq lists them)" zzzzzz
	mq_bad "unknown tool '../consume'" ../consume
	mq_bad "unknown option --frob" --frob
}

@test "a stdout that takes nothing is told once, and is 74" {
	for arguments in '' -h help -V; do
		run bash -c "mq $arguments >/dev/full"
		[ "$status" -eq 74 ]
		[[ $output == "mq: stdout: "* ]]
		[ "$(wc -l <<<"$output")" -eq 1 ]
	done
}

@test "mq -V names the version of the tools" {
	try 0 mq -V
	[ "$output" = "$(mq-produce -V | sed 's/^mq-produce/mq/')" ]
}

@test "a tool next to mq goes before one in PATH, wherever it is called from" {
	mkdir here other
	cp "$mq" here/
	printf '#!/bin/sh\necho here "$@"\n' >here/mq-consume
	printf '#!/bin/sh\necho other "$@"\n' >other/mq-consume
	printf '#!/bin/sh\necho mine "$@"\n' >other/mq-frob
	chmod +x here/* other/*
	[ "$(PATH=$PWD/other:$PATH here/mq consume 'a b')" = 'here a b' ]
	[ "$(cd / && PATH=$BATS_TEST_TMPDIR/other:$PATH "$BATS_TEST_TMPDIR/here/mq" consume x)" = 'here x' ]
	[ "$(PATH=$PWD/here:$PWD/other:$PATH mq consume x)" = 'here x' ]
	# What somebody else adds is a tool too, as with git.
	[ "$(PATH=$PWD/other:$PATH here/mq frob x)" = 'mine x' ]
}

@test "mq works from a directory whose name has a blank" {
	mkdir 'two words'
	cp "$mq" 'two words/'
	printf '#!/bin/sh\necho here "$@"\n' >'two words/mq-consume'
	chmod +x 'two words'/*
	[ "$('two words/mq' consume x)" = 'here x' ]
	[[ $('two words/mq') == *consume* ]] || { 'two words/mq'; false; }
}

@test "mq help TOOL shows its manual; one that is not there is 66" {
	try 0 mq help produce
	[[ $output == *mq-produce*-t* ]]
	run mq help nosuch
	[ "$status" -eq 66 ]
	[ "$output" = "mq: no manual page for 'nosuch' (mq lists the tools)" ]
}

@test "the tools are one program; by a name that is no tool's it says so" {
	cp "$MQ_BIN/mq-produce" "$BATS_TEST_TMPDIR/mq-nosuch"
	bad 2 "no tool's name" "$BATS_TEST_TMPDIR/mq-nosuch"
	cp "$MQ_BIN/mq-produce" "$BATS_TEST_TMPDIR/mq-topics"
	"$BATS_TEST_TMPDIR/mq-topics" -V | grep -q '^mq-topics '
}
