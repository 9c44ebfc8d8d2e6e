"""oracle_words: what the cases of oracle.py are written with.

    case(NAME, API, step, step, ..., topics={"t": 1}, versions=None, alone=False)

declares one case. It is run once for each version of API (versions: None all,
(low, high), or a list). Each run has names of its own: "$t" in any string is a
topic or group that no other run has, and is shown as $t again. topics are made
before the first step and deleted after the last: a number of partitions, or
dict(partitions=2, configs={"max.message.bytes": "100"}). alone: no other case
runs meanwhile, since this one changes or shows what is not its own.

Steps, in the order in which they happen (each belongs to connection conn, which
is opened when first used, and again after the broker closed it):

    ask(API, BODY)          send a request, take its answer
    send(API, BODY)         send only
    take(conn=...)          the next answer that a send waits for
    pending(conn=...)       fact: no answer has come within 0.3 s
    silent(API, BODY)       a request that has no answer; a second one behind it
                            shows whether the connection lives
    raw(BYTES)              bytes as they are, framed (unframed=True: not); the
                            answer, answer=(API, version) says of what; or closed
    until(API, BODY, test)  ask again until test(answer), then that is the answer
    hang_up(conn=...)       close the connection

v= is the version: of the case's own API the one that is run, of another its
highest. save={"member": "memberId"} keeps a value of the answer for
Saved("member"); the path may have numbers: "topics.0.partitions.0.offset".
BODY is a dict as kafka_wire encodes it, or a function of the version. In it:
Saved(name), Id("t") (a topic's id), batch(...) (kafka_wire.record_batch, with
Saved in it if need be), T(n) (a time, n ms after one fixed for the run, in the
past, shown as T0+n), Raw(bytes).
"""
import time

from kafka_wire import NULL_UUID, Raw, legacy_set, record, record_batch  # noqa: F401 (for the cases)

CASES = []
# Records' times: fixed for a run, and too old to be taken for the clock's.
T0 = (int(time.time()) - 4000) // 1000 * 1000 * 1000
OTHER_UUID = "b3JhY2xlLXVua25vd24tMQ"


class Saved(str):
    """A value that an earlier step saved."""


class Id(str):
    """The id of a topic of the case."""


class Lazy:
    """A call whose arguments may hold any of the above."""

    def __init__(self, function, *args, **kwargs):
        self.function, self.args, self.kwargs = function, args, kwargs

    def __repr__(self):
        given = [repr(a) for a in self.args] + [f"{k}={v!r}" for k, v in self.kwargs.items()]
        return f"{self.function.__name__.replace('record_', '')}({', '.join(given)})"


def T(ms=0):
    return T0 + ms


def batch(records=1, **kwargs):
    if not {"ts", "base_ts"} & set(kwargs):
        kwargs["ts"] = T0
    return Lazy(record_batch, records, **kwargs)


def legacy(**kwargs):
    return Lazy(legacy_set, ts=T0, **kwargs)


def joined(*parts):
    def both(*parts):
        return b"".join(parts)
    return Lazy(both, *parts)


def idem(records=1, seq=0, pid=Saved("pid"), epoch=Saved("epoch"), **kwargs):
    return batch(records, pid=pid, epoch=epoch, seq=seq, **kwargs)


class Case:
    def __init__(self, name, api, steps, topics, versions, alone):
        self.name, self.api, self.steps, self.topics, self.versions = name, api, steps, topics, versions
        self.alone = alone
        self.title = f"{api}: {name}"


def case(name, api, *steps, topics=None, versions=None, alone=False):
    made = Case(name, api, steps, topics or {}, versions, alone)
    if any(made.title == other.title for other in CASES):
        raise ValueError(f"two cases are called {made.title}")
    CASES.append(made)


def _step(kind, api=None, body=None, conn="a", v=None, save=None, **more):
    return {"kind": kind, "api": api, "body": {} if body is None else body, "conn": conn, "v": v,
            "save": save or {}, **more}


def ask(api, body=None, **more):
    return _step("ask", api, body, **more)


def send(api, body=None, **more):
    return _step("send", api, body, **more)


def take(conn="a", **more):
    return _step("take", conn=conn, **more)


def pending(conn="a"):
    return _step("pending", conn=conn)


def silent(api, body=None, **more):
    return _step("silent", api, body, **more)


def raw(data, **more):
    return _step("raw", data=data, **more)


def until(api, body, test, **more):
    return _step("until", api, body, test=test, **more)


def hang_up(conn="a"):
    return _step("hang_up", conn=conn)


# --- requests that many cases make --------------------------------------------

def by_topic(name, **more):
    """A topic by name and by id; the version takes which it has."""
    known = isinstance(name, str) and name.startswith("$") and not name.startswith("$no")
    return {"name": name, "topicId": Id(name[1:]) if known else OTHER_UUID, **more}


def produce(topic, *records, acks=-1, partition=0, timeout=10000, **more):
    """records: one for each partition from partition on."""
    parts = [{"index": partition + i, "records": r} for i, r in enumerate(records)]
    return {"acks": acks, "timeoutMs": timeout, "topicData": [by_topic(topic, partitionData=parts)], **more}


def put(topic, *records, **more):
    """A step that fills a topic: in cases whose subject is something else."""
    return ask("Produce", produce(topic, *records), v=9 if "v" not in more else more.pop("v"), **more)


def pid(name="pid", epoch="epoch", **more):
    """A step that gets a producer id."""
    return ask("InitProducerId", {"transactionalId": None, "transactionTimeoutMs": 60000},
               save={name: "producerId", epoch: "producerEpoch"}, **more)


def fetch(topic=None, offset=0, partition=0, max_bytes=1 << 20, epoch=-1, topics=None, last_epoch=-1, **more):
    if topics is None:
        part = {"partition": partition, "fetchOffset": offset, "partitionMaxBytes": max_bytes,
                "currentLeaderEpoch": epoch, "lastFetchedEpoch": last_epoch}
        named = by_topic(topic, partitions=[part])
        topics = [{"topic": named.pop("name"), **named}]
    return {"maxWaitMs": 0, "minBytes": 0, "maxBytes": 1 << 20, "topics": topics, **more}


def fetch_topic(topic, *parts):
    """parts: (partition, offset) or (partition, offset, maxBytes)."""
    named = by_topic(topic, partitions=[
        {"partition": p[0], "fetchOffset": p[1], "partitionMaxBytes": p[2] if len(p) > 2 else 1 << 20} for p in parts])
    return {"topic": named.pop("name"), **named}
