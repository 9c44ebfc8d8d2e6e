# runs: brokers
# Completion in bash, zsh and fish: what Tab offers.

setup() {
	# shellcheck source=t/lib/tools.bash
	. "$BATS_TEST_DIRNAME/lib/tools.bash"
	fresh_store
	completions=$BATS_TEST_DIRNAME/../completions
	export TERM=dumb HOME=$PWD
}

# store_of_words: topics orders, orders-dead and users; groups nightly and night2.
store_of_words() {
	for topic in orders orders-dead users; do
		mq-produce -t "$topic" <<<x
	done
	mq-consume -G nightly -e orders >/dev/null
	mq-consume -G night2 -e orders >/dev/null
}

# in_bash WORD...: what bash offers for the last word, sorted.
in_bash() {
	bash --norc -c '
		. "$1"; shift
		COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
		compopt() { :; }
		_mq "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
		printf "%s\n" "${COMPREPLY[@]}"' bash "$completions/bash/mq" "$@" | sort -u | paste -sd' '
}

# in_fish LINE: what fish offers at the end of it.
in_fish() {
	fish --no-config -c "source $completions/fish/${1%% *}.fish; complete -C '$1'" |
		cut -f1 | sort | paste -sd' '
}

# in_zsh WORD...: what the function gives zsh to choose from, sorted. zsh itself
# then keeps what begins as the word does.
in_zsh() {
	zsh -f -c '
		compadd() {
			local -a offered
			while [[ $1 == -* ]]; do
				case $1 in
				-a) offered+=(${(P)2}); shift 2 ;;
				-d) shift 2 ;;
				*) shift ;;
				esac
			done
			print -rl -- $offered $@
		}
		_files() { print -r -- files $@ }
		complete() { local -a words=("$@"); local CURRENT=$#; eval "$body" }
		body=$(<'"$completions"'/zsh/_mq)
		complete "$@"' zsh "$@" | sort -u | paste -sd' '
}

@test "bash: options by their beginning, long and short" {
	[ "$(in_bash mq-produce --key)" = '--key --key-delimiter --key-optional' ]
	[[ " $(in_bash mq-consume -) " == *' --format '* ]]
	[ "$(in_bash mq-consume --ta)" = --tail ]
}

@test "bash: values of an option that has a fixed set" {
	[ "$(in_bash mq-consume --isolation read_c)" = read_committed ]
	[ "$(in_bash mq-produce --partitioner r)" = 'random rr' ]
	[ "$(in_bash mq-produce -a '')" = '0 1 all' ]
	[ "$(in_bash mq-consume --commit = '')" = 'after-write end never' ]
}

@test "bash: verbs" {
	[ "$(in_bash mq-topics d)" = 'delete describe du' ]
	[ "$(in_bash mq-groups l)" = 'lag list' ]
	[ "$(in_bash mq-index '')" = 'check lookup rebuild show' ]
}

# bats test_tags=store
@test "bash: topics and groups of the store, also of -d" {
	store_of_words
	[ "$(in_bash mq-consume -t ord)" = 'orders orders-dead' ]
	[ "$(in_bash mq-consume us)" = users ]
	[ "$(in_bash mq-produce -t '')" = '__consumer_offsets orders orders-dead users' ]
	[ "$(in_bash mq-consume -G ni)" = 'night2 nightly' ]
	[ "$(in_bash mq-topics delete or)" = 'orders orders-dead' ]
	mv store other
	unset MQ_DIR
	export XDG_DATA_HOME=$PWD/none
	[ "$(in_bash mq-consume -d other -t us)" = users ]
	[ -z "$(in_bash mq-consume -t us)" ]
}

# It has a broker of its own.
# bats test_tags=store
@test "topics and groups of brokers: -b, MQ_BROKERS, -F; dead ones offer none, soon" {
	unset MQ_DIR MQ_BROKERS
	cat >script <<-'EOF'
		for topic in orders users; do
			mq-produce -t "$topic" <<<x
		done
		mq-consume -G nightly -e users >got
		printf 'bootstrap.servers = %s\n' "$MQ_BROKERS" >conf
		echo "$MQ_BROKERS" >address
		exec sleep infinity
	EOF
	mqd -F none -q --run bash script 3>&- &
	mqd=$!
	soon test -s address
	brokers=$(cat address)
	# As bash splits the words.
	[ "$(in_bash mq-consume -b "${brokers%:*}" : "${brokers#*:}" -t us)" = users ]
	[ "$(in_bash mq-groups --brokers = "${brokers%:*}" : "${brokers#*:}" lag ni)" = nightly ]
	[ "$(in_bash mq-topics -F conf describe or)" = orders ]
	[ "$(MQ_BROKERS=$brokers in_bash mq-consume -G ni)" = nightly ]
	[ "$(in_fish "mq-consume -b $brokers -t us")" = users ]
	[ "$(in_fish "mq-consume -F conf -G ni")" = nightly ]
	[ "$(in_zsh mq-consume -b "$brokers" -F none -t us)" = '__consumer_offsets orders users' ]
	kill "$mqd"
	wait "$mqd" || :
	SECONDS=0
	[ -z "$(in_bash mq-consume -b "${brokers%:*}" : "${brokers#*:}" -t us)" ]
	[ -z "$(in_fish "mq-consume -b $brokers -t us")" ]
	[ -z "$(in_zsh mq-consume -b "$brokers" -t us)" ]
	[ "$SECONDS" -lt 15 ]
}

@test "bash: files and directories" {
	mkdir data
	touch data.txt
	[ "$(in_bash mq-produce -t t dat)" = 'data data.txt' ]
	[ "$(in_bash mq-produce -d dat)" = data ]
}

@test "bash: mq completes the names of tools, then as the tool does" {
	[[ " $(in_bash mq '') " == *' consume '*' help '*' produce '* ]]
	[ "$(in_bash mq help con)" = consume ]
	[ "$(in_bash mq con)" = consume ]
	store_of_words
	[ "$(in_bash mq consume -t us)" = users ]
	[ "$(in_bash mq topics des)" = describe ]
}

@test "bash: every tool is bound, and each file of the directory loads" {
	for file in "$completions"/bash/*; do
		bash --norc -c '. "$1"; complete -p "${1##*/}"' bash "$file" | grep -q -- '-F _mq'
	done
	[ "$(printf '%s\n' "$completions"/bash/* | wc -l)" -ge 8 ]
}

@test "fish: options, verbs, topics, groups" {
	store_of_words
	[[ " $(in_fish 'mq-produce --key') " == *' --key '*' --key-optional '* ]]
	[ "$(in_fish 'mq-consume -t ord')" = 'orders orders-dead' ]
	[ "$(in_fish 'mq-consume -G ni')" = 'night2 nightly' ]
	[ "$(in_fish 'mq-topics d')" = 'delete describe du' ]
	[[ " $(in_fish 'mq ') " == *' consume '* ]]
	[ "$(in_fish 'mq consume -t us')" = users ]
}

@test "zsh: options, verbs, topics, groups, files" {
	store_of_words
	[ "$(in_zsh mq-produce --key-o)" = --key-optional ]
	[[ " $(in_zsh mq-consume -t ord) " == *' orders orders-dead users '* ]]
	[ "$(in_zsh mq-consume -G '')" = 'night2 nightly' ]
	[ "$(in_zsh mq-topics d)" = 'delete describe du' ]
	[ "$(in_zsh mq-produce -d '')" = 'files -/' ]
	[[ " $(in_zsh mq '') " == *' consume '* ]]
	[[ " $(in_zsh mq consume -t us) " == *' users '* ]]
}

@test "zsh: compinit binds every tool" {
	zsh -f -c 'fpath=($1 $fpath); autoload -Uz compinit; compinit -u -d zdump
		for tool in mq mqd mq-{produce,consume,topics,groups,dump-log,index}; do
			[[ $_comps[$tool] == _mq ]] || exit 1
		done' zsh "$completions/zsh"
}
