# shellcheck shell=bash
# files: what the linters of this directory share. To be sourced.

cd "$(dirname "$0")/../.." || exit 1
export LC_ALL=C.UTF-8

# tracked PATTERN...: the files of the project; those of a tarball are all there are.
tracked() {
	git -c safe.directory='*' ls-files -co --exclude-standard -- "$@" 2>/dev/null ||
		find . -path ./build -prune -o -type f -print | sed 's|^\./||'
}

# scripts: shell scripts, known by their name or by their first line.
scripts() {
	tracked . | while read -r file; do
		case $file in
		*.sh | *.bash | *.bats | completions/bash/*) echo "$file" ;;
		*.[ch] | *.md | t/data/* | t/fuzz/*) ;;
		*) head -c 64 "$file" | head -n 1 | grep -aqE '^#!.*[/ ](ba)?sh( |$)' && echo "$file" ;;
		esac
	done
}

# result NAME STATUS [OUTPUT]: one line of TAP, and what the tool said if it failed.
result() {
	count=$((${count:-0} + 1))
	if [ "$2" -eq 0 ]; then
		echo "ok $count - $1"
	else
		echo "not ok $count - $1"
		[ -z "${3-}" ] || printf '%s\n' "$3" | sed 's/^/# /'
		failed=1
	fi
}

# check NAME COMMAND...: a result that is good if the command is, and shows its output.
check() {
	local output

	output=$("${@:2}" 2>&1)
	result "$1" $? "$output"
}

finish() {
	echo "1..${count:-0}"
	exit "${failed:-0}"
}

# compile_flags: with what the checked build compiles, less what only gcc knows.
compile_flags() {
	cut -d' ' -f2- build/check/flags | tr ' ' '\n' | grep -E '^-(D|I|std)'
	echo -It
	echo -It/unit
}
