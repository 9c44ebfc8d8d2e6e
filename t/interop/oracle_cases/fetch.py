"""Fetch, ListOffsets, OffsetForLeaderEpoch, DeleteRecords."""
from oracle_words import (Id, OTHER_UUID, Saved, T, ask, batch, case, fetch, fetch_topic, pid, idem, pending, produce, put,
                          send, take)

ONE = {"t": 1}
TWO = {"t": 2, "u": 1}
FILL = (put("$t", batch(3)), put("$t", batch(2, ts=T(100))), put("$t", batch(4, ts=T(50))))


def read(name, *steps, topics=None, before=FILL, **more):
    case(name, "Fetch", *before, *steps, topics=topics or ONE, **more)


# --- offsets and limits
for where, offset in (("the start", 0), ("within a batch", 1), ("a batch's start", 3), ("the last record", 8), ("the end", 9),
                      ("behind the end", 10), ("offset -1", -1), ("offset -2", -2)):
    read(f"from {where}", ask("Fetch", fetch("$t", offset)))
read("an empty partition", ask("Fetch", fetch("$t")), before=())
for size in (0, 1, 60, 150, 200, -1):
    read(f"partition limit of {size} bytes", ask("Fetch", fetch("$t", max_bytes=size)))
    read(f"total limit of {size} bytes", ask("Fetch", {**fetch("$t"), "maxBytes": size}))
read("total limit, two partitions", put("$t", batch(3), partition=1),
     ask("Fetch", {**fetch(topics=[fetch_topic("$t", (0, 0), (1, 0))]), "maxBytes": 100}), topics=TWO)
read("partition limit 1, two partitions", put("$t", batch(3), partition=1),
     ask("Fetch", fetch(topics=[fetch_topic("$t", (0, 0, 1), (1, 0, 1))])), topics=TWO)
read("the order of the request", put("$t", batch(1), partition=1), put("$u", batch(1)),
     ask("Fetch", fetch(topics=[fetch_topic("$u", (0, 0)), fetch_topic("$t", (1, 0), (0, 0))])), topics=TWO)
read("every codec", *[put("$t", batch(3, codec=c)) for c in ("gzip", "snappy", "lz4", "zstd")],
     ask("Fetch", fetch("$t", 4)), before=())
read("read_committed", ask("Fetch", fetch("$t", isolationLevel=1)))
read("isolation level 2", ask("Fetch", fetch("$t", isolationLevel=2)))
read("isolation level -1", ask("Fetch", fetch("$t", isolationLevel=-1)))
read("min bytes that are not there, at once", ask("Fetch", {**fetch("$t"), "minBytes": 1 << 20}))
read("a negative wait", ask("Fetch", {**fetch("$t", 9), "maxWaitMs": -1, "minBytes": 1}))
read("a wait that ends without records", ask("Fetch", {**fetch("$t", 9), "maxWaitMs": 100, "minBytes": 1}))
read("a wait that an append ends", send("Fetch", {**fetch("$t", 9), "maxWaitMs": 10000, "minBytes": 1}), pending(),
     put("$t", batch(1), conn="b"), take())
read("a wait for more bytes than an append brings", send("Fetch", {**fetch("$t", 9), "maxWaitMs": 10000, "minBytes": 120}),
     put("$t", batch(1), conn="b"), pending(), put("$t", batch(1), conn="b"), take())
read("a wait with an error is answered at once", ask("Fetch", {
    **fetch(topics=[fetch_topic("$t", (0, 9), (7, 0))]), "maxWaitMs": 12000, "minBytes": 1}), topics=TWO)
read("answers keep the order of requests", send("Fetch", {**fetch("$t", 9), "maxWaitMs": 300, "minBytes": 1}),
     send("Fetch", fetch("$t", 8)), take(), take())

# --- addresses
read("unknown topic", ask("Fetch", fetch("$none")), before=())
read("unknown partition", ask("Fetch", fetch("$t", partition=1)))
read("partition -1", ask("Fetch", fetch("$t", partition=-1)))
read("a name that may not be", ask("Fetch", fetch("a bad/name")), before=(), versions=(4, 12))
read("an empty name", ask("Fetch", fetch("")), before=(), versions=(4, 12))
read("the null topic id", ask("Fetch", fetch(topics=[{"partitions": [{"partition": 0, "partitionMaxBytes": 100}]}])),
     versions=(13, 18))
read("no topics", ask("Fetch", fetch(topics=[])), before=())
read("a topic without partitions", ask("Fetch", fetch(topics=[fetch_topic("$t")])), before=())
read("the same partition twice", ask("Fetch", fetch(topics=[fetch_topic("$t", (0, 0), (0, 5))])))
read("the same topic twice", ask("Fetch", fetch(topics=[fetch_topic("$t", (0, 0)), fetch_topic("$t", (1, 0))])), topics=TWO)
read("good and bad partitions together", ask("Fetch", fetch(topics=[fetch_topic("$t", (0, 3), (5, 0), (1, 4)),
                                                                   fetch_topic("$none", (0, 0))])), topics=TWO)

# --- epochs
for name, epoch in (("current", 0), ("ahead", 5), ("-1", -1), ("-2", -2)):
    read(f"leader epoch {name}", ask("Fetch", fetch("$t", epoch=epoch)), versions=(9, 18))
for name, last, offset in (("0", 0, 5), ("ahead", 3, 5), ("0, behind the end", 0, 20), ("-2", -2, 0)):
    read(f"last fetched epoch {name}", ask("Fetch", fetch("$t", offset, last_epoch=last, epoch=0)), versions=(12, 18))

# --- who asks
read("as replica 1", ask("Fetch", fetch("$t", replicaId=1, replicaState={"replicaId": 1, "replicaEpoch": -1})))
read("as replica 7, which there is not", ask("Fetch", fetch("$t", replicaId=7, replicaState={"replicaId": 7, "replicaEpoch": 1})))
read("as replica -2, the debugging consumer", ask("Fetch", fetch("$t", replicaId=-2, replicaState={"replicaId": -2})))
read("a rack", ask("Fetch", fetch("$t", rackId="r1")), versions=(11, 18))
read("another cluster's id", ask("Fetch", fetch("$t", clusterId="another-cluster")), versions=(12, 18))


# --- sessions
def session(name, *steps, topics=None, **more):
    read(name, *steps, topics=topics or TWO, versions=(7, 18), **more)


OPEN = ask("Fetch", fetch(topics=[fetch_topic("$t", (0, 9), (1, 0)), fetch_topic("$u", (0, 0))], sessionId=0, sessionEpoch=0),
           save={"s": "sessionId"})


def more(epoch, *topics, forget=(), **other):
    return ask("Fetch", fetch(topics=list(topics), sessionId=Saved("s"), sessionEpoch=epoch,
                              forgottenTopicsData=list(forget), **other))


CLOSE = more(-1)
session("session: nothing new is an empty answer", OPEN, more(1), more(2), CLOSE)
session("session: only what has news", OPEN, put("$u", batch(2)), more(1), more(2, fetch_topic("$u", (0, 2))), more(3), CLOSE)
session("session: records that were not taken come again", OPEN, put("$u", batch(2)), more(1), more(2), CLOSE)
session("session: a high watermark that moved is news", OPEN, put("$u", batch(2)), more(1, fetch_topic("$u", (0, 2))),
        more(2), CLOSE)
session("session: a partition comes in", OPEN, put("$u", batch(1)), more(1, fetch_topic("$t", (0, 3))), more(2), CLOSE)
session("session: an unknown partition comes in", OPEN, more(1, fetch_topic("$t", (9, 3))), more(2), CLOSE)
session("session: an unknown topic comes in", OPEN, more(1, fetch_topic("$none", (0, 0))), more(2), CLOSE)
session("session: a partition is forgotten", OPEN, put("$u", batch(1)), put("$t", batch(1), partition=1),
        more(1, forget=[{"topic": "$u", "topicId": Id("u"), "partitions": [0]}]), more(2), CLOSE)
session("session: what is not there is forgotten", OPEN,
        more(1, forget=[{"topic": "$u", "topicId": Id("u"), "partitions": [5]},
                        {"topic": "$none", "topicId": OTHER_UUID, "partitions": [0]}]), CLOSE)
session("session: added and forgotten at once", OPEN, put("$u", batch(1)),
        more(1, fetch_topic("$u", (0, 0)), forget=[{"topic": "$u", "topicId": Id("u"), "partitions": [0]}]), more(2), CLOSE)
session("session: all forgotten closes it", OPEN,
        more(1, forget=[{"topic": "$u", "topicId": Id("u"), "partitions": [0]},
                        {"topic": "$t", "topicId": Id("t"), "partitions": [0, 1]}]), more(2))
session("session: an epoch twice", OPEN, more(1), more(1), more(2), CLOSE)
session("session: an epoch too far", OPEN, more(2), more(1), CLOSE)
session("session: an unknown id", ask("Fetch", fetch("$t", sessionId=123456789, sessionEpoch=1)))
session("session: id 0 in mid-session", ask("Fetch", fetch("$t", sessionId=0, sessionEpoch=1)))
session("session: a negative id", ask("Fetch", fetch("$t", sessionId=-5, sessionEpoch=1)))
session("session: epoch -2", OPEN, more(-2), CLOSE)
session("session: closed, then used", OPEN, CLOSE, more(1))
session("session: closing what is not there", ask("Fetch", fetch("$t", sessionId=123456789, sessionEpoch=-1)))
session("session: closing with partitions answers them", OPEN, more(-1, fetch_topic("$t", (0, 8))), more(1))
session("session: a new one in place of the old", OPEN,
        ask("Fetch", fetch(topics=[fetch_topic("$t", (0, 8))], sessionId=Saved("s"), sessionEpoch=0), save={"s2": "sessionId"}),
        more(1), ask("Fetch", fetch(topics=[], sessionId=Saved("s2"), sessionEpoch=1)),
        ask("Fetch", fetch(topics=[], sessionId=Saved("s2"), sessionEpoch=-1)))
session("session: an error partition stays in", ask("Fetch", fetch(topics=[fetch_topic("$t", (0, 9), (9, 0))], sessionEpoch=0),
                                                    save={"s": "sessionId"}), more(1), more(2), CLOSE)
session("session: without partitions there is none", ask("Fetch", fetch(topics=[], sessionEpoch=0)))
session("session: names, then ids", ask("Fetch", fetch(topics=[fetch_topic("$t", (0, 9))], sessionEpoch=0), v=12,
                                       save={"s": "sessionId"}), more(1), CLOSE)
session("session: limits and order take turns", put("$t", batch([{"value": b"x" * 300}]), partition=1),
        put("$u", batch([{"value": b"x" * 300}])),
        ask("Fetch", {**fetch(topics=[fetch_topic("$t", (0, 0), (1, 0)), fetch_topic("$u", (0, 0))], sessionEpoch=0),
                      "maxBytes": 200}, save={"s": "sessionId"}),
        *[more(i, maxBytes=200) for i in (1, 2, 3)], CLOSE)
session("session: waits for news", OPEN, send("Fetch", fetch(topics=[], sessionId=Saved("s"), sessionEpoch=1, maxWaitMs=9000,
                                                            minBytes=1)), pending(), put("$u", batch(1), conn="b"), take(), CLOSE)

# --- ListOffsets


def offsets(name, *times, steps=FILL, partition=0, topics=None, versions=None, **more):
    case(name, "ListOffsets", *steps, ask("ListOffsets", {"replicaId": -1, "topics": [{"name": "$t", "partitions": [
        {"partitionIndex": partition, "timestamp": t}]}], "timeoutMs": 5000, **more}) if len(times) == 1 and not (t := times[0])
        is None else ask("ListOffsets", {"replicaId": -1, "timeoutMs": 5000, **more, "topics": [
            {"name": "$t", "partitions": [{"partitionIndex": p, "timestamp": t} for p, t in enumerate(times)]}]}),
        topics=topics or ONE, versions=versions)


for time in (-1, -2, -3, -4, -5, -6, -7, 0, 1):
    offsets(f"time {time}", time)
    offsets(f"time {time}, empty partition", time, steps=())
for ms in (0, 1, 2, 3, 50, 52, 53, 100, 101, 102, 10000):
    offsets(f"time T0+{ms}", T(ms))
offsets("time T0+2 in a gzip batch", T(2), steps=(put("$t", batch(5, codec="gzip")),))
offsets("the maximum, twice there", -3, steps=(put("$t", batch(1, ts=T(5))), put("$t", batch(1, ts=T(5)))))
offsets("the maximum in a gzip batch", -3, steps=(put("$t", batch(5, codec="gzip")),))
offsets("read_committed, latest", -1, isolationLevel=1)
offsets("isolation level 2", -1, isolationLevel=2)
offsets("latest as replica 1", -1, replicaId=1)
offsets("latest as replica -2", -1, replicaId=-2)
offsets("unknown partition", -1, partition=3)
offsets("partition -1", -1, partition=-1)
offsets("timeout -1", -1, timeoutMs=-1)
for time in (-1, -2, T(2)):
    offsets(f"after records were deleted, {'T0+2' if time > 0 else time}", time, steps=(*FILL, ask("DeleteRecords", {
        "topics": [{"name": "$t", "partitions": [{"partitionIndex": 0, "offset": 4}]}], "timeoutMs": 5000}, v=2)))
for name, epoch in (("current", 0), ("ahead", 7), ("-2", -2)):
    case(f"leader epoch {name}", "ListOffsets", ask("ListOffsets", {"replicaId": -1, "topics": [
        {"name": "$t", "partitions": [{"partitionIndex": 0, "currentLeaderEpoch": epoch, "timestamp": -1}]}]}),
        topics=ONE, versions=(4, 11))
PART = {"partitionIndex": 0, "timestamp": -1}
for name, topics in (("unknown topic", [{"name": "$none", "partitions": [PART]}]),
                     ("a name that may not be", [{"name": "a bad/name", "partitions": [PART]}]),
                     ("an empty name", [{"name": "", "partitions": [PART]}]),
                     ("no topics", []), ("no partitions", [{"name": "$t", "partitions": []}]),
                     ("the same partition twice", [{"name": "$t", "partitions": [PART, {"partitionIndex": 0, "timestamp": -2}]}]),
                     ("the same topic twice", [{"name": "$t", "partitions": [PART]},
                                               {"name": "$t", "partitions": [{"partitionIndex": 1, "timestamp": -1}]}]),
                     ("some good, some bad", [{"name": "$t", "partitions": [PART, {"partitionIndex": 9, "timestamp": -1},
                                                                            {"partitionIndex": 1, "timestamp": -9}]}])):
    case(name, "ListOffsets", *FILL, ask("ListOffsets", {"replicaId": -1, "topics": topics}), topics={"t": 2})

# --- OffsetForLeaderEpoch


def epoch_end(name, *parts, topic="$t", **more):
    case(name, "OffsetForLeaderEpoch", *FILL, ask("OffsetForLeaderEpoch", {"replicaId": -1, "topics": [
        {"topic": topic, "partitions": [{"partition": p, "currentLeaderEpoch": c, "leaderEpoch": e} for p, c, e in parts]}],
        **more}), topics=ONE)


for epoch in (0, 1, -1, -2, 100):
    epoch_end(f"epoch {epoch}", (0, -1, epoch))
epoch_end("current epoch right", (0, 0, 0))
epoch_end("current epoch ahead", (0, 5, 0))
epoch_end("current epoch -2", (0, -2, 0))
epoch_end("unknown partition", (4, -1, 0))
epoch_end("partition -1", (-1, -1, 0))
epoch_end("unknown topic", (0, -1, 0), topic="$none")
epoch_end("a name that may not be", (0, -1, 0), topic="a bad/name")
epoch_end("the same partition twice", (0, -1, 0), (0, -1, 1))
epoch_end("as replica 1", (0, -1, 0), replicaId=1)
epoch_end("as replica -2", (0, -1, 0), replicaId=-2)
epoch_end("no partitions")
case("no topics", "OffsetForLeaderEpoch", ask("OffsetForLeaderEpoch", {"topics": []}))
case("an empty partition", "OffsetForLeaderEpoch", ask("OffsetForLeaderEpoch", {"topics": [
    {"topic": "$t", "partitions": [{"partition": 0, "leaderEpoch": 0}]}]}), topics=ONE)

# --- DeleteRecords


def delete(name, *wanted, topic="$t", timeout=5000, then=()):
    case(name, "DeleteRecords", *FILL, *[ask("DeleteRecords", {"timeoutMs": timeout, "topics": [
        {"name": topic, "partitions": [{"partitionIndex": p, "offset": o} for p, o in parts]}]}) for parts in wanted],
        ask("ListOffsets", {"replicaId": -1, "topics": [{"name": "$t", "partitions": [{"partitionIndex": 0, "timestamp": -2}]}]}),
        *then, topics={"t": 2})


delete("to a batch's start", [(0, 3)], then=(ask("Fetch", fetch("$t", 0)), ask("Fetch", fetch("$t", 3)),
                                            ask("Metadata", {"topics": [{"name": "$t"}]})))
delete("within a batch", [(0, 4)], then=(ask("Fetch", fetch("$t", 4)), ask("Fetch", fetch("$t", 3))))
delete("to the end", [(0, 9)], then=(ask("Fetch", fetch("$t", 9)),))
delete("to -1, the high watermark", [(0, -1)])
delete("behind the end", [(0, 10)])
delete("to 0", [(0, 0)])
delete("to -2", [(0, -2)])
delete("twice, then back", [(0, 5)], [(0, 5)], [(0, 2)])
delete("an unknown partition", [(7, 1)])
delete("partition -1", [(-1, 1)])
delete("an unknown topic", [(0, 1)], topic="$none")
delete("a name that may not be", [(0, 1)], topic="a bad/name")
delete("an internal topic", [(0, 1)], topic="__consumer_offsets")
delete("good and bad together", [(0, 2), (1, 5), (9, 0)])
delete("the same partition twice", [(0, 2), (0, 3)])
delete("no partitions", [])
delete("timeout 0", [(0, 2)], timeout=0)
delete("timeout -1", [(0, 2)], timeout=-1)
case("no topics", "DeleteRecords", ask("DeleteRecords", {"topics": [], "timeoutMs": 1000}))
case("a compacted topic", "DeleteRecords", put("$t", batch([{"key": b"k"}])), ask("DeleteRecords", {
    "timeoutMs": 1000, "topics": [{"name": "$t", "partitions": [{"partitionIndex": 0, "offset": 1}]}]}),
    topics={"t": dict(configs={"cleanup.policy": "compact"})})
case("a topic both compacted and deleted", "DeleteRecords", put("$t", batch([{"key": b"k"}])), ask("DeleteRecords", {
    "timeoutMs": 1000, "topics": [{"name": "$t", "partitions": [{"partitionIndex": 0, "offset": 1}]}]}),
    topics={"t": dict(configs={"cleanup.policy": "compact,delete"})})
case("an idempotent producer goes on after it", "DeleteRecords", pid(), put("$t", idem(2)), ask("DeleteRecords", {
    "timeoutMs": 1000, "topics": [{"name": "$t", "partitions": [{"partitionIndex": 0, "offset": 2}]}]}),
    ask("Produce", produce("$t", idem(1, 2))), topics=ONE)
