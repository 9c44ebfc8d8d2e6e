"""kafka_python.py: kafka-python. See clients.bash for what it is asked."""
import os
import signal
import sys

import kafka
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, OffsetSpec

import words

BROKER = {"bootstrap_servers": os.environ["BROKER"]}


def admin():
    return KafkaAdminClient(**BROKER)


def produce(topic, partition, codec):
    p = kafka.KafkaProducer(**BROKER, acks="all", enable_idempotence=True, compression_type=None if codec == "none" else codec)
    sent = [p.send(topic, value, key, headers, int(partition), ms) for key, value, headers, ms in words.stdin_records()]
    p.flush()
    for future in sent:
        future.get(30)
    p.close()


def consume(topic, partition, count, start):
    c = kafka.KafkaConsumer(**BROKER, consumer_timeout_ms=30000)
    at = kafka.TopicPartition(topic, int(partition))
    c.assign([at])
    if start.startswith("@"):
        c.seek(at, c.offsets_for_times({at: int(start[1:])})[at].offset)
    else:
        c.seek(at, int(start))
    for _ in range(int(count)):
        r = next(c)
        words.record(r.offset, r.key, r.value, r.headers, r.timestamp)
    c.close()


def member(topic, group):
    going = [True]
    signal.signal(signal.SIGTERM, lambda *_: going.clear())
    c = kafka.KafkaConsumer(**BROKER, group_id=group, auto_offset_reset="earliest", session_timeout_ms=3000,
                            heartbeat_interval_ms=300, auto_commit_interval_ms=100)

    class Changed(kafka.ConsumerRebalanceListener):
        def on_partitions_revoked(self, revoked):
            pass

        def on_partitions_assigned(self, assigned):
            words.say("assign", *[p.partition for p in c.assignment()])

    c.subscribe([topic], listener=Changed())
    while going:
        for records in c.poll(100).values():
            for r in records:
                words.say("got", r.partition, r.offset)
    c.close()


def create(topic, partitions, *configs):
    admin().create_topics({topic: {"num_partitions": int(partitions), "replication_factor": 1,
                                   "configs": dict(c.split("=") for c in configs)}})


def delete(topic):
    admin().delete_topics([topic])


def grow(topic, count):
    admin().create_partitions({topic: int(count)})


def topics():
    words.say_lines(admin().list_topics())


def configs_(topic):
    found = admin().describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)], config_filter="all")
    for name, entry in found["topic"][topic].items():
        words.say(f"{name}={entry['value']}")


def alter(topic, config):
    answer = admin().alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, dict([config.split("=")]))])
    assert answer["topic"][topic] == "OK", answer


def groups():
    words.say_lines([g["group_id"] for g in admin().list_groups()])


def members(group):
    words.say(len(admin().describe_groups([group])[group]["members"]))


def drop(group):
    answer = admin().delete_groups([group])
    assert answer[group] == "OK", answer


def commit(group, topic, *offsets):
    answer = admin().alter_group_offsets(group, {kafka.TopicPartition(topic, p): kafka.OffsetAndMetadata(int(o), "", -1)
                                                 for p, o in enumerate(offsets)})
    assert {error.__name__ for error in answer.values()} == {"NoError"}, answer


def committed(group, topic):
    found = admin().list_group_offsets(group)[group]
    words.say(*[o.offset for p, o in sorted(found.items()) if p.topic == topic])


def ends(topic):
    a = admin()
    parts = [kafka.TopicPartition(topic, p["partition_index"]) for p in a.describe_topics([topic])[0]["partitions"]]
    low, high = [a.list_partition_offsets({p: spec for p in parts}) for spec in (OffsetSpec.EARLIEST, OffsetSpec.LATEST)]
    words.say(*[found[p].offset for p in sorted(parts) for found in (low, high)])


def cut(topic, partition, offset):
    admin().delete_records({kafka.TopicPartition(topic, int(partition)): int(offset)})


sys.exit(words.ask({f.__name__.strip("_"): f for f in (
    produce, consume, member, create, delete, grow, topics, configs_, alter, groups, members, drop, commit, committed, ends, cut)}))
