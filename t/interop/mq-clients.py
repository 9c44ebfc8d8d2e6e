#!/usr/bin/python3
"""mq-clients: what Debian's Python clients read from a broker.

usage: mq-clients.py librdkafka|kafka-python BOOTSTRAP TOPIC...

Prints the records of the topics from start to end as KafkaRecords.java does,
each topic in order of partition and offset, under a line "topic NAME".
"""
import base64
import json
import os
import sys


def b64(data):
    return None if data is None else base64.b64encode(data).decode()


def text(partition, offset, append, ts, headers, key, value):
    record = {"partition": partition, "offset": offset,
              "tstype": "append" if append else "create", "ts": ts,
              "headers": [[name, b64(v)] for name, v in headers], "key": b64(key),
              "value": b64(value)}
    return json.dumps(record, separators=(",", ":"), ensure_ascii=False)


def librdkafka(bootstrap, topics):
    import confluent_kafka as ck
    consumer = ck.Consumer({"bootstrap.servers": bootstrap, "group.id": "unused",
                            "enable.auto.commit": False, "enable.partition.eof": True,
                            "check.crcs": True, "isolation.level": "read_uncommitted",
                            "fetch.wait.max.ms": 10})
    known = consumer.list_topics(timeout=30).topics
    left = {(topic, p) for topic in topics for p in known[topic].partitions}
    consumer.assign([ck.TopicPartition(*p, ck.OFFSET_BEGINNING) for p in left])
    got = {topic: [] for topic in topics}
    while left:
        m = consumer.poll(30)
        if m is None:
            sys.exit(f"nothing for 30 s, waiting for {left}")
        if m.error() is None:
            tstype, ts = m.timestamp()
            got[m.topic()].append((m.partition(), m.offset(), tstype == ck.TIMESTAMP_LOG_APPEND_TIME,
                                   ts, m.headers() or [], m.key(), m.value()))
        elif m.error().code() == ck.KafkaError._PARTITION_EOF:
            left.discard((m.topic(), m.partition()))
        else:
            sys.exit(str(m.error()))
    return got.items()


def kafka_python(bootstrap, topics):
    import kafka
    consumer = kafka.KafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False,
                                   check_crcs=True)
    for topic in topics:
        parts = [kafka.TopicPartition(topic, p) for p in consumer.partitions_for_topic(topic)]
        consumer.assign(parts)
        ends, got = consumer.end_offsets(parts), []
        consumer.seek_to_beginning()
        while any(consumer.position(p) < ends[p] for p in parts):
            for records in consumer.poll(1000).values():
                got += [(r.partition, r.offset, r.timestamp_type == 1, r.timestamp, r.headers,
                         r.key, r.value) for r in records]
        yield topic, got


def main():
    client = {"librdkafka": librdkafka, "kafka-python": kafka_python}[sys.argv[1]]
    sys.stdout.reconfigure(encoding="utf-8")
    for topic, records in client(sys.argv[2], sys.argv[3:]):
        print("topic", topic)
        for record in sorted(records, key=lambda r: r[:2]):
            print(text(*record))
    # confluent_kafka 1.7 drops a reference too many to each None that it gives
    # out (keys, values of headers), and at last Python's end trips over that.
    sys.stdout.flush()
    os._exit(0)


NONES = [None] * 1000000
main()
