# bash completion for mq and its tools: source this file, or install it as
# mq, mq-produce, … in a directory that bash-completion looks into. The tools
# themselves say what could come next (--complete-words).

_mq_names() { # KIND DIR: topics or groups of the store that -d names
	"mq-${1}s" ${2:+-d "$2"} list 2>/dev/null
}

_mq() {
	local tool=$1 first=1 cur=$2 word rest
	local -a names

	COMPREPLY=()
	if [ "${tool##*/}" = mq ]; then
		if [ "$COMP_CWORD" -eq 1 ]; then
			mapfile -t COMPREPLY < <(compgen -W "help $(compgen -c mq- | sed 's/^mq-//')" -- "$cur")
			return
		fi
		[ "${COMP_WORDS[1]}" = help ] && return
		case $tool in
		*/*) tool=${tool%/*}/mq-${COMP_WORDS[1]} ;;
		*) tool=mq-${COMP_WORDS[1]} ;;
		esac
		first=2
	fi
	while IFS=$'\t' read -r word rest; do
		case $word in
		:file | :dir)
			compopt -o filenames
			mapfile -t names < <(compgen "$([ "$word" = :dir ] && echo -d || echo -f)" -- "$cur")
			;;
		:topic | :group)
			mapfile -t names < <(compgen -W "$(_mq_names "${word#:}" "$rest")" -- "$cur")
			;;
		*) names=("$word") ;;
		esac
		COMPREPLY+=("${names[@]}")
	done < <("$tool" --complete-words "${COMP_WORDS[@]:first:COMP_CWORD-first+1}" 2>/dev/null)
}

complete -F _mq mq mq-produce mq-consume mq-topics mq-groups mq-dump-log mq-index
