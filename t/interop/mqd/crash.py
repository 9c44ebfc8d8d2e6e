#!/usr/bin/python3
"""crash.py: clients that go on while their broker is killed, and what must hold afterwards.

usage: crash.py topic BROKER TOPIC COUNT               creates it, with that many partitions
       crash.py produce BROKER TOPIC NAME CODEC      idempotent, acks=all, until TERM; a line
                                                     "PARTITION OFFSET VALUE" for what is acknowledged
       crash.py member BROKER TOPIC GROUP            commits all it reads, until TERM; lines
                                                     "committed|begins PARTITION OFFSET"
       crash.py pymember BROKER TOPIC GROUP          the same by kafka-python
       crash.py committed MEMBER...                  whether no offset of those lines went back
       crash.py compare BROKER TOPIC ACKED...        whether the topic holds what was acknowledged,
                                                     once, in order, and nothing else between

A value is "NAME PARTITION NUMBER"; for each name and partition the numbers begin with 0.
"""
import collections
import signal
import sys

import clients
from clients import ck

STOPPED = []


def partitions_of(client, topic):
    return len(client.list_topics(topic, timeout=60).topics[topic].partitions)


def create(broker, topic, count):
    clients.make_topic(broker, topic, int(count), segment_bytes="1048576")


def produce(broker, topic, name, codec):
    def delivered(error, message):
        assert error is None, f"{message.value()}: {error}"
        print(message.partition(), message.offset(), message.value().decode(), flush=True)

    # What was queued is neither given up nor overtaken: a gap would be the broker's.
    producer = ck().Producer({
        "bootstrap.servers": broker, "enable.idempotence": True, "acks": "all", "compression.codec": codec,
        "message.timeout.ms": 0, "linger.ms": 2, "batch.num.messages": 50, "queue.buffering.max.messages": 2000,
        "reconnect.backoff.max.ms": 200, "retry.backoff.ms": 50})
    count, number = partitions_of(producer, topic), 0
    while not STOPPED:
        for partition in range(count):
            while True:
                try:
                    producer.produce(topic, f"{name} {partition} {number}", partition=partition, on_delivery=delivered)
                    break
                except BufferError:
                    producer.poll(0.05)
        number += 1
        producer.poll(0.001)
    assert producer.flush(120) == 0, "not all was delivered"


def member(broker, topic, group):
    c = clients.consumer(broker, group, enable_auto_commit=False, enable_partition_eof=False,
                         reconnect_backoff_max_ms=200, session_timeout_ms=6000)
    asked, done = set(), {}
    c.subscribe([topic])
    while not STOPPED:
        messages = c.consume(500, 0.1)
        for m in messages:
            if m.error() is None:
                if m.partition() not in asked:
                    asked.add(m.partition())
                    print("begins", m.partition(), m.offset(), flush=True)
                done[m.partition()] = m.offset() + 1
        if not done:
            continue
        try:
            for p in c.commit(offsets=[ck().TopicPartition(topic, p, o) for p, o in done.items()], asynchronous=False):
                if p.error is None:
                    print("committed", p.partition, p.offset, flush=True)
        except ck().KafkaException as error:
            print("# not committed:", error.args[0].name(), file=sys.stderr, flush=True)
        done = {}
    c.close()


def pymember(broker, topic, group):
    import kafka
    from kafka.errors import KafkaError
    c = kafka.KafkaConsumer(topic, bootstrap_servers=broker, group_id=group, auto_offset_reset="earliest",
                            enable_auto_commit=False, session_timeout_ms=6000, heartbeat_interval_ms=500,
                            reconnect_backoff_max_ms=200)
    asked = set()
    while not STOPPED:
        done = {}
        for tp, records in c.poll(100, max_records=500).items():
            if tp.partition not in asked:
                asked.add(tp.partition)
                print("begins", tp.partition, records[0].offset, flush=True)
            done[tp] = kafka.OffsetAndMetadata(records[-1].offset + 1, "")
        if not done:
            continue
        try:
            c.commit(done)
            for tp, o in done.items():
                print("committed", tp.partition, o.offset, flush=True)
        except KafkaError as error:
            print("# not committed:", type(error).__name__, file=sys.stderr, flush=True)
    c.close(autocommit=False)


def committed(*members):
    """A later member begins where the last that was acknowledged ends, or where one that was not does."""
    last = collections.Counter()
    for path in members:
        with open(path, encoding="ascii") as lines:
            for word, partition, offset in map(str.split, lines):
                assert int(offset) >= last[partition], f"{path}: {word} {partition} {offset} after {last[partition]}"
                if word == "committed":
                    last[partition] = int(offset)
    assert last, "nothing was committed"
    print("committed:", *(last[p] for p in sorted(last, key=int)))


def compare(broker, topic, *acked):
    count = partitions_of(clients.consumer(broker), topic)
    next_number, found = collections.Counter(), {}
    for m in sorted(clients.read_all(broker, topic, count), key=lambda m: (m.partition(), m.offset())):
        name, partition, number = m.value().decode().split()
        want = next_number[name, partition]
        assert int(number) == want, f"partition {m.partition()}, offset {m.offset()}: {m.value()}, want number {want}"
        assert int(partition) == m.partition()
        next_number[name, partition] += 1
        found[m.partition(), m.offset()] = m.value().decode()
    number = 0
    for path in acked:
        with open(path, encoding="ascii") as lines:
            for line in lines:
                partition, offset, value = line.rstrip("\n").split(" ", 2)
                have = found.get((int(partition), int(offset)))
                assert have == value, f"partition {partition}, offset {offset}: {have}, acknowledged {value}"
                number += 1
    assert number == len(found), f"{number} acknowledged, {len(found)} there"
    print(f"records: {number}")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: STOPPED.append(1))
    {"topic": create, "produce": produce, "member": member, "pymember": pymember, "committed": committed,
     "compare": compare}[sys.argv[1]](*sys.argv[2:])
