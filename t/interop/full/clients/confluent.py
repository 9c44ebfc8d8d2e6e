"""confluent.py: librdkafka as confluent-kafka brings it. See clients.bash for what it is asked."""
import functools
import os
import signal
import sys

import confluent_kafka as ck
from confluent_kafka import admin as ca

import words

BROKER = {"bootstrap.servers": os.environ["BROKER"]}


@functools.lru_cache(maxsize=None)  # it must live as long as its futures
def admin():
    return ca.AdminClient(BROKER)


def only(futures):
    """The one result of an admin request."""
    return next(iter(futures.values())).result(30)


def produce(topic, partition, codec):
    failed = []
    p = ck.Producer({**BROKER, "enable.idempotence": True, "compression.type": codec})
    for key, value, headers, ms in words.stdin_records():
        p.produce(topic, value, key, int(partition), headers=headers, timestamp=0 if ms is None else ms,
                  on_delivery=lambda error, _: failed.append(error) if error else None)
    assert p.flush(60) == 0 and not failed, failed


def consume(topic, partition, count, start):
    c = ck.Consumer({**BROKER, "group.id": "reader"})
    if start.startswith("@"):
        at = c.offsets_for_times([ck.TopicPartition(topic, int(partition), int(start[1:]))], timeout=30)[0]
    else:
        at = ck.TopicPartition(topic, int(partition), int(start))
    c.assign([at])
    for _ in range(int(count)):
        m = c.poll(30)
        assert m is not None and not m.error(), m and m.error()
        words.record(m.offset(), m.key(), m.value(), m.headers(), m.timestamp()[1])
    c.close()


def member(topic, group):
    going = [True]
    signal.signal(signal.SIGTERM, lambda *_: going.clear())
    c = ck.Consumer({**BROKER, "group.id": group, "auto.offset.reset": "earliest", "session.timeout.ms": 3000,
                     "heartbeat.interval.ms": 300, "auto.commit.interval.ms": 100})

    def changed(*_):
        words.say("assign", *[p.partition for p in c.assignment()])

    def assigned(_, partitions):
        words.say("assign", *[p.partition for p in partitions])

    c.subscribe([topic], on_assign=assigned, on_revoke=changed)
    while going:
        m = c.poll(0.1)
        if m is not None and not m.error():
            words.say("got", m.partition(), m.offset())
    c.close()


def create(topic, partitions, *configs):
    only(admin().create_topics([ca.NewTopic(topic, int(partitions), 1, config=dict(c.split("=") for c in configs))]))


def delete(topic):
    only(admin().delete_topics([topic]))


def grow(topic, count):
    only(admin().create_partitions([ca.NewPartitions(topic, int(count))]))


def topics():
    words.say_lines(admin().list_topics(timeout=30).topics)


def configs_(topic):
    for name, entry in only(admin().describe_configs([ca.ConfigResource("topic", topic)])).items():
        words.say(f"{name}={entry.value}")


def alter(topic, config):
    name, value = config.split("=")
    entry = ca.ConfigEntry(name, value, incremental_operation=ca.AlterConfigOpType.SET)
    only(admin().incremental_alter_configs([ca.ConfigResource("topic", topic, incremental_configs=[entry])]))


def groups():
    words.say_lines([g.group_id for g in admin().list_consumer_groups().result(30).valid])


def members(group):
    words.say(len(only(admin().describe_consumer_groups([group])).members))


def drop(group):
    only(admin().delete_consumer_groups([group]))


def commit(group, topic, *offsets):
    what = [ck.TopicPartition(topic, p, int(o)) for p, o in enumerate(offsets)]
    only(admin().alter_consumer_group_offsets([ck.ConsumerGroupTopicPartitions(group, what)]))


def committed(group, topic):
    found = only(admin().list_consumer_group_offsets([ck.ConsumerGroupTopicPartitions(group)])).topic_partitions
    words.say(*[p.offset for p in sorted(found, key=lambda p: p.partition) if p.topic == topic])


def ends(topic):
    a = admin()
    parts = [ck.TopicPartition(topic, p) for p in sorted(a.list_topics(topic, timeout=30).topics[topic].partitions)]
    low, high = [[f.result(30).offset for f in a.list_offsets({p: spec for p in parts}).values()]
                 for spec in (ca.OffsetSpec.earliest(), ca.OffsetSpec.latest())]
    words.say(*[offset for pair in zip(low, high) for offset in pair])


def cut(topic, partition, offset):
    only(admin().delete_records([ck.TopicPartition(topic, int(partition), int(offset))]))


sys.exit(words.ask({f.__name__.strip("_"): f for f in (
    produce, consume, member, create, delete, grow, topics, configs_, alter, groups, members, drop, commit, committed, ends, cut)}))
