# runs: brokers
# mq-groups: who reads what, how far behind; offsets set and deleted.
bats_require_minimum_version 1.5.0

setup() {
	# shellcheck source=t/lib/tools.bash
	. "$BATS_TEST_DIRNAME/lib/tools.bash"
	fresh_store
}

teardown() {
	[ -z "${member-}" ] || kill "$member" 2>/dev/null || :
}

# table LINE...: what was printed is these rows; spaces stand for tabs.
table() {
	printf '%s\n' "$@" | tr ' ' '\t' | diff - <(printf '%s\n' "$output")
}

# says STATUS TEXT: the command ended like this, and said so.
says() {
	[ "$status" -ne "$1" ] || [ "$output" != "$2" ] || return 0
	echo "# $status: $output"
	return 1
}

# a_group NAME N: a topic t of two partitions, five records in the first of them,
# of which the group has read N.
a_group() {
	mq-topics create t --partitions 2 --if-not-exists -X retention.ms=-1
	seq 5 | mq-produce -t t -p 0
	mq-consume -t t -G "$1" -c "$2" >/dev/null
}

# a_member GROUP TOPIC: a live member, whose process is $member.
a_member() {
	mq-consume -t "$2" -G "$1" >taken 2>&1 &
	member=$!
	until mq-groups describe "$1" -J 2>/dev/null | grep -q '"member":"'; do
		kill -0 "$member" || return 1
	done
}

# --- list, describe ----------------------------------------------------------

@test "list prints bare names, sorted, and those that match" {
	a_group nightly 1
	a_group billing 1
	run mq-groups
	says 0 $'billing\nnightly'
	run mq-groups list 'b*' -J
	says 0 '{"group":"billing"}'
	run mq-groups -G '^n'
	says 0 nightly
}

# bats test_tags=store
@test "a store without groups has none, and that is fine; without a store it is 66" {
	run mq-groups
	[ "$status" -eq 66 ]
	[ ! -e store ]
	mq-topics create t
	run mq-groups
	says 0 ""
	run mq-topics
	says 0 t
}

@test "a missing group is 66, with the nearest name" {
	a_group billing 1
	run mq-groups describe biling
	says 66 "mq-groups: no group biling (did you mean billing?)"
	run mq-groups lag 'x*'
	says 66 "mq-groups: no group matches x*"
	run --separate-stderr mq-groups lag billing nothing
	[ "$status" -eq 3 ]
	# shellcheck disable=SC2154 # bats sets it
	[ "$stderr" = "mq-groups: no group nothing" ]
}

@test "describe shows committed offset, end and lag of every partition of a topic" {
	a_group g 3
	run bash -c "mq-groups describe g | cut -f 1-7,9-"
	table "g Empty t 0 3 5 2 - - -" "g Empty t 1 - 0 0 - - -"
	run mq-groups describe g -J
	[ "$(jq -c '[.committed, .lag]' <<<"$output")" = $'[3,2]\n[null,0]' ]
	# A broker does not say when.
	[[ -n ${MQ_BROKERS-} || $(jq -r 'select(.partition == 0).since' <<<"$output") == 20*T*Z ]]
}

@test "describe shows live members, and what they hold" {
	a_group g 3
	a_member g t
	run mq-groups describe g -J
	[ "$(jq -r '.state' <<<"$output" | sort -u)" = Stable ]
	[ -n "${MQ_BROKERS-}" ] || [ "$(jq '.pid' <<<"$output" | sort -u)" = "$member" ]
	[ "$(jq -r '.client' <<<"$output" | sort -u)" = mq ]
}

@test "-t and -p choose partitions; a topic or partition that is not there is 66" {
	a_group g 3
	run mq-groups lag g -p 1
	table "g t 1 - 0 0 0.000"
	run mq-groups lag g -t nothing
	says 66 "mq-groups: no topic nothing"
	run mq-groups lag g -p 7
	says 66 "mq-groups: topic t has no partition 7, only 0 to 1"
}

@test "offsets of a topic that is gone are still shown, without end and lag" {
	a_group g 3
	mq-topics delete -y t
	run bash -c "mq-groups lag g"
	[ "$status" -eq 0 ]
	[ -z "$output" ] || table "g t 0 3 - - -"
}

# --- lag ---------------------------------------------------------------------

@test "lag is in records, and in seconds since the next record was stamped" {
	mq-topics create t -X retention.ms=-1
	seq 3 | mq-produce -t t --ts -1h
	seq 2 | mq-produce -t t --ts -10m
	mq-consume -t t -G g -c 2 >/dev/null
	run mq-groups lag g -J
	[ "$(jq -c '[.committed, .end, .lag]' <<<"$output")" = '[2,5,3]' ]
	[ "$(jq '.seconds >= 3600 and .seconds < 3660' <<<"$output")" = true ]
	mq-consume -t t -G g -c 1 >/dev/null
	run mq-groups lag g -J
	[ "$(jq '.seconds >= 600 and .seconds < 660' <<<"$output")" = true ]
	mq-consume -t t -G g -e >/dev/null
	run mq-groups lag g
	table "g t 0 5 5 0 0.000"
}

@test "records that were never read are lag, also where nothing is committed" {
	a_group g 5
	seq 4 | mq-produce -t t -p 1
	run bash -c "mq-groups lag g | cut -f 1-6"
	table "g t 0 5 5 0" "g t 1 - 4 4"
}

@test "records that were trimmed away are no lag" {
	a_group g 1
	mq-topics trim t -o 4 -p 0
	run bash -c "mq-groups lag g -p 0 | cut -f 1-6"
	table "g t 0 1 5 1"
}

@test "lag --max ends with 1 above so many records or so much time, and says where" {
	mq-topics create t -X retention.ms=-1
	seq 5 | mq-produce -t t --ts -1h
	mq-consume -t t -G g -c 3 >/dev/null
	run --separate-stderr mq-groups lag g --max 1
	[ "$status" -eq 1 ]
	# shellcheck disable=SC2154 # bats sets it
	[ "$stderr" = "mq-groups: g: t-0: 2 records behind, over --max 1" ]
	run mq-groups lag g --max 2
	[ "$status" -eq 0 ]
	run mq-groups lag g --max 2 --max 30m -q
	[ "$status" -eq 1 ]
	run mq-groups lag g --max 2h
	[ "$status" -eq 0 ]
	run mq-groups lag g --max x
	[ "$status" -eq 2 ]
}

# bats test_tags=store
@test "a committed offset beyond the log's end is told" {
	a_group g 5
	mq-groups seek g -p 0 -o end >/dev/null
	# As after a log was cut: an empty partition in the place of a full one.
	rm -r store/t-0
	run --separate-stderr mq-groups lag g -p 0
	[ "$status" -eq 0 ]
	table "g t 0 5 0 -5 0.000"
	# shellcheck disable=SC2154 # bats sets it
	[ "$stderr" = "mq-groups: g: t-0: committed offset 5 is beyond the log's end 0 (mq-groups seek sets it)" ]
	run --separate-stderr mq-groups describe g -p 0
	[[ $stderr == *"beyond the log's end"* ]]
}

# --- damage ------------------------------------------------------------------

# damage_commits GROUP: what the group has committed cannot be read; $damaged is the
# log that holds it.
damage_commits() {
	damaged=$(echo "store/__consumer_offsets-$(home "$1")"/*.log)
	printf 'xxxx' | dd of="$damaged" bs=1 seek=70 conv=notrunc 2>/dev/null
}

# neighbour GROUP: another whose commits lie in the same partition.
neighbour() {
	local n=0

	while [ "$(home "neighbour$n")" -ne "$(home "$1")" ]; do
		n=$((n + 1))
	done
	echo "neighbour$n"
}

# home GROUP: Java's hash of its name, by 50.
home() {
	local hash=0 i

	for ((i = 0; i < ${#1}; i++)); do
		hash=$(((hash * 31 + $(printf %d "'${1:i:1}")) & 0xffffffff))
	done
	echo "$(((hash & 0x7fffffff) % 50))"
}

# bats test_tags=store
@test "a group whose newest commit may be lost does not go back; seek sets it anew" {
	a_group g 2
	mq-consume -t t -G other -c 3 >/dev/null
	# A commit of another group behind the damage: bytes at the end of a log would be
	# taken for a commit that is being written.
	mq-groups seek "$(neighbour g)" -o 1 -t t -p 0 >/dev/null
	damage_commits g
	run --separate-stderr mq-consume -t t -G g -e
	[ "$status" -eq 74 ]
	[ -z "$output" ]
	# shellcheck disable=SC2154 # bats sets it
	[[ $stderr == *"group g "*"mq-groups seek"*"${damaged#store/}: byte 0: "* ]]
	run --separate-stderr mq-groups
	[ "$status" -eq 3 ]
	[[ $output == *other* && $stderr == *"${damaged#store/}: byte 0: "* ]]
	run --separate-stderr mq-groups lag other -p 0
	[ "$status" -eq 0 ]
	[[ $output == *$'\t3\t5\t2\t'* ]]
	run mq-consume -t t -G other -e
	says 0 $'4\n5'
	mq-groups seek g -t t -o 2 >taken 2>&1
	run mq-consume -t t -G g -e
	says 0 $'3\n4\n5'
	run mq-groups lag g -p 0
	[ "$status" -eq 0 ]
}

# --- seek --------------------------------------------------------------------

@test "seek sets the committed offsets, and prints old and new" {
	a_group g 3
	run mq-groups seek g -o beginning
	table "g t 0 3 0" "g t 1 - 0"
	run mq-consume -t t -G g -c 1
	says 0 1
	run mq-groups seek g -o -2 -p 0
	table "g t 0 1 3"
	run mq-groups seek g -o end -J
	[ "$(jq -c '[.partition, .old, .new]' <<<"$output")" = $'[0,3,5]\n[1,0,0]' ]
	run mq-consume -t t -G g -e
	says 0 ""
}

@test "seek goes to a time" {
	mq-topics create t -X retention.ms=-1
	seq 3 | mq-produce -t t --ts 2024-01-01
	seq 4 5 | mq-produce -t t --ts 2024-01-02
	mq-consume -t t -G g -e >/dev/null
	run mq-groups seek g -o @2024-01-01T12:00
	table "g t 0 5 3"
	run mq-consume -t t -G g -e
	says 0 $'4\n5'
}

@test "seek to an offset that is not there goes to the nearest, and warns" {
	a_group g 3
	run --separate-stderr mq-groups seek g -o 100 -p 0
	[ "$status" -eq 0 ]
	table "g t 0 3 5"
	# shellcheck disable=SC2154 # bats sets it
	[ "$stderr" = "mq-groups: t-0: there is no offset 100; set to 5" ]
}

@test "seek -t makes a group; without -t it must be there" {
	mq-topics create t
	seq 5 | mq-produce -t t
	run mq-groups seek new -o 2
	says 66 "mq-groups: no group new (-t TOPIC starts one)"
	run mq-groups seek new -o 2 -t t
	table "new t 0 - 2"
	run mq-groups seek newt -o 2
	says 66 "mq-groups: no group newt (did you mean new? -t TOPIC starts one)"
	run mq-consume -t t -G new -e
	says 0 $'3\n4\n5'
}

@test "seek -n sets nothing" {
	a_group g 3
	run mq-groups seek g -o beginning -p 0 -n
	table "g t 0 3 0"
	run bash -c "mq-groups lag g -p 0 | cut -f 4"
	says 0 3
}

@test "seek of a live group is refused; with --force a store does it" {
	a_group g 3
	a_member g t
	run mq-groups seek g -o beginning
	if [ -n "${MQ_BROKERS-}" ]; then
		says 75 "mq-groups: group g has 1 live member, such as mq of /127.0.0.1 (a broker lets nobody else set its offsets)"
		run mq-groups seek g -o beginning -p 1 --force
		[ "$status" -eq 75 ]
	else
		says 75 "mq-groups: group g has 1 live member, such as process $member (--force: set the offsets even so)"
		run mq-groups seek g -o beginning -p 1 --force
		table "g t 1 - 0"
	fi
}

@test "seek wants a group and a point" {
	run mq-groups seek -o end
	says 2 "mq-groups: no group; name one"
	run mq-groups seek g
	says 2 "mq-groups: seek to where? (-o)"
}

# --- delete ------------------------------------------------------------------

@test "delete wants -y without a terminal; a deleted group begins anew" {
	a_group g 3
	run mq-groups delete g
	says 2 "mq-groups: delete asks first, but there is no terminal (-y: do not ask)"
	run mq-groups delete g -n
	says 0 "would delete g"
	mq-groups delete g -y
	run mq-groups
	says 0 ""
	run mq-consume -t t -G g -c 1
	says 0 1
}

@test "a live group is not deleted" {
	a_group g 3
	a_member g t
	run mq-groups delete -y g
	says 75 "mq-groups: group g has live members"
	run mq-groups
	says 0 g
}

# --- a Kafka store -----------------------------------------------------------

# bats test_tags=store
@test "groups of a store that Apache Kafka wrote are there" {
	run mq-groups -d "$BATS_TEST_DIRNAME/data/kafka-store"
	[ "$status" -eq 0 ]
	[ -n "$output" ]
	run mq-groups -d "$BATS_TEST_DIRNAME/data/kafka-store" describe -J
	[ "$status" -eq 0 ]
	[ "$(jq -s 'map(select(.committed != null)) | length > 0' <<<"$output")" = true ]
}
