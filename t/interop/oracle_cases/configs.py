"""DescribeConfigs, AlterConfigs, IncrementalAlterConfigs, ListConfigResources."""
from oracle_words import ask, case, until

ONE = {"t": dict(partitions=1, configs={"retention.ms": "123456"})}
TOPIC, BROKER, LOGGER, METRICS, GROUP = 2, 4, 8, 16, 32
SET, DELETE, APPEND, SUBTRACT = 0, 1, 2, 3


def describe(name, *resources, versions=None, alone=False, **more):
    case(name, "DescribeConfigs", ask("DescribeConfigs", {"resources": [
        {"resourceType": r[0], "resourceName": r[1], "configurationKeys": r[2] if len(r) > 2 else None} for r in resources],
        **more}), topics=ONE, versions=versions, alone=alone)


# --- DescribeConfigs
describe("all of a topic", (TOPIC, "$t"))
describe("all of a topic, synonyms", (TOPIC, "$t"), includeSynonyms=True)
describe("documentation", (TOPIC, "$t", ["retention.ms", "segment.bytes"]), includeDocumentation=True, versions=(3, 4))
describe("two keys of a topic, synonyms", (TOPIC, "$t", ["retention.ms", "segment.bytes"]), includeSynonyms=True)
describe("unknown key of a topic", (TOPIC, "$t", ["no.such.key"]))
describe("an empty list of keys", (TOPIC, "$t", []))
describe("a key twice", (TOPIC, "$t", ["retention.ms", "retention.ms"]))
describe("unknown topic", (TOPIC, "$none"))
describe("a name that may not be", (TOPIC, "a bad/name"))
describe("empty topic name", (TOPIC, ""))
describe("a topic twice", (TOPIC, "$t", ["retention.ms"]), (TOPIC, "$t", ["segment.bytes"]))
describe("no resources")
describe("all of this broker", (BROKER, "1"), alone=True)
describe("all of this broker, synonyms", (BROKER, "1"), includeSynonyms=True, alone=True)
KEYS = ["log.retention.ms", "log.retention.hours", "log.segment.bytes", "num.partitions", "node.id", "log.cleaner.threads",
        "group.min.session.timeout.ms", "message.max.bytes", "auto.create.topics.enable", "compression.type", "min.insync.replicas"]
describe("keys of this broker", (BROKER, "1", KEYS))
describe("keys of this broker, synonyms", (BROKER, "1", KEYS), includeSynonyms=True)
describe("the cluster's default", (BROKER, ""), alone=True)
describe("the cluster's default, one key", (BROKER, "", ["log.retention.ms"]))
describe("another broker", (BROKER, "7"))
describe("a broker that is no number", (BROKER, "x"))
describe("broker -1", (BROKER, "-1"))
describe("a group without settings", (GROUP, "$g"))
describe("a group, synonyms", (GROUP, "$g"), includeSynonyms=True)
describe("a group's key", (GROUP, "$g", ["consumer.session.timeout.ms"]))
describe("an empty group name", (GROUP, ""))
describe("client metrics, none there", (METRICS, "$m"))
describe("client metrics, empty name", (METRICS, ""))
describe("loggers of another broker", (LOGGER, "7"))
describe("loggers, empty name", (LOGGER, ""))
for kind in (0, 1, 3, 5, 127, -1):
    describe(f"resource type {kind}", (kind, "$t"))
describe("good and bad together", (TOPIC, "$t", ["retention.ms"]), (TOPIC, "$none"), (BROKER, "7"), (0, "x"))


# --- IncrementalAlterConfigs and AlterConfigs
def look(*resources):
    return ask("DescribeConfigs", {"resources": [{"resourceType": r[0], "resourceName": r[1], "configurationKeys": r[2]}
                                                 for r in resources], "includeSynonyms": True})


WATCHED = (TOPIC, "$t", ["retention.ms", "segment.ms", "cleanup.policy", "min.insync.replicas", "compression.type",
                        "leader.replication.throttled.replicas"])


def settles(wanted):
    """Kafka answers before its own broker has seen the change."""
    def test(answer):
        got = {c["name"]: c["value"] for r in answer["results"] for c in r["configs"]}
        got.update({(c["name"], "from"): c["configSource"] for r in answer["results"] for c in r["configs"]})
        return all(got.get(k) == v for k, v in wanted.items())
    return test


def change(name, *resources, watch=WATCHED, then=None, versions=None, undo=(), **more):
    steps = [ask("IncrementalAlterConfigs", {"validateOnly": False, "resources": [
        {"resourceType": kind, "resourceName": who, "configs": [
            {"name": k, "configOperation": op, "value": v} for k, op, v in changes]} for kind, who, changes in resources], **more})]
    if then is not None:
        steps.append(until("DescribeConfigs", {"resources": [
            {"resourceType": watch[0], "resourceName": watch[1], "configurationKeys": watch[2]}], "includeSynonyms": True},
            settles(then)))
    case(name, "IncrementalAlterConfigs", *steps, *undo, topics=ONE, versions=versions)


change("set", (TOPIC, "$t", [("segment.ms", SET, "7777")]), then={"segment.ms": "7777"})
change("set what was set", (TOPIC, "$t", [("retention.ms", SET, "9999")]), then={"retention.ms": "9999"})
change("delete", (TOPIC, "$t", [("retention.ms", DELETE, None)]), then={"retention.ms": "604800000"})
change("delete with a value", (TOPIC, "$t", [("retention.ms", DELETE, "5")]), then={"retention.ms": "604800000"})
change("delete what is not set", (TOPIC, "$t", [("segment.ms", DELETE, None)]), then={"retention.ms": "123456"})
change("append to a list", (TOPIC, "$t", [("cleanup.policy", APPEND, "compact")]), then={"cleanup.policy": "delete,compact"})
change("append what is there", (TOPIC, "$t", [("cleanup.policy", APPEND, "delete")]), then={("cleanup.policy", "from"): 1})
change("append two at once", (TOPIC, "$t", [("leader.replication.throttled.replicas", APPEND, "0:1,1:1")]),
       then={"leader.replication.throttled.replicas": "0:1,1:1"})
change("subtract", (TOPIC, "$t", [("cleanup.policy", SUBTRACT, "delete")]))
change("subtract what is not there", (TOPIC, "$t", [("cleanup.policy", SUBTRACT, "compact")]), then={("cleanup.policy", "from"): 1})
change("append to what is no list", (TOPIC, "$t", [("segment.ms", APPEND, "5")]))
change("subtract from what is no list", (TOPIC, "$t", [("segment.ms", SUBTRACT, "5")]))
change("append null", (TOPIC, "$t", [("cleanup.policy", APPEND, None)]))
change("set null", (TOPIC, "$t", [("segment.ms", SET, None)]))
change("set empty", (TOPIC, "$t", [("segment.ms", SET, "")]))
change("set an empty list", (TOPIC, "$t", [("cleanup.policy", SET, "")]))
change("set a list with spaces", (TOPIC, "$t", [("cleanup.policy", SET, "compact , delete")]))
change("set a list with a value twice", (TOPIC, "$t", [("cleanup.policy", SET, "compact,compact")]))
for op in (4, -1, 127):
    change(f"operation {op}", (TOPIC, "$t", [("segment.ms", op, "1")]))
change("an unknown key", (TOPIC, "$t", [("no.such.key", SET, "1")]))
change("an unknown key deleted", (TOPIC, "$t", [("no.such.key", DELETE, None)]))
change("a bad value", (TOPIC, "$t", [("segment.ms", SET, "many")]), then={"retention.ms": "123456"})
change("out of range", (TOPIC, "$t", [("min.insync.replicas", SET, "0")]))
change("one good, one bad", (TOPIC, "$t", [("segment.ms", SET, "7777"), ("min.insync.replicas", SET, "x")]),
       then={"segment.ms": "604800000"})
change("a key twice", (TOPIC, "$t", [("segment.ms", SET, "1"), ("segment.ms", SET, "2")]))
change("a key twice, set and deleted", (TOPIC, "$t", [("segment.ms", SET, "1"), ("segment.ms", DELETE, None)]))
change("a resource twice", (TOPIC, "$t", [("segment.ms", SET, "1")]), (TOPIC, "$t", [("retention.ms", SET, "2")]))
change("no changes", (TOPIC, "$t", []), then={"retention.ms": "123456"})
change("no resources")
change("validated only", (TOPIC, "$t", [("segment.ms", SET, "7777")]), validateOnly=True, then={"segment.ms": "604800000"})
change("validated only, bad", (TOPIC, "$t", [("segment.ms", SET, "x")]), validateOnly=True)
change("unknown topic", (TOPIC, "$none", [("segment.ms", SET, "1")]))
change("a name that may not be", (TOPIC, "a bad/name", [("segment.ms", SET, "1")]))
change("empty topic name", (TOPIC, "", [("segment.ms", SET, "1")]))
change("an internal topic", (TOPIC, "__cluster_metadata", [("segment.ms", SET, "1")]))
for kind in (0, 1, 3, 127):
    change(f"resource type {kind}", (kind, "$t", [("segment.ms", SET, "1")]))
change("another broker", (BROKER, "7", [("log.cleaner.threads", SET, "2")]))
change("a broker that is no number", (BROKER, "x", [("log.cleaner.threads", SET, "2")]))
change("a broker's read-only key", (BROKER, "1", [("node.id", SET, "2")]))
change("a broker's unknown key", (BROKER, "1", [("no.such.key", SET, "2")]), undo=(ask("IncrementalAlterConfigs", {"resources": [
    {"resourceType": BROKER, "resourceName": "1", "configs": [{"name": "no.such.key", "configOperation": DELETE}]}]}, v=1),))
change("a broker's bad value", (BROKER, "1", [("message.max.bytes", SET, "x")]))
change("the default's bad value", (BROKER, "", [("message.max.bytes", SET, "-1")]))
change("a key of one broker for all", (BROKER, "", [("listeners", SET, "PLAINTEXT://:1")]))
change("keys of one broker and a read-only one for all", (BROKER, "", [
    ("listeners", SET, "PLAINTEXT://:1"), ("node.id", SET, "2"), ("listener.security.protocol.map", SET, "A:PLAINTEXT")]))
CLEANER = ["log.cleaner.backoff.ms"]


def broker_key(who, op, value):
    return ask("IncrementalAlterConfigs", {"resources": [{"resourceType": BROKER, "resourceName": who, "configs": [
        {"name": CLEANER[0], "configOperation": op, "value": value}]}]}, v=1)


def broker_until(who, value, keys=None):
    return until("DescribeConfigs", {"includeSynonyms": True, "resources": [
        {"resourceType": BROKER, "resourceName": who, "configurationKeys": keys or CLEANER}]}, settles({CLEANER[0]: value}), v=4)


# One case, since the broker's settings are one for all.
case("a broker's key and all brokers', over one another", "IncrementalAlterConfigs",
     broker_key("", SET, "14001"), broker_until("1", "14001"), broker_key("1", SET, "14002"), broker_until("1", "14002"),
     ask("DescribeConfigs", {"resources": [{"resourceType": BROKER, "resourceName": "", "configurationKeys": None}],
                             "includeSynonyms": True}),
     broker_key("", DELETE, None),
     until("DescribeConfigs", {"includeSynonyms": True, "resources": [{"resourceType": BROKER, "resourceName": "1",
                                                                      "configurationKeys": CLEANER}]},
           lambda a: len(a["results"][0]["configs"][0]["synonyms"]) == 2, v=4), broker_key("1", DELETE, None), broker_until("1", "15000"),
     versions=[1], alone=True)
GKEYS = (GROUP, "$g", ["consumer.session.timeout.ms", "consumer.heartbeat.interval.ms"])
change("a group's key", (GROUP, "$g", [("consumer.session.timeout.ms", SET, "50000")]), watch=GKEYS,
       then={"consumer.session.timeout.ms": "50000"}, undo=(ask("IncrementalAlterConfigs", {"resources": [
           {"resourceType": GROUP, "resourceName": "$g", "configs": [
               {"name": "consumer.session.timeout.ms", "configOperation": DELETE}]}]}, v=1),))
change("a group's unknown key", (GROUP, "$g", [("no.such.key", SET, "50000")]))
change("a group's key out of range", (GROUP, "$g", [("consumer.session.timeout.ms", SET, "1")]))
change("an empty group name", (GROUP, "", [("consumer.session.timeout.ms", SET, "50000")]))
change("client metrics, empty name", (METRICS, "", [("interval.ms", SET, "1000")]))
change("client metrics, unknown key", (METRICS, "$m", [("no.such.key", SET, "1000")]))
change("a logger that there is not", (LOGGER, "1", [("no.such.logger", SET, "INFO")]))
change("loggers of another broker", (LOGGER, "7", [("root", SET, "INFO")]))
change("good and bad together", (TOPIC, "$t", [("segment.ms", SET, "7777")]), (TOPIC, "$none", [("segment.ms", SET, "1")]),
       (0, "x", [("segment.ms", SET, "1")]), then={"segment.ms": "7777"})


def replace(name, *resources, then=None, **more):
    steps = [ask("AlterConfigs", {"validateOnly": False, "resources": [
        {"resourceType": kind, "resourceName": who, "configs": [{"name": k, "value": v} for k, v in values]}
        for kind, who, values in resources], **more})]
    if then is not None:
        steps.append(until("DescribeConfigs", {"resources": [
            {"resourceType": WATCHED[0], "resourceName": WATCHED[1], "configurationKeys": WATCHED[2]}]}, settles(then)))
    case(name, "AlterConfigs", *steps, topics=ONE)


replace("takes away what is not named", (TOPIC, "$t", [("segment.ms", "7777")]),
        then={"segment.ms": "7777", "retention.ms": "604800000"})
replace("an empty list takes all away", (TOPIC, "$t", []), then={"retention.ms": "604800000"})
replace("null value", (TOPIC, "$t", [("segment.ms", None)]))
replace("a bad value", (TOPIC, "$t", [("segment.ms", "x")]), then={"retention.ms": "123456"})
replace("an unknown key", (TOPIC, "$t", [("no.such.key", "x")]))
replace("a key twice", (TOPIC, "$t", [("segment.ms", "7777"), ("segment.ms", "8888")]))
replace("validated only", (TOPIC, "$t", [("segment.ms", "7777")]), validateOnly=True, then={"retention.ms": "123456"})
replace("unknown topic", (TOPIC, "$none", [("segment.ms", "7777")]))
replace("a name that may not be", (TOPIC, "a bad/name", [("segment.ms", "7777")]))
replace("empty topic name", (TOPIC, "", [("segment.ms", "7777")]))
replace("another broker", (BROKER, "7", [("log.cleaner.backoff.ms", "7777")]))
replace("a broker that is no number", (BROKER, "x", [("log.cleaner.backoff.ms", "7777")]))
# Kafka answers this never.
case("a resource twice", "AlterConfigs", ask("AlterConfigs", {"resources": [{"resourceType": TOPIC, "resourceName": "$t", "configs": [
    {"name": "segment.ms", "value": v}]} for v in ("7777", "8888")]}, wait_s=1), topics=ONE, versions=[2])
replace("no resources")
replace("resource type 0", (0, "$t", [("segment.ms", "7777")]))
replace("loggers", (LOGGER, "1", [("root", "INFO")]))
replace("good and bad together", (TOPIC, "$t", [("segment.ms", "7777")]), (TOPIC, "$none", []), then={"segment.ms": "7777"})

# --- ListConfigResources
case("none asked for", "ListConfigResources", ask("ListConfigResources", {"resourceTypes": []}), topics={"t": 1})
for kind in (TOPIC, BROKER, LOGGER, METRICS, GROUP, 0, 1, -1):
    case(f"type {kind}", "ListConfigResources", ask("ListConfigResources", {"resourceTypes": [kind]}), topics={"t": 1},
         versions=[1])
case("topics and brokers", "ListConfigResources", ask("ListConfigResources", {"resourceTypes": [TOPIC, BROKER]}),
     topics={"t": 1, "u": 1}, versions=[1])
case("a type twice", "ListConfigResources", ask("ListConfigResources", {"resourceTypes": [BROKER, BROKER]}), versions=[1])
