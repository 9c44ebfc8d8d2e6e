# shellcheck shell=bash
# fault.bash (loaded by t/fault/*.bats): faults on real processes, and what must
# hold afterwards.
#
#   fault_setup                 for setup(): a place of its own; $store, $faults, $nomem
#   faulty FAULT COMMAND...     runs it with MQ_FAULT=FAULT on $store (faults.c); in the
#                               background "exec COMMAND...", so that $! is its process
#   calls_of COMMAND...         $calls: how many calls it makes that count
#   until_power_fails SEED COMMAND...   it dies, or ends, and the machine with it: $store
#                               is then an image of what was durable, by SEED
#   sample LIMIT N...           all numbers 1..N in a soak, else about LIMIT of them
#   lines TAG N                 N records "TAG 1", "TAG 2", …
#   talk TAG N COMMAND...       a producer that gets the next line when the one before
#                               was acknowledged; acked/TAG; $talk_status, $talk_error
#   check_store TOPIC           everything that must hold of a store, at any time
#   settle TOPIC                a writer as below, if the power has failed
#   append_more TOPIC           a writer that knows nothing of what happened, to all
#                               partitions (of four or fewer)
#   keep_for_kafka NAME         a copy for Kafka's own DumpLogSegments, see kafka_accepts
#
# Records are lines "TAG NUMBER[ PADDING]"; an acknowledgement is "TOPIC PARTITION
# OFFSET NUMBER", in the file acked/TAG.
#
# All processes run with the faults' library, whose syncs do not reach the disk:
# what a kill leaves behind does not depend on it.
#
# In `make check` calls are sampled, one from each of LIMIT equal stretches, by a
# fixed seed (MQ_FAULT_SEED); MQ_SOAK=1 (`make soak`) takes every one.

# shellcheck disable=SC2034 # much of what is set here is for the suites

ACK_FORMAT='%t %p %o %i\n'
# No group, no key: printed as "TOPIC PARTITION OFFSET RECORD".
SEEN_FORMAT='%t %p %o %s\n'

# The library of that name, of the newest plain build.
shim()
{
	local newest

	newest=$(stat -c '%Y %n' "$MQ_TOP"/build/{check,out}/t/fault/shim/"$1.so" 2>/dev/null |
		sort -rn | sed -n '1s/^[0-9]* //p')
	[ -n "$newest" ] || { echo "$1.so is not built: make tests" >&2; return 1; }
	echo "$newest"
}

fault_setup()
{
	cd "$BATS_TEST_TMPDIR" || return
	store=$PWD/store
	faults=$(shim faults) && nomem=$(shim nomem) || return
	mkdir -p acked
	talks=0
	export LD_PRELOAD=$faults MQ_FAULT_SYNC=quick MQ_FAULT_DIR=$store
}

faulty()
{
	MQ_FAULT=$1 "${@:2}"
}

# count_in FILE: a count that a shim left.
count_in()
{
	od -An -td8 -N8 "$1" | tr -d ' '
}

calls_of()
{
	rm -f calls
	MQ_FAULT_COUNT=$PWD/calls faulty count "$@"
	calls=$(count_in calls)
}

until_power_fails()
{
	local seed=$1 status=0
	shift

	rm -rf before
	mkdir -p before
	[ ! -d "$store" ] || cp -r "$store/." before
	: >log
	MQ_FAULT_LOG=$PWD/log MQ_FAULT_DATA=1 "$@" || status=$?
	rm -rf "$store"
	"$(dirname "$faults")/../image/crash-image" before log "$seed" "$store" >pending || return
	# Whoever comes next sees another boot.
	cat /proc/sys/kernel/random/uuid >boot
	export MQ_FAULT_BOOT=$PWD/boot
	power=off gaps=1
	return "$status"
}

sample()
{
	local limit=$1 n=$2

	if [ -n "${MQ_SOAK-}" ] || [ "$n" -le "$limit" ]; then
		seq 1 "$n"
		return
	fi
	awk -v n="$n" -v limit="$limit" -v seed="${MQ_FAULT_SEED:-1}" 'BEGIN {
		srand(seed)
		for (i = 0; i < limit; i++)
			print int((i + rand()) * n / limit) + 1
	}'
}

# progress TEXT: a comment of the suite's.
progress()
{
	echo "# $*" >&3
}

lines()
{
	awk -v tag="$1" -v n="$2" 'BEGIN { for (i = 1; i <= n; i++) print tag, i }'
}

# --- talking to a producer ----------------------------------------------------

# The command must print ACK_FORMAT. It is given what MQ_FAULT* say, so that
# `MQ_FAULT=kill:3 talk …` is not needed: put `faulty kill:3` before the command.
talk()
{
	local tag=$1 n=$2 to from first i ack
	shift 2

	mkdir -p acked
	: >"acked/$tag"
	coproc TALK { exec 3>&-; "$@" 2>"talk.$tag.err"; }
	# The array goes when the process does; and it must see the end of its input.
	first=${TALK[1]}
	exec {to}>&"$first" {from}<&"${TALK[0]}" {first}>&-
	# shellcheck disable=SC2153 # coproc sets it
	talk_pid=$TALK_PID
	trap '' PIPE
	for ((i = 1; i <= n; i++)); do
		{ printf '%s %d%s\n' "$tag" "$i" "${talk_padding-}" >&"$to"; } 2>/dev/null || break
		read -r -t 10 -u "$from" ack || break
		echo "$ack" >>"acked/$tag"
	done
	trap - PIPE
	exec {to}>&-
	# The last ones, of a producer that ends without our having read them: they
	# are acknowledged as well.
	while read -r -t 10 -u "$from" ack; do
		echo "$ack" >>"acked/$tag"
	done
	exec {from}<&-
	talk_status=0
	wait "$talk_pid" 2>/dev/null || talk_status=$?
	talk_error=$(cat "talk.$tag.err")
}

# --- what must hold -----------------------------------------------------------

# check_history SEEN ACKED...: what was consumed (SEEN_FORMAT) against what was
# acknowledged: offsets without a gap (from wherever they begin), each producer's
# records in its order and none twice, nothing torn, nothing acknowledged missing.
# Says what is wrong, with status 1. A segment's name is durable before what was
# written in front of it, so a power cut may leave a gap.
check_history()
{
	awk -v gaps="${gaps-}" '
	function wrong(what) { if (bad++ < 10) print what }
	FILENAME == ARGV[1] {
		part = $1 "-" $2
		if (NF < 5 || $4 !~ /^[a-z]+[0-9]*$/ || $5 !~ /^[0-9]+$/) wrong("torn: " $0)
		if (part in next_offset && (gaps ? $3 < next_offset[part] : $3 != next_offset[part]))
			wrong(part ": offset " $3 ", expected " next_offset[part])
		next_offset[part] = $3 + 1
		if ($5 + 0 <= last[part, $4]) wrong(part ": " $4 " " $5 " after " last[part, $4])
		last[part, $4] = $5 + 0
		if (seen[$4, $5]++) wrong("twice: " $4 " " $5)
		at[part, $3] = $4 " " $5
		next
	}
	{
		tag = FILENAME; sub(/.*\//, "", tag)
		part = $1 "-" $2; want = tag " " $4
		if (NF != 4) wrong("acknowledgement: " $0)
		else if (!((part, $3) in at)) wrong("lost: " want ", acknowledged at " part " " $3)
		else if (at[part, $3] != want)
			wrong("at " part " " $3 ": " at[part, $3] ", acknowledged was " want)
	}
	END { exit bad > 0 }' "$@"
}

# must COMMAND...: a step of a check; what it said is shown when it fails.
must()
{
	local said status=0

	said=$("$@" 2>&1) || status=$?
	[ "$status" -eq 0 ] && return
	printf '%s: status %d\n%s\n' "$*" "$status" "$said"
	return 1
}

# Those that have come as far as to a file of a log.
partition_dirs()
{
	find "$store" -mindepth 2 -maxdepth 2 -name '*.log' ! -path '*-delete/*' -printf '%h\n' | sort -u
}

# All files stand up to a look at every byte.
check_files()
{
	local dirs

	mapfile -t dirs < <(partition_dirs)
	[ ${#dirs[@]} -eq 0 ] && return
	must mq-dump-log --verify "${dirs[@]}" && must mq-index check "${dirs[@]}"
}

# see TOPIC: what a reader gets, in ./seen. A topic that never came to be is empty.
see()
{
	local status=0

	mq-consume -d "$store" -t "$1" -e -f "$SEEN_FORMAT" >seen 2>see.err || status=$?
	[ "$status" -eq 0 ] && return
	if [ "$status" -eq 66 ] && [ ! -s seen ]; then
		return 0
	fi
	echo "mq-consume: status $status: $(cat see.err)"
	return 1
}

# Where the power failed, a writer must have been there before all is well.
settle()
{
	[ "${power-on}" = on ] || append_more "$1" || return
	power=on
}

check_store()
{
	settle "$1" && see "$1" && check_history seen acked/* && check_files
}

append_more()
{
	talks=$((talks + 1))
	lines "more$talks" 4 | mq-produce -d "$store" -t "$1" -B 1 --partitioner rr \
	    --ack-format "$ACK_FORMAT" >"acked/more$talks" 2>more.err ||
		{ echo "a fresh mq-produce: $(cat more.err)"; return 1; }
	[ "$(wc -l <"acked/more$talks")" -eq 4 ] || { echo "a fresh mq-produce: not all acknowledged"; return 1; }
}

# new_history: as if nothing had happened yet.
new_history()
{
	rm -rf "$store" acked
	mkdir acked
	talks=0 gaps=
	: >acked/none
}

# --- Apache Kafka -------------------------------------------------------------

keep_for_kafka()
{
	mkdir -p "$BATS_FILE_TMPDIR/kept"
	rm -rf "$BATS_FILE_TMPDIR/kept/$1"
	cp -r "$store" "$BATS_FILE_TMPDIR/kept/$1"
}

# Kafka's own reader of log files accepts all that were kept, in one JVM: it reads
# each log to its last byte (it stops where a batch is not valid), and finds no
# index entry that is not so.
kafka_accepts()
{
	local files f
	. "$MQ_TOP/t/interop/kafka.sh"

	mapfile -t files < <(find "$BATS_FILE_TMPDIR/kept" \( -name '*.log' -o -name '*.index' \
	    -o -name '*.timeindex' \) -size +0 | sort)
	[ ${#files[@]} -gt 0 ] || { echo "nothing was kept"; return 1; }
	for f in "${files[@]}"; do
		printf '%s\torg.apache.kafka.tools.DumpLogSegments\t--files\t%s\n' "$f.dump" "$f"
	done | kafka_batch >statuses || { cat statuses; return 1; }
	progress "${#files[@]} files, $(grep -ch 'baseOffset:' "${files[@]/%/.dump}" | awk '{ n += $1 } END { print n }') batches read"
	for f in "${files[@]}"; do
		! grep -HE 'isvalid: false|Mismatches|Found timestamp mismatch|out of order|Could not' "$f.dump" || return 1
		[[ $f != *.log ]] || kafka_read_all "$f" || return 1
	done
}

# The last batch that was printed ends where the file does.
kafka_read_all()
{
	local end

	end=$(awk '{ for (i = 1; i < NF; i++) { if ($i == "position:") p = $(i + 1); if ($i == "size:") s = $(i + 1) } }
		END { print p + s }' "$1.dump")
	[ "$end" -eq "$(stat -c %s "$1")" ] || { echo "$1: Kafka read $end bytes"; return 1; }
}
