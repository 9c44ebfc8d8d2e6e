# runs: brokers
# Real files through a topic: the same bytes come out as went in.

setup() {
	# shellcheck source=t/lib/tools.bash
	. "$BATS_TEST_DIRNAME/lib/tools.bash"
	fresh_store
}

# texts: text files of this machine, of many kinds and encodings; at most a few MB.
texts() {
	local file

	for file in /usr/share/common-licenses/* /usr/share/perl/*/unicore/*.txt \
		/usr/share/perl/*/unicore/Name.pl /usr/share/i18n/locales/{ja_JP,ru_RU,ar_*} \
		/usr/share/misc/* /usr/share/bash-completion/bash_completion /etc/services \
		/etc/mime.types /var/log/dpkg.log "$BATS_TEST_DIRNAME"/../lib/client/*.c \
		"$BATS_TEST_DIRNAME"/data/MakeStore.java /usr/lib/python3/dist-packages/*.py; do
		[ -f "$file" ] && [ -r "$file" ] && [ "$(stat -Lc %s "$file")" -lt 3000000 ] && echo "$file"
	done | head -n 60
}

# The same text in encodings that are not UTF-8, and what trips up line readers.
made_texts() {
	local text='Größe, naïve, Ωμέγα, привет, 日本語'

	iconv -f UTF-8 -t ISO-8859-1//TRANSLIT <<<"$text" >latin1
	iconv -f UTF-8 -t UTF-16 <<<"$text" >utf16
	iconv -f UTF-8 -t EUC-JP//TRANSLIT <<<"$text" >eucjp
	iconv -f UTF-8 -t KOI8-R//TRANSLIT <<<"$text" >koi8
	printf '\xef\xbb\xbfwith a mark\r\nand CRLF\r\n' >dos
	printf 'a\x1b[31mcolour\x1b[m\x07\x08\n\x00\x01\xff\xfe\n' >control
	printf '\n\n\n' >empty-lines
	zcat /usr/share/doc/*/changelog.Debian.gz 2>/dev/null | head -c 2000000 >changelog || :
	seq -f '2024-01-15T10:00:00Z GET /path/%.0f?q=x HTTP/1.1 200' 1000000 1020000 >log
	printf '%s\n' latin1 utf16 eucjp koi8 dos control empty-lines changelog log
}

# with_end FILE: it with a newline at its end, as records have one.
with_end() {
	cat "$1"
	[ ! -s "$1" ] || [ -z "$(tail -c 1 "$1" | tr -d '\n' | od -An -tx1)" ] || echo
}

@test "text files of every kind, through every codec, line by line" {
	files=$(texts; made_texts)
	[ "$(wc -l <<<"$files")" -ge 15 ]
	for file in $files; do
		with_end "$file"
	done >wanted
	[ "$(wc -c <wanted)" -gt 1000000 ]
	for codec in none gzip snappy lz4 zstd; do
		# shellcheck disable=SC2086 # names
		mq-produce -t "$codec" -z "$codec" $files
		mq-consume -e "$codec" | cmp wanted -
	done
}

@test "text in UTF-16 and the like, cut at other bytes" {
	made_texts >/dev/null
	mq-produce -t t -D '\n\0' utf16
	mq-consume -e t -D '\n\0' >got
	cmp -n "$(stat -c %s utf16)" utf16 got
	mq-produce -t u -D ' ' log
	mq-consume -e u -D ' ' | head -c "$(stat -c %s log)" | cmp log -
}

@test "binary files, each one record, through every codec" {
	mkdir files
	cp "$(command -v mq-dump-log)" files/program
	head -c 1000000 files/program >files/part
	rm files/program
	head -c 300000 /dev/urandom >files/random
	head -c 1000000 /dev/zero >files/zeros
	gzip -c /usr/share/common-licenses/GPL-3 >files/archive.gz 2>/dev/null || gzip -c /etc/services >files/archive.gz
	: >files/nothing
	printf '\n' >files/newline
	for codec in none gzip snappy lz4 zstd; do
		mq-produce -t "$codec" -z "$codec" -w files/*
		mq-consume -e "$codec" -D '' | cmp <(cat files/*) -
		offset=0
		for file in files/*; do
			mq-consume -e "$codec" -o "$offset..$((offset + 1))" -D '' | cmp "$file" -
			offset=$((offset + 1))
		done
	done
}

# records TOPIC: what identifies records: all but where they lie.
records() {
	mq-consume -eJ "$1" | jq -c 'del(.topic, .partition, .offset)'
}

# varied: objects with every kind of key, value and header, one a line.
varied() {
	local n=0 record

	while read -r record; do
		n=$((n + 1))
		printf '{"ts":%d,%s}\n' $((1700000000000 + n)) "$record"
	done <<'EOF'
"key":"k","payload":"v"
"key":null,"payload":null
"key":"","payload":""
"key":"null","payload":"NULL"
"key_b64":"AP/+","payload_b64":"gIGC"
"headers":["a","b"],"key":null,"payload":"one header"
"headers":["a","1","a","2","",null,"b",""],"key":null,"payload":"many"
"headers_b64":["YQ==","/w=="],"key":"k","payload":"a header that is no text"
"key":"q\"uo\\te","payload":"tab\t newline\n return\r nul\u0000 del\u007f escape\u001b"
"key":"é","payload":"Ω 日本 😀 \u00e9 \ud83d\ude00 \u2028"
"key":"slash\/","payload":"a\/b\b\f"
"key":"k","payload":"{\"json\":[1,2,{\"x\":null}]}"
EOF
}

@test "mq-consume -J | mq-produce -J is the identity on records" {
	varied | mq-produce -J -t a
	{ texts; made_texts; } | head -n 5 | while read -r file; do
		mq-produce -t a -k "$(basename "$file")" -H "file=$file" "$file"
	done
	made_texts | grep -v log | xargs mq-produce -t a -w
	mq-consume -eJ a | mq-produce -J -t b
	mq-consume -eJ b | mq-produce -J -t c -z zstd
	records a >wanted
	[ "$(wc -l <wanted)" -gt 100 ]
	records b | cmp wanted -
	records c | cmp wanted -
}

@test "mq-consume -J | mq-produce -J keeps topic and partition" {
	mq-topics create a b --partitions 3
	varied | mq-produce -J -t a --partitioner random
	varied | mq-produce -J -t b --partitioner rr
	mq-topics -d copy create a b --partitions 3
	mq-consume -eJ a b >all
	mq-produce -d copy -J all
	mq-consume -d copy -eJ a b | sort | cmp <(sort all) -
}

@test "mq-produce -J | mq-consume -J is the identity on objects in its own form" {
	varied | mq-produce -J -t a
	records a >first
	mq-produce -J -t b first
	records b | cmp first -
	# By meaning it is what was written down, too.
	norm='[.ts, (.key // .key_b64), (.payload // .payload_b64), (.headers // .headers_b64)]'
	varied | jq -c "$norm" | cmp <(jq -c "$norm" first) -
}

@test "a real Kafka's records survive the way through mq, both ways" {
	MQ_DIR=$BATS_TEST_DIRNAME/data/kafka-store mq-consume -eJ headers nulls codec-zstd compact txn |
		jq -c 'del(.partition)' >in
	mq-produce -J -t all in
	records all >got
	jq -c 'del(.topic, .offset)' in | cmp - got
}
