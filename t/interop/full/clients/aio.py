"""aio.py: aiokafka. See clients.bash for what it is asked."""
import asyncio
import inspect
import os
import signal
import sys

import aiokafka
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

import words

BROKER = {"bootstrap_servers": os.environ["BROKER"]}


def with_admin(work):
    """A command of work, which is given an admin client first."""
    async def command(*args):
        a = AIOKafkaAdminClient(**BROKER)
        await a.start()
        try:
            answer = work(a, *args)
            return await answer if inspect.isawaitable(answer) else answer
        finally:
            await a.close()
    command.__name__ = work.__name__
    return command


async def produce(topic, partition, codec):
    p = aiokafka.AIOKafkaProducer(**BROKER, enable_idempotence=True, compression_type=None if codec == "none" else codec)
    await p.start()
    sent = [await p.send(topic, value, key, int(partition), ms, headers) for key, value, headers, ms in words.stdin_records()]
    for future in sent:
        await future
    await p.stop()


async def consume(topic, partition, count, start):
    c = aiokafka.AIOKafkaConsumer(**BROKER)
    await c.start()
    at = aiokafka.TopicPartition(topic, int(partition))
    c.assign([at])
    if start.startswith("@"):
        c.seek(at, (await c.offsets_for_times({at: int(start[1:])}))[at].offset)
    else:
        c.seek(at, int(start))
    for _ in range(int(count)):
        r = await asyncio.wait_for(c.getone(), 30)
        words.record(r.offset, r.key, r.value, r.headers, r.timestamp)
    await c.stop()


async def member(topic, group):
    ending = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ending.set)
    c = aiokafka.AIOKafkaConsumer(**BROKER, group_id=group, auto_offset_reset="earliest", session_timeout_ms=3000,
                                  heartbeat_interval_ms=300, auto_commit_interval_ms=100)

    class Changed(aiokafka.ConsumerRebalanceListener):
        def on_partitions_revoked(self, revoked):
            pass

        def on_partitions_assigned(self, assigned):
            words.say("assign", *[p.partition for p in assigned])

    c.subscribe([topic], listener=Changed())
    await c.start()
    while not ending.is_set():
        for records in (await c.getmany(timeout_ms=100)).values():
            for r in records:
                words.say("got", r.partition, r.offset)
    await c.stop()


def no_error(response):
    for name, code, *_ in getattr(response, "topic_errors", None) or getattr(response, "topic_error_codes", ()):
        assert code == 0, (name, code)


@with_admin
async def create(a, topic, partitions, *configs):
    no_error(await a.create_topics([NewTopic(topic, int(partitions), 1, topic_configs=dict(c.split("=") for c in configs))]))


@with_admin
async def delete(a, topic):
    no_error(await a.delete_topics([topic]))


@with_admin
async def grow(a, topic, count):
    no_error(await a.create_partitions({topic: NewPartitions(int(count))}))


@with_admin
async def topics(a):
    words.say_lines(await a.list_topics())


@with_admin
async def configs_(a, topic):
    answer = (await a.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)]))[0].resources[0]
    assert answer[0] == 0, answer
    for name, value, *_ in answer[4]:
        words.say(f"{name}={value}")


@with_admin
async def alter(a, topic, config):
    answer = (await a.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, dict([config.split("=")]))]))[0]
    assert answer.resources[0][0] == 0, answer


@with_admin
async def groups(a):
    words.say_lines([g[0] for g in await a.list_consumer_groups()])


@with_admin
async def members(a, group):
    words.say(len((await a.describe_consumer_groups([group]))[0].groups[0][5]))


async def commit(group, topic, *offsets):
    c = aiokafka.AIOKafkaConsumer(**BROKER, group_id=group, enable_auto_commit=False)
    await c.start()
    parts = {aiokafka.TopicPartition(topic, p): int(o) for p, o in enumerate(offsets)}
    c.assign(list(parts))
    await c.commit(parts)
    await c.stop()


@with_admin
async def committed(a, group, topic):
    found = await a.list_consumer_group_offsets(group)
    words.say(*[o.offset for p, o in sorted(found.items()) if p.topic == topic])


async def ends(topic):
    c = aiokafka.AIOKafkaConsumer(topic, **BROKER)
    await c.start()
    parts = sorted(c.assignment())
    low, high = await c.beginning_offsets(parts), await c.end_offsets(parts)
    words.say(*[found[p] for p in parts for found in (low, high)])
    await c.stop()


@with_admin
async def cut(a, topic, partition, offset):
    await a.delete_records({aiokafka.TopicPartition(topic, int(partition)): RecordsToDelete(int(offset))})


def run(function):
    def command(*args):
        asyncio.run(function(*args))
    return command


sys.exit(words.ask({f.__name__.strip("_"): run(f) for f in (
    produce, consume, member, create, delete, grow, topics, configs_, alter, groups, members, commit, committed, ends, cut)}))
