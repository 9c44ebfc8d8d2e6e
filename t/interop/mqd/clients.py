#!/usr/bin/python3
"""clients.py: Debian's Python clients, unmodified, against a broker.

usage: clients.py confluent|kafka-python BROKER      TAP: what the client can do
       clients.py committed BROKER GROUP TOPIC       the group's offsets, one a partition
"""
import functools
import os
import random
import sys
import threading
import time

CHECKS = {"confluent": [], "kafka-python": []}
RUN = f"{random.randrange(1 << 24):06x}"
# For records of old dates: retention takes a segment whose last record is too old,
# the active one as well, so also one that has only the first of several batches.
KEPT = {"retention_ms": "-1"}


def check(client):
    def register(function):
        CHECKS[client].append(function)
        return function
    return register


def eventually(test, seconds=60):
    end = time.monotonic() + seconds
    while not test():
        assert time.monotonic() < end, "it did not become true"
        time.sleep(0.05)


# --- confluent_kafka ----------------------------------------------------------

def ck():
    import confluent_kafka
    return confluent_kafka


@functools.lru_cache(maxsize=None)  # it must live as long as its futures
def admin(broker):
    from confluent_kafka.admin import AdminClient
    return AdminClient({"bootstrap.servers": broker})


def make_topic(broker, topic, partitions=1, **config):
    from confluent_kafka.admin import NewTopic
    futures = admin(broker).create_topics([NewTopic(topic, partitions, 1, config={
        k.replace("_", "."): v for k, v in config.items()})])
    futures[topic].result(30)
    eventually(lambda: topic in admin(broker).list_topics(timeout=10).topics)


def produce_all(broker, topic, records, **config):
    """records: dicts for produce(); their delivery reports, in the order in which they came."""
    reports = []
    producer = ck().Producer({"bootstrap.servers": broker, **{k.replace("_", "."): v for k, v in config.items()}})
    for r in records:
        producer.produce(topic, on_delivery=lambda error, message: reports.append((error, message)), **r)
    assert producer.flush(60) == 0
    assert not [e for e, _ in reports if e], reports
    return reports


def consumer(broker, group="unused", **config):
    return ck().Consumer({"bootstrap.servers": broker, "group.id": group, "auto.offset.reset": "earliest",
                          "enable.partition.eof": True, "session.timeout.ms": 2000, "heartbeat.interval.ms": 200,
                          **{k.replace("_", "."): v for k, v in config.items()}})


def read_all(broker, topic, partitions=1, start=None):
    c = consumer(broker)
    c.assign([ck().TopicPartition(topic, p, ck().OFFSET_BEGINNING if start is None else start) for p in range(partitions)])
    found, ended = [], 0
    while ended < partitions:
        message = c.poll(30)
        assert message is not None, "nothing for 30 s"
        if message.error() is None:
            found.append(message)
        else:
            assert message.error().code() == ck().KafkaError._PARTITION_EOF, message.error()
            ended += 1
    c.close()
    return found


@check("confluent")
def keys_headers_nulls_and_times(broker, topic):
    make_topic(broker, topic, **KEPT)
    records = [{"key": "k", "value": "v", "timestamp": 1700000000123}, {"key": None, "value": b""}, {"key": b"", "value": None},
               {"value": "h", "headers": [("a", b"1"), ("a", b"2"), ("none", None), ("empty", b"")]}]
    produce_all(broker, topic, [{"partition": 0, **r} for r in records])
    found = read_all(broker, topic)
    seen = [(m.key(), m.value()) for m in found]
    assert seen == [(b"k", b"v"), (None, b""), (b"", None), (None, b"h")], [(m.offset(), m.key(), m.value()) for m in found]
    assert found[3].headers() == [("a", b"1"), ("a", b"2"), ("none", None), ("empty", b"")]
    assert found[0].timestamp() == (ck().TIMESTAMP_CREATE_TIME, 1700000000123)


@check("confluent")
def every_codec_idempotent(broker, topic):
    make_topic(broker, topic)
    for i, codec in enumerate(("none", "gzip", "snappy", "lz4", "zstd")):
        reports = produce_all(broker, topic, [{"partition": 0, "value": b"%s %d" % (codec.encode(), n)} for n in range(500)],
                              compression_type=codec, enable_idempotence=True)
        assert [m.offset() for _, m in reports] == list(range(500 * i, 500 * i + 500))
    assert [m.offset() for m in read_all(broker, topic)] == list(range(2500))


@check("confluent")
def log_append_time(broker, topic):
    make_topic(broker, topic, message_timestamp_type="LogAppendTime")
    produce_all(broker, topic, [{"partition": 0, "value": "v", "timestamp": 5}])
    kind, ms = read_all(broker, topic)[0].timestamp()
    assert kind == ck().TIMESTAMP_LOG_APPEND_TIME and abs(ms / 1000 - time.time()) < 60


@check("confluent")
def watermarks_and_times(broker, topic):
    make_topic(broker, topic, **KEPT)
    produce_all(broker, topic, [{"partition": 0, "value": "v", "timestamp": 1700000000000 + n} for n in range(100)])
    c = consumer(broker)
    assert c.get_watermark_offsets(ck().TopicPartition(topic, 0), timeout=10) == (0, 100)
    for at, want in ((1700000000050, 50), (5, 0), (1700000000099, 99)):
        found = c.offsets_for_times([ck().TopicPartition(topic, 0, at)], timeout=10)
        assert found[0].offset == want, found
    assert c.offsets_for_times([ck().TopicPartition(topic, 0, 1800000000000)], timeout=10)[0].offset == -1
    c.close()


@check("confluent")
def admin_of_topics(broker, topic):
    from confluent_kafka.admin import NewPartitions
    make_topic(broker, topic, 2, retention_ms="123456789")
    a = admin(broker)
    a.create_partitions([NewPartitions(topic, 5)])[topic].result(30)
    eventually(lambda: len(a.list_topics(topic, timeout=10).topics[topic].partitions) == 5)
    a.delete_topics([topic])[topic].result(30)
    eventually(lambda: topic not in a.list_topics(timeout=10).topics)


@check("confluent")
def admin_of_configs(broker, topic):
    from confluent_kafka.admin import ConfigResource
    make_topic(broker, topic, retention_ms="123456789")
    a = admin(broker)
    one = ConfigResource("topic", topic)

    def described():
        return next(iter(a.describe_configs([one]).values())).result(30)

    assert described()["retention.ms"].value == "123456789"
    assert described()["segment.bytes"].is_default
    next(iter(a.alter_configs([ConfigResource("topic", topic, set_config={"segment.ms": "7777777"})]).values())).result(30)
    eventually(lambda: described()["segment.ms"].value == "7777777")
    assert described()["retention.ms"].value == "604800000"  # alter_configs replaces all
    node = next(iter(a.list_topics(timeout=10).brokers))
    brokers = next(iter(a.describe_configs([ConfigResource("broker", str(node))]).values())).result(30)
    assert brokers["node.id" if "node.id" in brokers else "broker.id"].value == str(node)


@check("confluent")
def errors_have_their_names(broker, topic):
    from confluent_kafka.admin import NewTopic
    make_topic(broker, topic)
    for new, want in ((NewTopic(topic, 1, 1), "TOPIC_ALREADY_EXISTS"), (NewTopic(topic + "/", 1, 1), "TOPIC_EXCEPTION"),
                      (NewTopic(topic + "x", 1, 7), "INVALID_REPLICATION_FACTOR"),
                      (NewTopic(topic + "x", 1, 1, config={"no.such": "1"}), "INVALID_CONFIG")):
        try:
            admin(broker).create_topics([new])[new.topic].result(30)
            raise AssertionError(f"{want} did not come")
        except ck().KafkaException as error:
            assert error.args[0].name() == want, error.args[0].name()


@check("confluent")
def commits_by_hand(broker, topic):
    make_topic(broker, topic, 2)
    c = consumer(broker, topic, enable_auto_commit=False)
    c.commit(offsets=[ck().TopicPartition(topic, 0, 7), ck().TopicPartition(topic, 1, 9)], asynchronous=False)
    found = c.committed([ck().TopicPartition(topic, p) for p in range(2)], timeout=10)
    assert [p.offset for p in found] == [7, 9]
    groups = admin(broker).list_groups(topic, timeout=10)
    assert [g.id for g in groups] == [topic] and groups[0].state == "Empty", groups
    c.close()


@check("confluent")
def a_group_with_members(broker, topic):
    make_topic(broker, topic, 4)
    produce_all(broker, topic, [{"partition": n % 4, "value": str(n)} for n in range(400)])
    seen, stop, lock = set(), threading.Event(), threading.Lock()

    def member(until):
        c = consumer(broker, topic)
        c.subscribe([topic])
        while not stop.is_set() and not until.is_set():
            message = c.poll(0.1)
            if message is not None and message.error() is None:
                with lock:
                    seen.add((message.partition(), message.offset()))
        c.close()

    first = threading.Event()
    threads = [threading.Thread(target=member, args=(e,)) for e in (first, threading.Event(), threading.Event())]
    for t in threads:
        t.start()

    def members():
        return sum(len(g.members) for g in admin(broker).list_groups(topic, timeout=10))

    eventually(lambda: members() == 3)
    first.set()
    eventually(lambda: members() == 2)
    produce_all(broker, topic, [{"partition": n % 4, "value": str(n)} for n in range(400)])
    eventually(lambda: len(seen) == 800)
    stop.set()
    for t in threads:
        t.join()
    c = consumer(broker, topic)
    assert [p.offset for p in c.committed([ck().TopicPartition(topic, p) for p in range(4)], timeout=10)] == [200] * 4
    c.close()


# --- kafka-python -------------------------------------------------------------

@check("kafka-python")
def keys_headers_and_nulls(broker, topic):
    import kafka
    producer = kafka.KafkaProducer(bootstrap_servers=broker, acks="all")
    sent = [dict(key=b"k", value=b"v", headers=[("a", b"1"), ("a", b"")]), dict(key=b"k", value=None), dict(key=None, value=b"")]
    offsets = [producer.send(topic, partition=0, **r).get(30).offset for r in sent]
    assert offsets == [0, 1, 2]
    found = python_read(broker, topic, 3)
    assert [(r.key, r.value) for r in found] == [(b"k", b"v"), (b"k", None), (None, b"")]
    assert found[0].headers == [("a", b"1"), ("a", b"")]
    producer.close()


def python_read(broker, topic, count):
    import kafka
    c = kafka.KafkaConsumer(bootstrap_servers=broker, auto_offset_reset="earliest", enable_auto_commit=False,
                            consumer_timeout_ms=30000, check_crcs=True)
    c.assign([kafka.TopicPartition(topic, 0)])
    c.seek_to_beginning()
    found = []
    for r in c:
        found.append(r)
        if len(found) == count:
            break
    c.close()
    return found


@check("kafka-python")
def codecs_that_debian_has(broker, topic):
    import kafka
    from kafka import codec
    names = [n for n in ("gzip", "snappy", "lz4") if getattr(codec, f"has_{n}")()]
    assert "gzip" in names
    for name in (None, *names):
        producer = kafka.KafkaProducer(bootstrap_servers=broker, compression_type=name, linger_ms=20)
        for n in range(300):
            producer.send(topic, b"%d" % n, partition=0)
        producer.close()
    found = python_read(broker, topic, 300 * (1 + len(names)))
    assert [r.value for r in found] == [b"%d" % n for n in range(300)] * (1 + len(names))


@check("kafka-python")
def offsets_by_time(broker, topic):
    import kafka
    from kafka.admin import KafkaAdminClient, NewTopic
    a = KafkaAdminClient(bootstrap_servers=broker)
    a.create_topics([NewTopic(topic, 1, 1, topic_configs={k.replace("_", "."): v for k, v in KEPT.items()})])
    a.close()
    producer = kafka.KafkaProducer(bootstrap_servers=broker)
    for n in range(50):
        producer.send(topic, b"v", partition=0, timestamp_ms=1700000000000 + n).get(30)
    producer.close()
    c = kafka.KafkaConsumer(bootstrap_servers=broker)
    p = kafka.TopicPartition(topic, 0)
    assert c.offsets_for_times({p: 1700000000020})[p].offset == 20
    assert c.offsets_for_times({p: 1800000000000})[p] is None
    assert c.beginning_offsets([p])[p] == 0 and c.end_offsets([p])[p] == 50
    c.close()


@check("kafka-python")
def admin_client(broker, topic):
    from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, NewPartitions, NewTopic
    a = KafkaAdminClient(bootstrap_servers=broker)
    a.create_topics([NewTopic(topic, 2, 1, topic_configs={"retention.ms": "123456789"})])
    eventually(lambda: topic in a.list_topics())
    a.create_partitions({topic: NewPartitions(4)})
    eventually(lambda: len(a.describe_topics([topic])[0]["partitions"]) == 4)
    answer = a.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
    configs = {c[0]: c[1] for c in answer[0].resources[0][4]}
    assert configs["retention.ms"] == "123456789"
    a.delete_topics([topic])
    eventually(lambda: topic not in a.list_topics())
    a.close()


@check("kafka-python")
def a_group_with_two_members(broker, topic):
    import kafka
    from kafka.admin import KafkaAdminClient, NewTopic
    a = KafkaAdminClient(bootstrap_servers=broker)
    a.create_topics([NewTopic(topic, 4, 1)])
    producer = kafka.KafkaProducer(bootstrap_servers=broker)
    seen, stop, lock = set(), threading.Event(), threading.Lock()

    def member():
        c = kafka.KafkaConsumer(topic, bootstrap_servers=broker, group_id=topic, auto_offset_reset="earliest",
                                session_timeout_ms=6000, heartbeat_interval_ms=200, auto_commit_interval_ms=100)
        while not stop.is_set():
            for records in c.poll(100).values():
                with lock:
                    seen.update((r.partition, r.offset) for r in records)
        c.close()

    threads = [threading.Thread(target=member) for _ in range(2)]
    for t in threads:
        t.start()
    for n in range(400):
        producer.send(topic, b"%d" % n, partition=n % 4)
        time.sleep(0.005)
    producer.close()
    eventually(lambda: len(seen) == 400)
    stop.set()
    for t in threads:
        t.join()
    assert {p.partition: o.offset for p, o in a.list_consumer_group_offsets(topic).items()} == {n: 100 for n in range(4)}
    a.close()


# --- running ------------------------------------------------------------------

def committed(broker, group, topic):
    c = consumer(broker, group)
    count = len(c.list_topics(topic, timeout=10).topics[topic].partitions)
    print(*[p.offset for p in c.committed([ck().TopicPartition(topic, p) for p in range(count)], timeout=10)])
    c.close()


def run(client, broker):
    failed = 0
    for number, function in enumerate(CHECKS[client], 1):
        name = function.__name__.replace("_", " ")
        try:
            function(broker, f"{client}-{number}-{RUN}")
            print(f"ok {number} - {name}", flush=True)
        except Exception as error:  # pylint: disable=broad-except
            import traceback
            failed += 1
            print(f"not ok {number} - {name}")
            print("".join(f"# {line}\n" for line in traceback.format_exc().splitlines()), end="", flush=True)
    print(f"1..{len(CHECKS[client])}")
    return 1 if failed else 0


# confluent_kafka 1.7 drops a reference too many to each None that it gives out.
NONES = [None] * 1000000

if __name__ == "__main__":
    STATUS = committed(*sys.argv[2:]) if sys.argv[1] == "committed" else run(*sys.argv[1:])
    sys.stdout.flush()
    os._exit(STATUS or 0)
