"""Metadata, DescribeTopicPartitions, CreateTopics, DeleteTopics, CreatePartitions, ElectLeaders, DescribeCluster,
DescribeLogDirs."""
from oracle_words import NULL_UUID, OTHER_UUID, Id, Raw, ask, batch, case, put, until

ONE = {"t": 1}
LONG = "n" * 249


# --- Metadata
def metadata(name, topics, setup=None, versions=None, steps=(), **more):
    case(name, "Metadata", *steps, ask("Metadata", {"topics": topics, "allowAutoTopicCreation": False, **more}),
         topics=setup or {}, versions=versions)


metadata("all topics, null", None, ONE, (1, 13))
metadata("an empty list", [], ONE)
metadata("a topic of three partitions", [{"name": "$t"}], {"t": 3})
metadata("several topics, in their order", [{"name": "$u"}, {"name": "$t"}], {"t": 1, "u": 2})
metadata("a topic twice", [{"name": "$t"}, {"name": "$t"}], ONE)
metadata("unknown topic", [{"name": "$none"}], versions=(4, 13))
metadata("known and unknown", [{"name": "$none"}, {"name": "$t"}], ONE, (4, 13))
metadata("names that may not be", [{"name": n} for n in ("a bad/name", "", ".", "..", LONG + "n")], versions=(4, 13))
metadata("authorized operations", [{"name": "$t"}], ONE, (8, 13), includeTopicAuthorizedOperations=True,
         includeClusterAuthorizedOperations=True)
metadata("authorized operations of an unknown topic", [{"name": "$none"}], versions=(8, 13),
         includeTopicAuthorizedOperations=True)
metadata("an internal topic", [{"name": "__consumer_offsets"}])
metadata("the metadata log's topic", [{"name": "__cluster_metadata"}], versions=(4, 13))
metadata("by id", [{"name": None, "topicId": Id("t")}], ONE, (10, 13))
metadata("by id and name", [{"name": "$t", "topicId": Id("t")}], ONE, (10, 13))
metadata("by an unknown id", [{"name": None, "topicId": OTHER_UUID}], versions=(10, 13))
metadata("by id and another name", [{"name": "$u", "topicId": Id("t")}], {"t": 1, "u": 1}, (10, 13))
metadata("one by id, one by name", [{"name": None, "topicId": Id("t")}, {"name": "$u"}], {"t": 1, "u": 1}, (10, 13))
metadata("neither id nor name", [{"name": None, "topicId": NULL_UUID}], versions=(10, 13))
metadata("null name in old versions", [{"name": None}], versions=(0, 9))
metadata("a null list in version 0", None, versions=(0, 0))


def appears(answer):
    return all(t["errorCode"] == 0 and all(p["errorCode"] == 0 for p in t["partitions"]) for t in answer["topics"])


case("auto-creation", "Metadata", ask("Metadata", {"topics": [{"name": "$auto"}], "allowAutoTopicCreation": True}),
     until("Metadata", {"topics": [{"name": "$auto"}], "allowAutoTopicCreation": False}, appears, v=8),
     ask("DeleteTopics", {"topicNames": ["$auto"], "timeoutMs": 5000}, v=5))
case("auto-creation of bad names", "Metadata", ask("Metadata", {"topics": [{"name": n} for n in (
    "a bad/name", "", ".", LONG + "n")], "allowAutoTopicCreation": True}))
case("auto-creation of a name that collides", "Metadata", ask("Metadata", {
    "topics": [{"name": "$t.a_b"}, {"name": "$t_a.b"}], "allowAutoTopicCreation": True}),
    until("Metadata", {"topics": [{"name": "$t.a_b"}], "allowAutoTopicCreation": False}, appears, v=8),
    ask("DeleteTopics", {"topicNames": ["$t.a_b"], "timeoutMs": 5000}, v=5), versions=[4, 13])
case("auto-creation by id", "Metadata", ask("Metadata", {"topics": [{"name": None, "topicId": OTHER_UUID}]}), versions=(10, 13))


# --- CreateTopics
def topic(name="$c", partitions=1, replication=1, assignments=(), configs=None):
    return {"name": name, "numPartitions": partitions, "replicationFactor": replication, "assignments": [
        {"partitionIndex": p, "brokerIds": list(b)} for p, b in assignments],
        "configs": [{"name": k, "value": v} for k, v in (configs or {}).items()]}


def create(name, *topics, setup=None, versions=None, then=(), **more):
    made = [t["name"] for t in topics if t["name"].startswith("$")]
    case(name, "CreateTopics", ask("CreateTopics", {"topics": list(topics), "timeoutMs": 5000, **more}), *then,
         *([ask("DeleteTopics", {"topicNames": sorted(set(made)), "timeoutMs": 5000}, v=5)] if made else []),
         topics=setup or {}, versions=versions)


create("one topic", topic(), then=(until("Metadata", {"topics": [{"name": "$c"}], "allowAutoTopicCreation": False}, appears),))
create("several topics", topic("$c"), topic("$d", 3))
create("no topics")
create("partitions and replication by default", topic("$c", -1, -1))
for n in (0, -2, -1000, 100001, 0x7fffffff):
    create(f"{n} partitions", topic("$c", n))
for n in (0, -2, 2, 0x7fff):
    create(f"replication {n}", topic("$c", 1, n))
create("a name that is there", topic("$t"), setup=ONE)
create("a name that is there, validated only", topic("$t"), setup=ONE, validateOnly=True)
create("validated only", topic("$c", 2, configs={"retention.ms": "1000"}), validateOnly=True)
create("validated only, bad", topic("$c", 0), validateOnly=True)
create("a name twice", topic("$c"), topic("$c", 2))
create("a name twice, and another", topic("$c"), topic("$c", 2), topic("$d"))
for n, label in (("a bad/name", "a/b"), ("", "empty"), (".", "."), ("..", ".."), (LONG + "n", "of 250 letters"), ("ü", "beyond ASCII")):
    create(f"bad name: {label}", topic(n))
create("a name that collides", topic("$c.x"), topic("$c_x"))
create("a name that collides with one that is there", topic("$t_a"), setup={"t.a": 1})
create("an internal name", topic("__consumer_offsets"))
create("the metadata log's name", topic("__cluster_metadata"))
create("assignments", topic("$c", -1, -1, [(0, [1]), (1, [1])]))
create("assignments beside a number of partitions", topic("$c", 2, -1, [(0, [1]), (1, [1])]))
create("assignments beside a replication factor", topic("$c", -1, 1, [(0, [1])]))
create("assignments with a hole", topic("$c", -1, -1, [(0, [1]), (2, [1])]))
create("assignments that do not begin at 0", topic("$c", -1, -1, [(1, [1])]))
create("assignments of a partition twice", topic("$c", -1, -1, [(0, [1]), (0, [1])]))
create("assignments to an unknown broker", topic("$c", -1, -1, [(0, [9])]))
create("assignments to a broker twice", topic("$c", -1, -1, [(0, [1, 1])]))
create("assignments to no broker", topic("$c", -1, -1, [(0, [])]))
create("assignments of unequal length", topic("$c", -1, -1, [(0, [1]), (1, [1, 2])]))
create("assignments to a negative broker", topic("$c", -1, -1, [(0, [-1])]))
create("configs", topic("$c", configs={"retention.ms": "1000", "cleanup.policy": "compact,delete"}))
for key, value in (("no.such.key", "1"), ("retention.ms", "many"), ("retention.ms", ""), ("retention.ms", None), ("retention.ms", "-2"),
                   ("cleanup.policy", "keep"), ("cleanup.policy", ""), ("compression.type", "brotli"), ("segment.bytes", "1"),
                   ("segment.bytes", "99999999999"), ("min.insync.replicas", "0"), ("max.message.bytes", "-1"),
                   ("unclean.leader.election.enable", "maybe"), ("min.cleanable.dirty.ratio", "1.5"),
                   ("message.format.version", "2.8"), ("message.timestamp.type", "createtime"), ("retention.ms", " 1000 "),
                   ("message.timestamp.type", "Sometimes"), ("remote.storage.enable", "true"), ("local.retention.ms", "5"),
                   ("flush.messages", "0"), ("index.interval.bytes", "-1"), ("segment.ms", "0"), ("compression.gzip.level", "99"),
                   ("preallocate", "TRUE"), ("leader.replication.throttled.replicas", "x"), ("delete.retention.ms", "1e3")):
    create(f"config {key}={value!r}", topic("$c", configs={key: value}), versions=[2, 4, 5, 7])
create("max.compaction.lag.ms below min.compaction.lag.ms", topic("$c", configs={
    "max.compaction.lag.ms": "5", "min.compaction.lag.ms": "10"}))
create("two bad configs", topic("$c", configs={"retention.ms": "x", "segment.ms": "y"}))
case("a config twice", "CreateTopics", ask("CreateTopics", {"timeoutMs": 5000, "topics": [{**topic(), "configs": [
    {"name": "retention.ms", "value": "1"}, {"name": "retention.ms", "value": "2"}]}]}),
    ask("DeleteTopics", {"topicNames": ["$c"], "timeoutMs": 5000}, v=5))
create("good and bad together", topic("$c"), topic("$d", 0), topic("a bad/name"), topic("$e", configs={"no.such.key": "x"}))
create("timeout 0", topic(), timeoutMs=0)
create("timeout -1", topic(), timeoutMs=-1)

# --- DeleteTopics
GONE = {"topicNames": ["$t"], "topics": [{"name": "$t"}], "timeoutMs": 5000}


def by_names(*names, **more):
    return {"topicNames": list(names), "topics": [{"name": n} for n in names], "timeoutMs": 5000, **more}


def disappears(answer):
    return answer["topics"][0]["errorCode"] == 3


LOOK = until("Metadata", {"topics": [{"name": "$t"}], "allowAutoTopicCreation": False}, disappears, v=8)
case("one topic", "DeleteTopics", ask("DeleteTopics", GONE), LOOK, ask("DeleteTopics", GONE), topics=ONE)
case("several, one of them unknown", "DeleteTopics", ask("DeleteTopics", by_names("$u", "$none", "$t")), topics={"t": 1, "u": 1})
case("no topics", "DeleteTopics", ask("DeleteTopics", by_names()))
case("a name twice", "DeleteTopics", ask("DeleteTopics", by_names("$t", "$t")), topics=ONE)
case("names that may not be", "DeleteTopics", ask("DeleteTopics", by_names("a bad/name", "", LONG + "n")))
case("an unknown internal topic", "DeleteTopics", ask("DeleteTopics", by_names("__transaction_state")))
case("the metadata log's topic", "DeleteTopics", ask("DeleteTopics", by_names("__cluster_metadata")))
case("timeout 0", "DeleteTopics", ask("DeleteTopics", by_names("$t", timeoutMs=0)), topics=ONE)
case("timeout -1", "DeleteTopics", ask("DeleteTopics", by_names("$t", timeoutMs=-1)), topics=ONE)
for label, topics in (("by id", [{"name": None, "topicId": Id("t")}]), ("by an unknown id", [{"name": None, "topicId": OTHER_UUID}]),
                      ("by id and name", [{"name": "$t", "topicId": Id("t")}]), ("by id twice", [{"name": None, "topicId": Id("t")}] * 2),
                      ("by id, and again by name", [{"name": None, "topicId": Id("t")}, {"name": "$t"}]),
                      ("neither id nor name", [{"name": None, "topicId": NULL_UUID}]),
                      ("by an empty name and the null id", [{"name": ""}])):
    case(label, "DeleteTopics", ask("DeleteTopics", {"topics": topics, "timeoutMs": 5000}), topics=ONE, versions=[6])
case("made again under the name, the old id is unknown", "DeleteTopics", ask("DeleteTopics", GONE), LOOK,
     ask("CreateTopics", {"topics": [topic("$t")], "timeoutMs": 5000}, v=7),
     ask("DeleteTopics", {"topics": [{"name": None, "topicId": Id("t")}], "timeoutMs": 5000}, v=6), topics=ONE)


# --- CreatePartitions
def grow(name, *wanted, setup=None, then=(), **more):
    case(name, "CreatePartitions", ask("CreatePartitions", {"timeoutMs": 5000, "validateOnly": False, "topics": [
        {"name": n, "count": c, "assignments": None if a is None else [{"brokerIds": b} for b in a]} for n, c, a in wanted],
        **more}), *then, topics=setup or {"t": 2})


def has_four(answer):
    return len(answer["topics"][0]["partitions"]) == 4


grow("to four", ("$t", 4, None), then=(until("Metadata", {"topics": [{"name": "$t"}]}, has_four),))
for n in (2, 1, 0, -1):
    grow(f"from 2 to {n}", ("$t", n, None))
grow("an unknown topic", ("$none", 3, None))
grow("a name that may not be", ("a bad/name", 3, None))
grow("an empty name", ("", 3, None))
grow("no topics")
grow("a topic twice", ("$t", 3, None), ("$t", 4, None))
grow("a topic twice, and another", ("$t", 3, None), ("$t", 4, None), ("$u", 3, None), setup={"t": 2, "u": 2})
grow("validated only", ("$t", 3, None), validateOnly=True)
grow("assignments", ("$t", 4, [[1], [1]]))
grow("an empty list of assignments", ("$t", 4, []))
grow("too few assignments", ("$t", 4, [[1]]))
grow("too many assignments", ("$t", 3, [[1], [1]]))
grow("assignments to an unknown broker", ("$t", 3, [[5]]))
grow("assignments to a broker twice", ("$t", 3, [[1, 1]]))
grow("assignments to nobody", ("$t", 3, [[]]))
grow("an internal topic, not more", ("__consumer_offsets", 1, None))
grow("timeout 0", ("$t", 3, None), timeoutMs=0)
grow("timeout -1", ("$t", 3, None), timeoutMs=-1)


# --- ElectLeaders
def elect(name, *wanted, kind=0, versions=None, **more):
    case(name, "ElectLeaders", ask("ElectLeaders", {"electionType": kind, "timeoutMs": 5000, "topicPartitions": [
        {"topic": t, "partitions": p} for t, p in wanted], **more}), topics={"t": 2}, versions=versions)


elect("preferred, not needed", ("$t", [0, 1]))
elect("unclean, not needed", ("$t", [0]), kind=1, versions=(1, 2))
elect("type 2", ("$t", [0]), kind=2, versions=(1, 2))
elect("type -1", ("$t", [0]), kind=-1, versions=(1, 2))
elect("unknown partition", ("$t", [5]))
elect("partition -1", ("$t", [-1]))
elect("unknown topic", ("$none", [0]))
elect("a name that may not be", ("a bad/name", [0]))
elect("an empty name", ("", [0]))
elect("no partitions", ("$t", []))
elect("no topics")
elect("a partition twice", ("$t", [0, 0]))
elect("good and bad together", ("$t", [0, 7]), ("$none", [0]))
elect("timeout 0", ("$t", [0]), timeoutMs=0)
case("all partitions", "ElectLeaders", ask("ElectLeaders", {"electionType": 0, "timeoutMs": 5000, "topicPartitions": None}),
     topics={"t": 2})


# --- DescribeTopicPartitions
def pages(name, names, setup=None, **more):
    case(name, "DescribeTopicPartitions", ask("DescribeTopicPartitions", {"topics": [{"name": n} for n in names], **more}),
         topics=setup or {"t": 3, "u": 2})


pages("two topics", ["$u", "$t"])
pages("a topic twice", ["$t", "$t"])
pages("unknown topic", ["$none"])
pages("known and unknown", ["$none", "$t"])
pages("names that may not be", ["a bad/name", ""])
pages("limit 2", ["$t", "$u"], responsePartitionLimit=2)
pages("limit 3", ["$t", "$u"], responsePartitionLimit=3)
pages("limit 4", ["$t", "$u"], responsePartitionLimit=4)
pages("limit 0", ["$t"], responsePartitionLimit=0)
pages("limit -1", ["$t"], responsePartitionLimit=-1)
pages("cursor within a topic", ["$t", "$u"], cursor={"topicName": "$t", "partitionIndex": 2})
pages("cursor at the second topic", ["$t", "$u"], cursor={"topicName": "$u", "partitionIndex": 0})
pages("cursor behind a topic's end", ["$t", "$u"], cursor={"topicName": "$t", "partitionIndex": 9})
pages("cursor at an unknown topic", ["$t", "$u"], cursor={"topicName": "$tt", "partitionIndex": 0})
pages("cursor behind all", ["$t", "$u"], cursor={"topicName": "$z", "partitionIndex": 0})
pages("cursor with a negative partition", ["$t"], cursor={"topicName": "$t", "partitionIndex": -1})
pages("cursor with an empty name", ["$t"], cursor={"topicName": "", "partitionIndex": 0})
pages("cursor and limit", ["$t", "$u"], cursor={"topicName": "$t", "partitionIndex": 1}, responsePartitionLimit=1)
pages("an internal topic", ["__consumer_offsets"])

# --- DescribeCluster
case("plain", "DescribeCluster", ask("DescribeCluster", {"includeClusterAuthorizedOperations": False}))
case("authorized operations", "DescribeCluster", ask("DescribeCluster", {"includeClusterAuthorizedOperations": True}))
case("fenced brokers as well", "DescribeCluster", ask("DescribeCluster", {"includeFencedBrokers": True}), versions=[2])
for kind in (0, 1, 2, 3, -1):
    case(f"endpoint type {kind}", "DescribeCluster", ask("DescribeCluster", {"endpointType": kind}), versions=(1, 2))


# --- DescribeLogDirs
def dirs(name, topics, **more):
    case(name, "DescribeLogDirs", put("$t", batch(3), batch(1), v=9), ask("DescribeLogDirs", {"topics": topics}),
         topics={"t": 2}, **more)


dirs("one topic", [{"topic": "$t", "partitions": [0, 1]}])
dirs("one of its partitions", [{"topic": "$t", "partitions": [1]}])
dirs("unknown partition", [{"topic": "$t", "partitions": [5]}])
dirs("unknown topic", [{"topic": "$none", "partitions": [0]}])
dirs("a name that may not be", [{"topic": "a bad/name", "partitions": [0]}])
dirs("no partitions", [{"topic": "$t", "partitions": []}])
dirs("no topics", [])
dirs("a partition twice", [{"topic": "$t", "partitions": [0, 0]}])
dirs("a topic twice", [{"topic": "$t", "partitions": [0]}, {"topic": "$t", "partitions": [1]}])
