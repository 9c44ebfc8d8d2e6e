#!/usr/bin/env bats
# kafkajs, unmodified, against mqd: see clients/clients.bash.

bats_require_minimum_version 1.5.0

setup_file()
{
	words
	client_up kafkajs 'del(.h[] | select(.[1] == null))'
}

teardown_file()
{
	words
	broker_down "$BATS_FILE_TMPDIR/data"
}

setup()
{
	words
	test_up
}

teardown()
{
	test_down
}

words()
{
	# shellcheck source=t/interop/full/clients/clients.bash
	. "$BATS_TEST_DIRNAME/clients/clients.bash"
}

@test "records of every kind, not compressed" {
	codec none
}

@test "records of every kind, gzip" {
	codec gzip
}

@test "records of every kind, snappy" {
	codec snappy
}

@test "records of every kind, lz4" {
	codec lz4
}

@test "records of every kind, zstd" {
	codec zstd
}

@test "records of every kind and codec, written by another client" {
	written_by_others
}

@test "an idempotent producer: in order, nothing twice, nothing lost" {
	idempotent
}

@test "the log's own time" {
	log_append_time
}

@test "from an offset, from a time" {
	seek
}

@test "where partitions start and end, and delete records" {
	ends
}

@test "topics: create, list, grow, delete" {
	topics
}

@test "configs of a topic: describe, alter" {
	configs
}

@test "a group's offsets: commit, read; they outlive the broker" {
	offsets
}

@test "a group is deleted" {
	drop
}

@test "a group goes on where it was" {
	resume
}

@test "members come, go and are killed" {
	churn
}
