#!/usr/bin/env python3
"""oracle.py: asks two brokers the same and compares every field of the answers.

See what Apache Kafka answers, within seconds:

    read K DIR <<<"$(t/interop/oracle-kafka.sh)"     a Kafka; K is HOST:PORT
    t/interop/oracle.py --list                       the cases
    t/interop/oracle.py --show $K 'Produce: bad'     requests and answers of the
                                                     cases that match, newest version
    t/interop/oracle.py --show $K -V all 'JoinGroup: '     -V 3, -V 0-2, -V ends
    t/interop/oracle.py --ask $K Metadata 12 '{"topics": null}'    one of your own
    t/interop/oracle.py --fields Fetch               fields of a request and its
                                                     answer, their versions, defaults
    t/interop/oracle-kafka.sh -s $DIR                stops it

Compare two brokers, the first of which is right (TAP; 1 if one differs):

    t/interop/oracle.py KAFKA OTHER [REGEX]          REGEX: "API: name" of the cases
       -V VERSIONS   all (default), ends, a number, LOW-HIGH
       -j N          so many cases at once (4)
       -v            what is accepted as different is shown, too

A differing field is printed as "step PATH: what the first says | the second".
Lists that have the same elements in another order differ in PATH#order.

Differences that are meant are the table ACCEPTED in oracle_accepted.py, each with
its reason; it holds for the second broker, and an entry that a full run does not
use is an error. Without -a it is not looked at: two Kafkas must not differ.

How cases are written: oracle_words.py. The cases: oracle_cases/. What cannot be
the same on two brokers is replaced by a word in <>, see Names below; everything
else is compared.
"""
import argparse
import concurrent.futures
import importlib
import json
import os
import pkgutil
import random
import re
import select
import socket
import struct
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True

import kafka_wire  # noqa: E402
import oracle_cases  # noqa: E402
import oracle_words as words  # noqa: E402

RUN = f"{random.randrange(1 << 24):06x}"
WAIT_S = 15
WIRE = kafka_wire.load()


# --- connections --------------------------------------------------------------

class Closed(Exception):
    """The broker has closed the connection."""


class Conn:
    def __init__(self, address):
        self.sock = socket.create_connection(address, timeout=WAIT_S)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.waiting, self.correlation = [], 0

    def send_frame(self, content):
        try:
            self.sock.sendall(struct.pack(">i", len(content)) + content)
        except OSError:
            pass  # closed: the answer's reader will notice

    def send(self, api, version, body, **more):
        self.correlation += 1
        self.send_frame(WIRE.encode(api, version, body, self.correlation, **more))
        self.waiting.append((api, version, self.correlation))

    def readable(self, seconds):
        return bool(select.select([self.sock], [], [], seconds)[0])

    def exactly(self, count):
        data = b""
        while len(data) < count:
            try:
                part = self.sock.recv(count - len(data))
            except ConnectionError:
                part = b""
            if not part:
                raise Closed
            data += part
        return data

    def frame(self):
        return self.exactly(struct.unpack(">i", self.exactly(4))[0])

    def take(self):
        """The answer to the oldest request that has none."""
        api, version, correlation = self.waiting.pop(0)
        data = self.frame()
        if api == "ApiVersions" and data[4:6] == b"\0\x23":
            version = 0  # unsupported version: always answered in version 0
        got, body = WIRE.decode(api, version, data)
        if got != correlation:
            raise kafka_wire.WireError(f"correlation id {got}, want {correlation}")
        return body

    def close(self):
        self.sock.close()


def connect(address):
    host, _, port = address.rpartition(":")
    return Conn((host, int(port)))


class Broker:
    """What is asked, and what is the broker's own: its ids and its address."""

    def __init__(self, address):
        self.address, self.port = address, int(address.rpartition(":")[2])
        conn = connect(address)
        self.cluster_id = self.call(conn, "Metadata", 9, {"topics": []})["clusterId"]
        self.warm_up(conn)
        self.dirs = [r["logDir"] for r in self.call(conn, "DescribeLogDirs", 4, {"topics": []})["results"]]
        conn.close()

    @staticmethod
    def call(conn, api, version, body):
        conn.send(api, version, body)
        return conn.take()

    def warm_up(self, conn):
        """What a fresh broker makes when first asked is made before the cases."""
        groups = [f"oracle-{RUN}-0-{i}" for i in range(16)]
        self.poll(lambda: self.call(conn, "FindCoordinator", 3, {"key": groups[0], "keyType": 0})["errorCode"] == 0)
        self.poll(lambda: not any(g["errorCode"] in (14, 15, 16) for g in self.call(
            conn, "DescribeGroups", 5, {"groups": groups})["groups"]))
        self.poll(lambda: self.call(conn, "InitProducerId", 4, {
            "transactionalId": None, "transactionTimeoutMs": 1000})["errorCode"] == 0)

    @staticmethod
    def poll(test):
        end = time.monotonic() + WAIT_S
        while not test():
            if time.monotonic() > end:
                raise TimeoutError("the broker did not become ready")
            time.sleep(0.02)


# --- one run of one case at one broker ----------------------------------------

class Session:
    def __init__(self, broker, case, version, number):
        self.broker, self.case, self.version = broker, case, version
        self.prefix = f"oracle-{RUN}-{number}-"
        self.conns, self.saved, self.ids, self.trace = {}, {}, {}, []
        self.names = Names(self)

    def conn(self, name="a"):
        if name not in self.conns:
            self.conns[name] = connect(self.broker.address)
        return self.conns[name]

    def drop(self, name):
        if name in self.conns:
            self.conns.pop(name).close()

    def full(self, text):
        return re.sub(r"\$([a-z][a-z0-9]*)", lambda m: self.prefix + m[1], text)

    def resolve(self, value):
        if isinstance(value, words.Saved):
            return self.saved[value]
        if isinstance(value, words.Id):
            return self.ids.get(value, words.OTHER_UUID)
        if isinstance(value, str):
            return self.full(value)
        if isinstance(value, dict):
            return {key: self.resolve(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.resolve(item) for item in value]
        if isinstance(value, words.Lazy):
            return value.function(*[self.resolve(a) for a in value.args],
                                  **{k: self.resolve(a) for k, a in value.kwargs.items()})
        return value

    def make_topics(self):
        if not self.case.topics:
            return
        specs = {name: spec if isinstance(spec, dict) else {"partitions": spec} for name, spec in self.case.topics.items()}
        topics = [{"name": self.prefix + name, "numPartitions": spec.get("partitions", 1), "replicationFactor": 1,
                   "configs": [{"name": k, "value": v} for k, v in spec.get("configs", {}).items()]}
                  for name, spec in specs.items()]
        made = Broker.call(self.conn("setup"), "CreateTopics", 7, {"topics": topics})["topics"]
        for topic in made:
            if topic["errorCode"]:
                raise RuntimeError(f"cannot create a topic: {topic}")
            self.ids[topic["name"].removeprefix(self.prefix)] = topic["topicId"]
        wanted = {"replicaId": -1, "topics": [{"name": t["name"], "partitions": [
            {"partitionIndex": p, "timestamp": -1} for p in range(t["numPartitions"])]} for t in topics]}
        Broker.poll(lambda: not any(p["errorCode"] for t in Broker.call(
            self.conn("setup"), "ListOffsets", 6, wanted)["topics"] for p in t["partitions"]))

    def clean_up(self):
        self.drop("setup")
        if self.case.topics:
            Broker.call(self.conn("setup"), "DeleteTopics", 5, {
                "topicNames": [self.prefix + name for name in self.case.topics], "timeoutMs": 5000})
        for name in list(self.conns):
            self.drop(name)

    def run(self):
        """The trace: what was asked, (what, answer) with the answers made comparable."""
        try:
            self.make_topics()
            for step in self.case.steps:
                self.do(step)
        finally:
            self.clean_up()
        return self.trace

    def do(self, step):
        version = step["v"]
        if version is None and step["api"]:
            version = self.version if step["api"] == self.case.api else WIRE[step["api"]].versions[1]
        label, body = f"{step['api']} v{version}", step["body"]
        if callable(body):
            body = body(version)
        try:
            answer = getattr(self, "do_" + step["kind"])(step, version, body)
        except Closed:
            answer = "closed"
            self.drop(step["conn"])
        except kafka_wire.WireError as error:
            answer = f"cannot be decoded: {error}"
            self.drop(step["conn"])
        except TimeoutError:
            answer = f"no answer within {step.get('wait_s', WAIT_S)} s"
            self.drop(step["conn"])
        if isinstance(answer, tuple):
            label, answer = answer
        for name, path in step["save"].items():
            self.saved[name] = at_path(answer, path)
        label = {"take": label, "pending": "pending", "raw": "raw", "hang_up": "hang up"}.get(step["kind"], label)
        self.trace.append((label + ("" if step["conn"] == "a" else f" @{step['conn']}"),
                           self.shown_request(step, version, body), self.names.tame(answer, "", label)))

    def shown_request(self, step, version, body):
        if step["kind"] == "raw":
            data = self.resolve(step["data"](self) if callable(step["data"]) else step["data"])
            return data
        return WIRE[step["api"]].request.trimmed(version, body) if step["api"] else None

    def more(self, step):
        return {key: step[key] for key in ("client_id", "key") if key in step}

    def do_send(self, step, version, body):
        self.conn(step["conn"]).send(step["api"], version, self.resolve(body), **self.more(step))
        return "sent"

    def do_ask(self, step, version, body):
        self.do_send(step, version, body)
        conn = self.conn(step["conn"])
        conn.sock.settimeout(step.get("wait_s", WAIT_S))
        answer = conn.take()
        conn.sock.settimeout(WAIT_S)
        return answer

    def do_take(self, step, _version, _body):
        conn = self.conn(step["conn"])
        api, version, _ = conn.waiting[0]
        return f"{api} v{version}", conn.take()

    def do_pending(self, step, _version, _body):
        return "came" if self.conn(step["conn"]).readable(0.3) else "none yet"

    def do_silent(self, step, version, body):
        conn = self.conn(step["conn"])
        self.do_send(step, version, body)
        conn.waiting.pop()
        conn.send("ApiVersions", 0, {})
        _, _, probe = conn.waiting.pop()
        got = struct.unpack(">i", conn.frame()[:4])[0]
        return "no answer" if got == probe else "an answer"

    def do_until(self, step, version, body):
        end = time.monotonic() + WAIT_S
        while True:
            answer = self.do_ask(step, version, body)
            if step["test"](answer) or time.monotonic() > end:
                return answer
            time.sleep(0.05)

    def do_raw(self, step, _version, _body):
        conn = self.conn(step["conn"])
        data = self.resolve(step["data"](self) if callable(step["data"]) else step["data"])
        if step.get("unframed"):
            conn.sock.sendall(data)
        else:
            conn.send_frame(data)
        return WIRE.decode(*step["answer"], conn.frame())[1] if "answer" in step else conn.frame()

    def do_hang_up(self, step, _version, _body):
        self.drop(step["conn"])
        return "done"


def at_path(value, path):
    for part in path.split("."):
        if not isinstance(value, (dict, list)):
            return -1
        value = value[int(part)] if part.isdigit() else value[part]
    return value


# --- what two brokers cannot have in common ------------------------------------

# Lists whose order Kafka itself leaves to chance (it hashes random ids).
UNORDERED = {("JoinGroup", "members"), ("DescribeGroups", "groups.members"), ("Produce", "responses"),
             ("Produce", "responses.partitionResponses"), ("DescribeProducers", "topics.partitions.activeProducers"),
             ("DeleteTopics", "responses"), ("DescribeLogDirs", "results.topics"), ("DescribeLogDirs", "results.topics.partitions")}
OWN_NAME = re.compile(r"oracle-[0-9a-f]{6}-\d+-")
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


class Names:
    """Replaces by words what differs between brokers, and only that: the same
    thing gets the same word throughout a run."""

    def __init__(self, session):
        self.session, self.words = session, {}

    def word(self, kind, value):
        known = self.words.setdefault(kind, {})
        number = known.setdefault(value, len(known) + 1)
        return f"<{kind}{'' if number == 1 else f' {number}'}>"

    def foreign(self, item):
        """A topic or group of another run, where all there are were asked for."""
        if not isinstance(item, dict):
            return False
        names = [item[k] for k in ("name", "topic", "groupId", "resourceName") if isinstance(item.get(k), str)]
        return any(OWN_NAME.match(n) and not n.startswith(self.session.prefix) for n in names)

    def tame(self, value, path, label):
        api = label.split(" ")[0]
        key = path.rpartition(".")[2]
        if isinstance(value, dict):
            tamed = {k: self.tame(v, f"{path}.{k}" if path else k, label) for k, v in value.items()}
            if api == "DescribeLogDirs" and str(value.get("name")).startswith("__"):
                for partition in tamed["partitions"]:
                    partition["partitionSize"] = "<size>"
            return tamed
        if isinstance(value, list):
            items = [self.tame(v, path, label) for v in value if not self.foreign(v)]
            return sorted(items, key=canonical) if (api, path) in UNORDERED else items
        if isinstance(value, bytes):
            if key == "records":
                return self.tame(kafka_wire.read_batches(value), "batches", label)
            return self.text(value.decode("ascii")) if value.isascii() else "0x" + value.hex()
        if isinstance(value, str):
            return self.field_text(key, value)
        if isinstance(value, bool) or not isinstance(value, int):
            return value
        return self.number(key, value)

    def number(self, key, value):
        if key in ("errorCode", "topicConfigErrorCode"):
            return f"{value} {ERRORS.get(value, '?')}"
        if key == "port" and value == self.session.broker.port:
            return "<port>"
        if key == "producerId" and value >= 0:
            return self.word("pid", value)
        if key == "sessionId" and value > 0:
            return self.word("session", value)
        if key in ("totalBytes", "usableBytes", "finalizedFeaturesEpoch") and value > 0:
            return f"<{key}>"
        if words.T0 <= value < words.T0 + 1000000:
            return f"T0+{value - words.T0}"
        if abs(value - time.time() * 1000) < 600000:
            return "<clock>"
        return value

    def field_text(self, key, value):
        if key == "clusterId" and value == self.session.broker.cluster_id:
            return "<cluster>"
        if key == "topicId" and value != kafka_wire.NULL_UUID and value not in self.session.ids.values() and \
                value != words.OTHER_UUID:
            return self.word("id", value)
        return self.text(value)

    def text(self, value):
        value = value.replace(self.session.prefix, "$")
        value = re.sub(r"(127\.0\.0\.1|localhost):\d{4,5}\b", "<address>", value)
        for directory in self.session.broker.dirs:
            value = value.replace(directory, "<dir>")
        for name, topic_id in self.session.ids.items():
            value = value.replace(topic_id, f"<id of ${name}>")
        value = value.replace(words.OTHER_UUID, "<no id>")
        for known, what in ((str(self.session.saved.get("pid", "")), "pid"),):
            if len(known) > 2:
                value = value.replace(known, self.word(what, int(known)))
        value = re.sub(r"(?<!\d)-?\d{13,19}(?!\d)", lambda m: self.time_in_text(int(m[0])), value)
        for found in UUID.findall(value):
            # Numbered for each text before it, so chance does not number them.
            value = value.replace(found, self.word("uuid", found) if value == found else
                                  self.word("uuid of " + value[:value.find(found)], found).replace(
                                      "uuid of " + value[:value.find(found)], "uuid"))
        return value


    @staticmethod
    def time_in_text(value):
        return f"T0+{value - words.T0}" if abs(value - words.T0) % 1000000 < 1000 else "<time>"


def canonical(value):
    return json.dumps(value, sort_keys=True, default=repr)


def read_errors():
    found = {}
    with open(os.path.join(HERE, "../../lib/base/error_kafka.h"), encoding="utf-8") as file:
        for code, name in re.findall(r"ERR_KAFKA\((-?\d+), ([A-Z_0-9]+),", file.read()):
            found[int(code)] = name
    return found


ERRORS = read_errors()


# --- comparing ----------------------------------------------------------------

KEYS = ("name", "topic", "topicId", "groupId", "memberId", "partitionIndex", "index", "partition", "partitionId",
        "key", "apiKey", "nodeId", "brokerId", "resourceName", "baseOffset", "topicName")


def keyed(items):
    """The elements by what names them, or None where nothing does."""
    if not all(isinstance(item, dict) for item in items):
        return None
    found = {}
    for item in items:
        names = tuple(str(item[k]) for k in KEYS if k in item and item[k] not in (None, kafka_wire.NULL_UUID))[:2]
        if not names or names in found:
            return None
        found[names] = item
    return found


def differences(one, two, path=""):
    """(path, one's value, two's value) of each difference."""
    if one == two:
        return []
    if isinstance(one, dict) and isinstance(two, dict):
        return [d for k in {**one, **two} for d in differences(
            one.get(k, "(absent)"), two.get(k, "(absent)"), f"{path}.{k}" if path else k)]
    if isinstance(one, list) and isinstance(two, list):
        if sorted(map(canonical, one)) == sorted(map(canonical, two)):
            return [(path + "#order", one, two)]
        first, second = keyed(one), keyed(two)
        if first is None or second is None:
            first, second = dict(enumerate(one)), dict(enumerate(two))
        return [d for k in {**first, **second} for d in differences(
            first.get(k, "(absent)"), second.get(k, "(absent)"),
            f"{path}[{k if isinstance(k, int) else ' '.join(k)}]")]
    return [(path, one, two)]


class Accepted:
    """The table of differences that are meant, and which of them were seen."""

    def __init__(self, table):
        self.table, self.used = table, set()

    def reason(self, title, label, difference):
        path, one, two = difference
        for i, entry in enumerate(self.table):
            if re.search(entry.get("case", ""), title) and re.fullmatch(entry["field"], f"{label} {path}".strip()) and (
                    "test" not in entry or entry["test"](one, two)):
                self.used.add(i)
                return entry["reason"]
        return None

    def stale(self):
        return [entry for i, entry in enumerate(self.table) if i not in self.used]


def compare(title, one, two, accepted):
    """Lines that tell the differences of two traces, and those of the accepted ones."""
    wrong, meant = [], []
    for number, (first, second) in enumerate(zip(one, two), 1):
        for difference in differences(first[2], second[2]):
            label, (path, left, right) = re.sub(r" v\d+", "", first[0]), difference
            line = f"{number} {first[0]} {path}: {short(left)} | {short(right)}"
            reason = accepted.reason(title, label, difference)
            if reason:
                meant.append(f"{line}  ({reason})")
            else:
                wrong.append(line)
    return wrong, meant


def short(value, limit=300):
    text = value if isinstance(value, str) else json.dumps(value, default=repr, ensure_ascii=False)
    return text if len(text) <= limit else text[:limit] + f"... ({len(text)})"


# --- showing ------------------------------------------------------------------

def pretty(value, indent=0, used=0, width=120):
    flat = plain(value)
    if len(flat) + indent + used <= width or not isinstance(value, (dict, list)) or not value:
        return flat
    pad = " " * (indent + 2)
    if isinstance(value, dict):
        return "{" + fill([f"{k}: {pretty(v, indent + 2, len(k) + 2)}" for k, v in value.items()], pad, width) + "}"
    return "[" + fill([pretty(v, indent + 2) for v in value], pad, width) + "]"


def fill(parts, pad, width):
    """As many parts on a line as fit."""
    lines = [parts[0]]
    for part in parts[1:]:
        last = lines[-1].rpartition("\n")[2]
        if "\n" not in part and len(pad) + len(last) + len(part) + 2 <= width and not last.endswith(("}", "]")):
            lines[-1] += ", " + part
        else:
            lines[-1] += ","
            lines.append(part)
    return ("\n" + pad).join(lines)


def plain(value):
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k}: {plain(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(plain, value)) + "]"
    if isinstance(value, words.Saved):
        return f"saved {str(value)}"
    if isinstance(value, words.Id):
        return f"id of ${str(value)}"
    if isinstance(value, bytes):
        return repr(bytes(value))[1:] if len(value) < 200 else f"{len(value)} bytes {value[:40].hex()}..."
    if isinstance(value, str):
        return value if value.startswith("<") or re.fullmatch(r"-?\d+ [A-Z_]+|T0\+\d+", value) else json.dumps(value, ensure_ascii=False)
    if isinstance(value, int) and not isinstance(value, bool) and words.T0 <= value < words.T0 + 1000000:
        return f"T0+{value - words.T0}"
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    return re.sub(r"(ts|base_ts|max_ts)=(\d+)", lambda m: f"{m[1]}=T0+{int(m[2]) - words.T0}", str(value))


def show(trace):
    for label, request, answer in trace:
        print(f"> {label}" + (f" {pretty(request, 2)}" if request is not None else ""))
        print(f"< {pretty(answer, 2)}")


def fields(name):
    api = WIRE[name]
    low, high = api.versions
    print(f"{name} key {api.key} versions {low}-{high} flexible {api.flexible[0]}+")
    for what, struct_ in (("request", api.request), ("answer", api.response)):
        print(what)
        print_fields(struct_, api, 2)


def print_fields(struct_, api, indent):
    for f in struct_.fields:
        first, last = max(f.versions[0], api.versions[0]), min(f.versions[1], api.versions[1])
        if first > last:
            continue
        line = f"{' ' * indent}{f.name} {'[]' if f.array else ''}{'' if f.struct else f.kind}"
        line += "" if (first, last) == api.versions else f"  {first}-{last}" if last < api.versions[1] else f"  {first}+"
        line += f"  nullable {f.nullable[0]}+" if f.nullable[1] >= 0 else ""
        line += f"  tag {f.tag}" if f.tag is not None else ""
        line += f"  default {f.spec_default}" if f.spec_default is not None else ""
        print(line)
        if f.struct:
            print_fields(f.struct, api, indent + 4)


# --- running ------------------------------------------------------------------

def select_versions(case, wanted):
    low, high = WIRE[case.api].versions
    all_ = list(range(low, high + 1))
    if case.versions is not None:
        if case.versions == [-1]:  # no version of the API is asked for
            return [high]
        own = range(case.versions[0], case.versions[1] + 1) if isinstance(case.versions, tuple) else case.versions
        all_ = [v for v in own if low <= v <= high]
        if not all_:
            raise ValueError(f"{case.title} has no version to be run in")
    if wanted == "all":
        return all_
    if wanted == "ends":
        return sorted({all_[0], all_[-1]})
    if wanted == "newest":
        return all_[-1:]
    first, _, last = wanted.partition("-")
    return [v for v in all_ if int(first) <= v <= int(last or first)]


def run_case(case, versions, brokers, start, pool):
    """[version, traces] for each version; an exception stands for a trace."""
    found = []
    for i, version in enumerate(versions):
        sessions = [Session(b, case, version, start + i) for b in brokers]
        found.append((version, [attempt(f) for f in [pool.submit(s.run) for s in sessions]]))
    return found


def attempt(future):
    try:
        return future.result()
    except Exception as error:  # pylint: disable=broad-except
        return error


def verdict(case, traces, accepted):
    failed = [t for t in traces if isinstance(t, Exception)]
    if failed:
        return [f"{'first' if t is traces[0] else 'second'} broker: {type(t).__name__}: {t}" for t in failed], []
    return compare(case.title, traces[0], traces[1], accepted)


class Tap:
    def __init__(self, verbose):
        self.count = self.failed = 0
        self.verbose, self.lock = verbose, threading.Lock()

    def result(self, title, lines, notes=()):
        with self.lock:
            self.count += 1
            self.failed += bool(lines)
            print(f"{'not ok' if lines else 'ok'} {self.count} - {title}")
            for line in lines[:60]:
                print("#  ", line)
            if len(lines) > 60:
                print(f"#   and {len(lines) - 60} more")
            for line in notes if self.verbose else ():
                print("#   accepted:", line)
            sys.stdout.flush()


def report(case, found, accepted, tap):
    """One result for each range of versions that say the same."""
    groups = []
    for version, traces in found:
        lines, notes = verdict(case, traces, accepted)
        bare = [re.sub(r" v\d+ ", " ", line) for line in lines]
        if groups and groups[-1]["bare"] == bare:
            groups[-1]["last"] = version
        else:
            groups.append({"first": version, "last": version, "bare": bare, "lines": lines, "notes": notes})
    for group in groups:
        span = f"v{group['first']}" + (f"-{group['last']}" if group["last"] != group["first"] else "")
        tap.result(f"{case.title} [{span}]", group["lines"], group["notes"])


def compare_all(options, cases):
    brokers = [Broker(a) for a in options.brokers]
    accepted, tap = Accepted(load_accepted() if options.accept else []), Tap(options.verbose)
    pool = concurrent.futures.ThreadPoolExecutor(2 * options.jobs)
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as runner:
        number, jobs = 1, []
        for case in [c for c in cases if c.alone]:
            versions = select_versions(case, options.versions or "all")
            report(case, run_case(case, versions, brokers, number, pool), accepted, tap)
            number += len(versions)
        for case in [c for c in cases if not c.alone]:
            versions = select_versions(case, options.versions or "all")
            jobs.append((case, runner.submit(run_case, case, versions, brokers, number, pool)))
            number += len(versions)
        for case, job in jobs:
            report(case, job.result(), accepted, tap)
    if options.accept and not options.regex:
        tap.result("every accepted difference was seen", [f"stale: {e['field']}: {e['reason']}" for e in accepted.stale()])
    print(f"1..{tap.count}")
    return 1 if tap.failed else 0


def show_all(options, cases):
    broker, number = Broker(options.show), 1
    pool = concurrent.futures.ThreadPoolExecutor(1)
    for case in cases:
        for version, (trace,) in run_case(case, select_versions(case, options.versions or "newest"), [broker], number, pool):
            print(f"\n== {case.title} [v{version}]")
            if isinstance(trace, Exception):
                raise trace
            show(trace)
            number += 1
    return 0


def ask_one(address, api, version, body):
    """A request from the command line; fields of bytes are JSON strings."""
    case = words.Case("", api, (words.ask(api, json.loads(body), v=int(version)),), {}, None, False)
    show(Session(Broker(address), case, int(version), 0).run())
    return 0


def load_accepted():
    return importlib.import_module("oracle_accepted").ACCEPTED


def load_cases(regex):
    for module in sorted(m.name for m in pkgutil.iter_modules(oracle_cases.__path__)):
        importlib.import_module("oracle_cases." + module)
    return [case for case in words.CASES if re.search(regex or "", case.title)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
                                     usage=argparse.SUPPRESS)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--show", metavar="HOST:PORT")
    parser.add_argument("--ask", nargs=4, metavar=("HOST:PORT", "API", "VERSION", "JSON"))
    parser.add_argument("--fields", metavar="API")
    parser.add_argument("-V", dest="versions", metavar="VERSIONS")
    parser.add_argument("-j", dest="jobs", type=int, default=4)
    parser.add_argument("-v", dest="verbose", action="store_true")
    parser.add_argument("-a", dest="accept", action="store_true")
    parser.add_argument("words", nargs="*", metavar="KAFKA OTHER [REGEX]")
    options = parser.parse_intermixed_args()

    if options.fields:
        return fields(options.fields) or 0
    if options.ask:
        return ask_one(*options.ask)
    takes = 0 if options.show or options.list else 2
    if not takes <= len(options.words) <= takes + 1:
        parser.print_help()
        return 2
    options.brokers, options.regex = options.words[:takes], (options.words[takes:] or [None])[0]
    cases = load_cases(options.regex)
    if options.list:
        for case in cases:
            print(case.title)
        return 0
    return show_all(options, cases) if options.show else compare_all(options, cases)


if __name__ == "__main__":
    sys.exit(main())
