# Manual pages: every option is told, no other, and every example prints what it shows.
bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	pages=$MQ_TOP/share/man
}

# All tools, as the front end knows them.
tools() {
	for tool in "$MQ_BIN"/mq-* "$MQ_BIN"/mqd; do
		basename "$tool"
	done
}

# page TOOL: its page.
page() {
	echo "$pages/$1".[18]
}

# The options of a tool as its table has them: "-c, --count=n", sorted.
table_options() {
	"$1" --dump-options | awk -F '\t' '$1 == "option" {
		arg = tolower($4)
		if (arg == "-") arg = ""
		else if (arg ~ /^\[/) arg = "[=" substr(arg, 2)
		else arg = "=" arg
		print ($2 == "-" ? "" : "-" $2 ", ") "--" $3 arg
	}' | sort
}

# The same as a reader of the manual page sees them.
page_options() {
	mandoc -T ascii -O width=200 "$(page "$1")" | col -b |
		sed -nE 's/^     ((-., )?--[^ ].*)/\1/p' | sed 's/ | /|/g' | sort
}

# The commands: what is listed before the options.
page_commands() {
	sed '/^The options are/q' "$(page "$1")" | sed -nE 's/^\.It Cm ([a-z]+).*/\1/p'
}

@test "a page lists the options that its tool has, with the same arguments" {
	for tool in $(tools); do
		diff <(table_options "$tool") <(page_options "$tool") || { echo "# $tool"; return 1; }
	done
}

@test "a page names the commands that its tool has, in the same order" {
	for tool in $(tools); do
		diff <("$tool" --dump-options | awk -F '\t' '$1 == "verb" { print $2 }') \
		    <(page_commands "$tool") || { echo "# $tool"; return 1; }
	done
}

@test "a page's first line is the tool's own word for itself" {
	for tool in $(tools); do
		[ "$("$tool" --dump-options | sed -n "s/^tool\t$tool\t\([^\t]*\).*/\1/p")" = \
		    "$(sed -n 's/^\.Nd //p' "$(page "$tool")")" ] || { echo "# $tool"; return 1; }
	done
}

@test "the help names every option of the table" {
	for tool in $(tools); do
		"$tool" -h >help
		while IFS=$'\t' read -r _ short long _; do
			[ "$short" = - ] || grep -qE -- "^  -${short}[, ]" help
			[ "$long" = - ] || grep -qE -- "--$long\b" help
		done < <("$tool" --dump-options | grep '^option')
	done
}

@test "completion offers every option of the table, and no other" {
	for tool in $(tools); do
		for command in $("$tool" --dump-options | awk -F '\t' '$1 == "verb" { print $2 }') ''; do
			"$tool" --dump-options | awk -F '\t' -v verb="$command" '
				$1 == "verb" { verbs = 1 }
				$1 != "option" { next }
				verb == "" && !verbs || $6 == "-" || verb != "" && ("," $6 ",") ~ ("," verb ",") {
					if ($3 != "-") print "--" $3
				}' | sort >table
			[ -n "$command" ] || ! "$tool" --dump-options | grep -q '^verb' || continue
			# shellcheck disable=SC2086 # no word if there is no command
			"$tool" --complete-words $command -- | cut -f 1 | grep -- '^--.' | sed 's/=$//' | sort |
				diff table - || { echo "# $tool $command"; return 1; }
		done
	done
}

# page_columns PAGE: "COMMAND<TAB>COLUMN<TAB>COLUMN…" as its commands tell them.
page_columns() {
	awk '
		/^\.It Cm/ { command = $3 }
		/^Columns: / { text = $0; while (text !~ /\.$/) { getline; text = text " " $0 }
			sub(/^Columns: /, command ", ", text); sub(/\.$/, "", text); gsub(/, /, "\t", text); print text }
	' "$pages/$1.1"
}

@test "a page tells the columns of each table, in their order" {
	export MQ_DIR=$BATS_TEST_TMPDIR/store
	seq 3 | mq-produce -t t
	mq-consume -t t -G g -e >records
	for tool in mq-topics mq-groups; do
		[ "$(page_columns $tool | wc -l)" -ge 3 ]
		while IFS=$'\t' read -r command columns; do
			args=(--heading)
			[ "$command" != trim ] || args+=(-o end t)
			[ "$command" != seek ] || args+=(-o end g)
			[ "$("$tool" "$command" "${args[@]}" | head -n 1)" = "$columns" ] ||
				{ echo "# $tool $command: $columns"; return 1; }
		done < <(page_columns "$tool")
	done
}

@test "mq(1) names every tool and every page" {
	for page in "$pages"/mq-* "$pages"/mq.conf.5 "$pages"/mqd.8; do
		page=${page##*/}
		grep -qE "^\.(It )?Xr ${page%.*} ${page##*.}" "$pages/mq.1"
	done
}

@test "every page has its sections, and they are in order" {
	for page in "$pages"/*.[18]; do
		grep -xE '\.Sh (NAME|SYNOPSIS|DESCRIPTION|EXIT STATUS|EXAMPLES|SEE ALSO)' "$page" >sections
		printf '.Sh %s\n' NAME SYNOPSIS DESCRIPTION 'EXIT STATUS' EXAMPLES 'SEE ALSO' | diff - sections
	done
}

@test "the tour of README.md prints what it shows" {
	# A log with the first and the last lines that it shows, and as many between.
	grep -E '^[0-9-]{10} [0-9:]{8} ' "$MQ_TOP/README.md" >ends
	grep -oE '2025-06-24 14:36:25 .*' "$MQ_TOP/README.md" >log
	[ "$(wc -l <ends)" = 2 ] && [ "$(wc -l <log)" = 2 ]
	seq 5526 | sed 's/^/2026-01-01 00:00:00 status installed package/' >>log
	cat ends >>log
	sed "s,/var/log/dpkg.log,$PWD/log," "$MQ_TOP/README.md" >README.md
	mkdir tour && cd tour
	python3 "$MQ_TOP/t/examples.py" ../README.md
}

@test "the examples of mq(1) print what they show" {
	python3 "$MQ_TOP/t/examples.py" "$MQ_TOP/share/man/mq.1"
}

@test "the examples of mq-produce(1) print what they show" {
	python3 "$MQ_TOP/t/examples.py" "$MQ_TOP/share/man/mq-produce.1"
}

@test "the examples of mq-consume(1) print what they show" {
	python3 "$MQ_TOP/t/examples.py" "$MQ_TOP/share/man/mq-consume.1"
}

@test "the examples of mq-topics(1) print what they show" {
	python3 "$MQ_TOP/t/examples.py" "$MQ_TOP/share/man/mq-topics.1"
}

@test "the examples of mq-groups(1) print what they show" {
	python3 "$MQ_TOP/t/examples.py" "$MQ_TOP/share/man/mq-groups.1"
}

@test "the examples of mq-format(7) print what they show" {
	python3 "$MQ_TOP/t/examples.py" "$MQ_TOP/share/man/mq-format.7"
}

@test "the examples of mqd(8) print what they show" {
	python3 "$MQ_TOP/t/examples.py" "$MQ_TOP/share/man/mqd.8"
}

# page_keys PAGE: "KEY<TAB>DEFAULT" as its lists tell them, "-" for none.
page_keys() {
	sed -e ':a' -e '/\\$/{N;s/\\\n//;ba' -e '}' "$pages/$1" |
		sed -nE 's/^\.It Cm ([^ ]+)( , [^ ]+)*( No = (.*))?$/\1\t\4/p' | sed 's/\t$/\t-/'
}

@test "mqd.conf(5) tells every key and its default, and no other" {
	diff <(mqd -X list | cut -f 1,2) <(page_keys mqd.conf.5)
}

@test "mq.conf(5) tells every key and its default, and no other" {
	diff <(mq-topics -X list | cut -f 1,2) <(page_keys mq.conf.5)
}

@test "mqd.conf as it is shipped has every key and its default as a comment, and sets nothing" {
	diff <(mqd -X list | cut -f 1,2) \
	    <(sed -nE 's/^#([a-z0-9.]+)=(.*)/\1\t\2/p' "$MQ_TOP/share/mqd.conf" | sed 's/\t$/\t-/')
	run ! grep -qE '^[^#]' "$MQ_TOP/share/mqd.conf"
	sed -E 's/^#([a-z0-9.]+=.)/\1/' "$MQ_TOP/share/mqd.conf" >all.conf
	diff <(mqd -d d --check | cut -f 1-3) <(mqd -d d -F all.conf --check | cut -f 1-3)
}

@test "the examples of mq-kcat(7) print what they show" {
	python3 "$MQ_TOP/t/examples.py" "$MQ_TOP/share/man/mq-kcat.7"
}
