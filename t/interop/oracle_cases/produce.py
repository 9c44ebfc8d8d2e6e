"""Produce and InitProducerId: batches good and bad, sequences, idempotence."""
from oracle_words import (T, T0, ask, batch, by_topic, case, fetch, idem, joined, legacy, pid, produce,
                          put, record, silent)

ONE = {"t": 1}
WAIT = {"maxWaitMs": 9000, "minBytes": 1}


def refused(name, records, topics=None, **more):
    """One request, and what the log holds afterwards; where the answer does not wait
    until that can be read, the reader does."""
    read = WAIT if more.get("acks") == 1 else {}
    case(name, "Produce", ask("Produce", produce("$t", records, **more)), ask("Fetch", fetch("$t", **read), v=12),
         topics=topics or ONE)


# --- good ones
refused("one record", batch(1))
refused("several records", batch([{"key": b"k", "value": b"v", "headers": [(b"h", b"1"), (b"", None)]},
                                  {"key": None, "value": None, "ts_delta": 5}, {"key": b"", "value": b"", "ts_delta": -3}]))
for codec in ("gzip", "snappy", "lz4", "zstd"):
    refused(f"codec {codec}", batch(5, codec=codec))
    refused(f"codec {codec}, content that is none", batch(5, payload=b"no such thing", attributes={
        "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}[codec]))
    refused(f"codec {codec}, too few records inside", batch(3, codec=codec, count=4, last_delta=3))
    refused(f"codec {codec}, bytes after the last record", batch(3, codec=codec, extra=b"more"))
refused("codec 5, which there is not", batch(1, attributes=5))
refused("attribute bits that mean nothing", batch(1, attributes=0x7f80))
refused("attribute bit of a delete horizon", batch(1, attributes=0x40))
refused("acks 1", batch(1), acks=1)
refused("acks 2", batch(1), acks=2)
refused("acks -2", batch(1), acks=-2)
refused("timeout 0", batch(1), timeout=0)
refused("timeout -1", batch(1), timeout=-1)
case("acks 0", "Produce", silent("Produce", produce("$t", batch(1), acks=0)), ask("Fetch", fetch("$t", **WAIT), v=12), topics=ONE)
case("acks 0 to an unknown topic closes the connection", "Produce",
     silent("Produce", produce("$none", batch(1), acks=0)))
case("acks 0 with a bad crc closes the connection", "Produce",
     silent("Produce", produce("$t", batch(1, crc=1), acks=0)), topics=ONE)
case("acks 0 with wrong acks beside", "Produce", silent("Produce", {"acks": 0, "timeoutMs": 1, "topicData": []}))
case("no topics", "Produce", ask("Produce", {"acks": -1, "timeoutMs": 1000, "topicData": []}))
case("no partitions", "Produce", ask("Produce", produce("$t")), topics=ONE)
case("two batches one after the other, two partitions", "Produce",
     ask("Produce", produce("$t", batch(2), batch(3))), ask("Produce", produce("$t", batch(1), batch(1))),
     ask("Fetch", fetch("$t", 0), v=12), topics={"t": 2})
case("leader epoch that the producer filled in", "Produce", ask("Produce", produce("$t", batch(1, leader_epoch=9))),
     ask("Fetch", fetch("$t"), v=12), topics=ONE)

# --- addresses
case("unknown topic", "Produce", ask("Produce", produce("$none", batch(1))))
case("unknown partition", "Produce", ask("Produce", produce("$t", batch(1), partition=1)), topics=ONE)
case("partition -1", "Produce", ask("Produce", produce("$t", batch(1), partition=-1)), topics=ONE)
case("topic name that may not be", "Produce", ask("Produce", produce("a bad/name", batch(1))), versions=(3, 12))
case("empty topic name", "Produce", ask("Produce", produce("", batch(1))), versions=(3, 12))
case("internal topic", "Produce", ask("Produce", produce("__consumer_offsets", batch(1))), versions=(3, 12))
case("internal topic, as the admin client", "Produce",
     ask("Produce", produce("__transaction_state", batch(1)), client_id="__admin_client"), versions=(3, 12))
case("the same topic twice", "Produce", ask("Produce", {"acks": -1, "timeoutMs": 9000, "topicData": [
    by_topic("$t", partitionData=[{"index": i, "records": batch(1)}]) for i in (0, 1)]}), topics={"t": 2})
case("the same partition twice", "Produce", ask("Produce", produce("$t", batch(1))),
     ask("Produce", {"acks": -1, "timeoutMs": 9000, "topicData": [by_topic("$t", partitionData=[
         {"index": 0, "records": batch(2)}, {"index": 0, "records": batch(3)}])]}),
     ask("Fetch", fetch("$t"), v=12), topics=ONE)
case("one partition good, one bad", "Produce", ask("Produce", produce("$t", batch(1), batch(1, crc=7), batch(1))),
     topics={"t": 2})
case("the null topic id", "Produce", ask("Produce", {"acks": -1, "timeoutMs": 9000, "topicData": [
    {"partitionData": [{"index": 0, "records": batch(1)}]}]}), versions=(13, 13))

# --- batches that are wrong
# Kafka answers this never.
case("records null", "Produce", ask("Produce", produce("$t", None), wait_s=1), topics=ONE, versions=[3, 13])
refused("records empty", b"")
refused("records of 10 bytes", b"0123456789")
refused("bad crc", batch(1, crc=0x1234))
refused("base offset 5", batch(1, base_offset=5))
refused("base offset -1", batch(1, base_offset=-1))
refused("magic 0", legacy(magic=0))
refused("magic 1", legacy(magic=1))
refused("magic 3", batch(1, magic=3))
refused("magic -1", batch(1, magic=-1))
refused("two batches", joined(batch(1), batch(1)))
refused("a batch and bytes behind it", joined(batch(1), b"tail"))
refused("batch cut short", b"\0" * 8 + b"\0\0\0\x30" + b"\0" * 36)
refused("batch longer than its field", batch(1, length=10000))
refused("batch of a length below its header", batch(1, length=10))
refused("batch of length 0", batch(1, length=0))
refused("batch of length -1", batch(1, length=-1))
refused("no records, as compaction leaves", batch([], last_delta=0, count=0))
refused("no records at all", batch([], last_delta=-1, count=0))
refused("count too small", batch(3, count=2))
refused("count too small, and the last delta as well", batch(3, count=2, last_delta=1))
refused("count too large", batch(3, count=4))
refused("count and last delta too large", batch(3, count=4, last_delta=3))
refused("count -1", batch(1, count=-1))
refused("count huge", batch(1, count=0x7fffffff, last_delta=0x7ffffffe))
refused("last delta too large", batch(3, last_delta=5))
refused("last delta -1", batch(1, last_delta=-1))
refused("offset deltas that do not begin at 0", batch([{"offset_delta": 1}, {"offset_delta": 2}]))
refused("offset deltas with a hole", batch([{"offset_delta": 0}, {"offset_delta": 2}], last_delta=1))
refused("offset deltas that go back", batch([{"offset_delta": 1}, {"offset_delta": 0}]))
refused("a record longer than the batch", batch(1, payload=b"\x7e" + record()[1:]))
refused("a record of negative length", batch(1, payload=b"\x01" + record()[1:]))
refused("a key longer than its record", batch(1, payload=b"\x0e\0\0\0\x20\x02v\0"))
refused("a negative header count", batch(1, payload=b"\x0e\0\0\0\x01\x02v\x01"))
refused("a header with a null key", batch(1, payload=b"\x12\0\0\0\x01\x02v\x02\x01\x01"))
refused("a record with bytes left over", batch(1, payload=b"\x12\0\0\0\x01\x02v\0zz"))
refused("record attributes set", batch([{"attributes": 1}]))
refused("bytes after the last record", batch(1, extra=b"more"))
refused("a control batch", batch([{"key": b"\0\0\0\1", "value": b"\0\0\0\0\0\0"}], attributes=0x20))
refused("a transactional batch without a transactional id", batch(1, attributes=0x10, pid=1, epoch=0, seq=0))
refused("transactional id, plain batch", batch(1), transactionalId="$tx")
refused("transactional batch of an unknown transactional id", batch(1, attributes=0x10, pid=1, epoch=0, seq=0),
        transactionalId="$tx")
refused("LogAppendTime set by the producer", batch(1, attributes=8))

# --- times
refused("time -1", batch(1, base_ts=-1, max_ts=-1))
refused("time -2", batch(1, base_ts=-2, max_ts=-2))
refused("time far ahead", batch(1, base_ts=T0 + 10**9, max_ts=T0 + 10**9))
refused("time 0", batch(1, base_ts=0, max_ts=0))
refused("max time that no record has", batch(2, max_ts=T(500)))
refused("time too old for the topic", batch(1), topics={"t": dict(configs={"message.timestamp.before.max.ms": "1000"})})
refused("one of three records too old", batch([{"ts_delta": 10**9}, {"ts_delta": 0}, {"ts_delta": 10**9}],
                                              base_ts=T0 - 10**9),
        topics={"t": dict(configs={"message.timestamp.before.max.ms": str(10**8)})})
LAT = {"t": dict(configs={"message.timestamp.type": "LogAppendTime"})}
refused("LogAppendTime topic", batch(3), topics=LAT)
refused("LogAppendTime topic, compressed", batch(3, codec="gzip"), topics=LAT)
refused("LogAppendTime topic, time -1", batch(1, base_ts=-1, max_ts=-1), topics=LAT)
refused("LogAppendTime topic, set by the producer too", batch(1, attributes=8), topics=LAT)
refused("max time that no record has, compressed", batch(2, max_ts=T(500), codec="gzip"))

# --- topics' limits
refused("larger than max.message.bytes", batch([{"value": b"x" * 200}]), topics={"t": dict(configs={
    "max.message.bytes": "100"})})
refused("larger than segment.bytes", batch([{"value": b"x" * 1100000}]),
        topics={"t": dict(configs={"segment.bytes": "1048576", "max.message.bytes": "3000000"})})
COMPACT = {"t": dict(configs={"cleanup.policy": "compact"})}
refused("compacted topic, a record without a key", batch([{"key": b"k"}, {"value": b"v"}]), topics=COMPACT)
refused("compacted topic, all without a key, compressed", batch(2, codec="gzip"), topics=COMPACT)
refused("compacted topic, empty key", batch([{"key": b""}]), topics=COMPACT)
for codec in ("uncompressed", "gzip", "lz4", "producer"):
    refused(f"compression.type {codec}, plain batch", batch([{"key": b"k", "headers": [(b"a", b"b")]}] * 3),
            topics={"t": dict(configs={"compression.type": codec})}) if codec in ("uncompressed", "producer") else None
refused("compression.type uncompressed, gzip batch", batch(3, codec="gzip"),
        topics={"t": dict(configs={"compression.type": "uncompressed"})})
refused("min.insync.replicas 2 with one replica", batch(1), topics={"t": dict(configs={"min.insync.replicas": "2"})})
refused("min.insync.replicas 2 with one replica, acks 1", batch(1), acks=1,
        topics={"t": dict(configs={"min.insync.replicas": "2"})})

# --- idempotence
refused("sequence without a producer id", batch(1, seq=0))
refused("producer id without a sequence", batch(1, pid=4711, epoch=0, seq=-1))
refused("producer id with a negative epoch", batch(1, pid=4711, epoch=-1, seq=0))
refused("producer id that nobody was given", batch(1, pid=987654321, epoch=3, seq=0))
refused("producer id that nobody was given, in mid-sequence", batch(1, pid=987654321, epoch=3, seq=17))
refused("producer id -2", batch(1, pid=-2, epoch=0, seq=0))


def sequence(name, *batches):
    case(name, "Produce", pid(), *[ask("Produce", produce("$t", b)) for b in batches],
         ask("Fetch", fetch("$t"), v=12),
         ask("DescribeProducers", {"topics": [{"name": "$t", "partitionIndexes": [0]}]}), topics=ONE)


sequence("sequences that go on", idem(2), idem(3, 2), idem(1, 5))
sequence("a duplicate of the last batch", idem(2), idem(2))
sequence("a duplicate with other content", idem([{"value": b"a"}]), idem([{"value": b"b"}]))
sequence("a duplicate of the fifth last batch", *[idem(1, i) for i in range(5)], idem(1, 0))
sequence("a duplicate of the sixth last batch", *[idem(1, i) for i in range(6)], idem(1, 0))
sequence("a duplicate that is cut differently", idem(4), idem(2), idem(2, 2))
sequence("a gap in the sequence", idem(1), idem(1, 2))
sequence("a first sequence that is not 0", idem(1, 5), idem(1, 6))
sequence("a new epoch begins at 0", idem(1, 0, epoch=0), idem(1, 1, epoch=0), idem(1, 0, epoch=1), idem(1, 1, epoch=1))
sequence("a new epoch that goes on", idem(1, 0, epoch=0), idem(1, 1, epoch=1))
sequence("an older epoch", idem(1, 0, epoch=2), idem(1, 1, epoch=1), idem(1, 0, epoch=1))
sequence("the sequence wraps", idem(1, 0x7fffffff), idem(1, 0))
sequence("the sequence wraps within a batch", idem(3, 0x7ffffffe), idem(1, 1))
sequence("two producers", idem(1), batch(1, pid=55555, epoch=0, seq=0), idem(1, 1), batch(1, pid=55555, epoch=0, seq=1))
sequence("plain batches between", idem(1), batch(2), idem(1, 1))
sequence("a gzip batch", idem(3, codec="gzip"), idem(3, codec="gzip"), idem(1, 3))
case("pipelined with a gap: the later ones fail as well", "Produce", pid(),
     *[step for seq in (0, 2, 3, 1) for step in [ask("Produce", produce("$t", idem(1, seq)))]], topics=ONE)
case("sequences of two partitions", "Produce", pid(), ask("Produce", produce("$t", idem(1), idem(1))),
     ask("Produce", produce("$t", idem(1, 1), idem(1, 5))), topics={"t": 2})

# --- InitProducerId
case("no transactional id", "InitProducerId", ask("InitProducerId", {"transactionalId": None, "transactionTimeoutMs": 1000}),
     ask("InitProducerId", {"transactionalId": None, "transactionTimeoutMs": 1000}))
case("timeout 0, without a transactional id", "InitProducerId",
     ask("InitProducerId", {"transactionalId": None, "transactionTimeoutMs": 0}))
case("timeout -1, without a transactional id", "InitProducerId",
     ask("InitProducerId", {"transactionalId": None, "transactionTimeoutMs": -1}))
case("empty transactional id", "InitProducerId", ask("InitProducerId", {"transactionalId": "", "transactionTimeoutMs": 1000}))
case("an id and epoch of its own, no transactional id", "InitProducerId", ask("InitProducerId", {
    "transactionalId": None, "transactionTimeoutMs": 1000, "producerId": 5, "producerEpoch": 3}))
case("an id without an epoch", "InitProducerId", ask("InitProducerId", {
    "transactionalId": None, "transactionTimeoutMs": 1000, "producerId": 5, "producerEpoch": -1}))
case("an epoch without an id", "InitProducerId", ask("InitProducerId", {
    "transactionalId": None, "transactionTimeoutMs": 1000, "producerId": -1, "producerEpoch": 5}))
case("id -2", "InitProducerId", ask("InitProducerId", {
    "transactionalId": None, "transactionTimeoutMs": 1000, "producerId": -2, "producerEpoch": 5}))

# --- DescribeProducers
case("of an empty partition", "DescribeProducers",
     ask("DescribeProducers", {"topics": [{"name": "$t", "partitionIndexes": [0]}]}), topics=ONE)
case("of a plain partition, unknown ones, twice", "DescribeProducers", put("$t", batch(1)),
     ask("DescribeProducers", {"topics": [{"name": "$t", "partitionIndexes": [0, 1, -1, 0]},
                                          {"name": "$none", "partitionIndexes": [0]}]}), topics=ONE)
case("no partitions, no topics, empty name", "DescribeProducers",
     ask("DescribeProducers", {"topics": [{"name": "$t", "partitionIndexes": []}]}),
     ask("DescribeProducers", {"topics": []}),
     ask("DescribeProducers", {"topics": [{"name": "", "partitionIndexes": [0]}]}),
     ask("DescribeProducers", {"topics": [{"name": "a bad/name", "partitionIndexes": [0]}]}), topics=ONE)
