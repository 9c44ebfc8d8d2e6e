#!/usr/bin/python3
"""dump-as-kafka: turns lines of mq-dump-log -J --data into DumpLogSegments' text.

usage: mq-dump-log -J --data FILE | dump-as-kafka.py FILE
"""
import base64
import json
import re
import sys

KRAFT = {"leader-change": "LeaderChange:", "snapshot-header": "SnapshotHeader",
         "snapshot-footer": "SnapshotFooter", "kraft-version": "KRaftVersion",
         "kraft-voters": "KRaftVoters"}


class Blob:
    """The members' subscriptions and assignments, which Kafka's tool decodes."""

    def __init__(self, encoded):
        self.data, self.at = base64.b64decode(encoded), 0

    def number(self, size):
        self.at += size
        return int.from_bytes(self.data[self.at - size:self.at], "big", signed=True)

    def string(self):
        size = self.number(2)
        if size < 0:
            return None
        self.at += size
        return self.data[self.at - size:self.at].decode()

    def opaque(self):
        size = self.number(4)
        if size < 0:
            return None
        self.at += size
        return base64.b64encode(self.data[self.at - size:self.at]).decode()

    def array(self, item):
        return [item() for _ in range(self.number(4))]

    def partitions(self):
        return {"topic": self.string(), "partitions": self.array(lambda: self.number(4))}

    def subscription(self):
        version = self.number(2)
        out = {"topics": self.array(self.string), "userData": self.opaque()}
        if version >= 1:
            out["ownedPartitions"] = self.array(self.partitions)
        if version >= 2:
            out["generationId"] = self.number(4)
        if version >= 3:
            out["rackId"] = self.string()
        return out

    def assignment(self):
        self.number(2)
        return {"assignedPartitions": self.array(self.partitions), "userData": self.opaque()}


def with_blobs(data):
    for member in data.get("members", []) if "protocolType" in data else []:
        member["subscription"] = Blob(member["subscription"]).subscription()
        member["assignment"] = Blob(member["assignment"]).assignment()
    return data


def compact(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def kafka_type(name):
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).upper()


def optional(value):
    return "OptionalLong.empty" if value is None else f"OptionalLong[{value}]"


def number(value):
    return -1 if value is None else value


def text(line, name):
    if name + "_b64" in line:
        return base64.b64decode(line[name + "_b64"]).decode("utf-8", "replace")
    return line[name]


def batch(b):
    time = "LogAppendTime" if b.get("tstype") == "logappend" else "CreateTime"
    kafka = lambda flag: "true" if flag else "false"
    return (f"baseOffset: {b['offset']} lastOffset: {b['last']} count: {b['n']} "
            f"baseSequence: {number(b['seq'])} lastSequence: {number(b.get('last_seq'))} "
            f"producerId: {number(b['pid'])} producerEpoch: {number(b['pid_epoch'])} "
            f"partitionLeaderEpoch: {number(b['epoch'])} isTransactional: {kafka(b['txn'])} "
            f"isControl: {kafka(b['ctl'])} deleteHorizonMs: {optional(b.get('horizon'))} "
            f"position: {b['pos']} {time}: {number(b['ts'])} size: {b['size']} magic: {b['magic']} "
            f"compresscodec: {b['codec']} crc: {int(b['crc'], 16)} isvalid: true")


def record(r, time):
    names = text_headers(r)
    out = (f"| offset: {r['offset']} {time}: {number(r['ts'])} keySize: {number(r['ksize'])} "
           f"valueSize: {number(r['vsize'])} sequence: {number(r['seq'])} headerKeys: [{names}]")
    if "ctl" in r:
        return out + control(r)
    key, value = None, None
    if isinstance(r.get("key"), dict):
        key = compact({"type": str(r["key"]["type"]), "data": r["key"]["data"]})
        payload = r["payload"]
        value = "<DELETE>" if payload is None else compact(
            {"version": str(payload["version"]), "data": with_blobs(payload["data"])})
    elif isinstance(r.get("payload"), dict):
        payload = r["payload"]
        value = compact({"type": kafka_type(payload["name"]), "version": payload["version"],
                         "data": payload["data"]})
    else:
        key, value = text(r, "key"), text(r, "payload")
    return (out + (f" key: {key}" if key is not None else "")
            + (f" payload: {value}" if value is not None else ""))


def text_headers(r):
    if "headers_b64" in r:
        names = [base64.b64decode(name).decode("utf-8", "replace") for name in r["headers_b64"][::2]]
    else:
        names = r.get("headers", [])[::2]
    return ",".join(names)


def control(r):
    data = r["payload"]["data"]
    if r["ctl"] in KRAFT:
        return f" {KRAFT[r['ctl']]} {compact(data)}"
    return f" endTxnMarker: {r['ctl'].upper()} coordinatorEpoch: {data['coordinatorEpoch']}"


def producer(p):
    first = -1 if p["seq"] is None else (p["seq"] - p["delta"]) % 2**31
    batches = "" if p["last"] is None else (
        f"firstSequence: {first} lastSequence: {number(p['seq'])} lastOffset: {p['last']} "
        f"offsetDelta: {p['delta']} timestamp: {number(p['ts'])}")
    return (f"producerId: {p['pid']} producerEpoch: {p['pid_epoch']} "
            f"coordinatorEpoch: {number(p['coordinator'])} "
            f"currentTxnFirstOffset: {optional(p['txn'])} lastTimestamp: {number(p['ts'])} " + batches).rstrip()


def heading(path):
    name = path.rsplit("/", 1)[-1]
    if name.endswith(".log"):
        print(f"Log starting offset: {int(name[:20])}")
    elif name.endswith(".checkpoint"):
        print(f"Snapshot end offset: {int(name[:20])}, epoch: {int(name[21:31])}")


def main():
    path = sys.argv[1]
    print(f"Dumping {path}")
    heading(path)
    time, seen = "CreateTime", False
    for line in sys.stdin:
        item, seen = json.loads(line), True
        kind = item["type"]
        if kind == "batch":
            time = "LogAppendTime" if item.get("tstype") == "logappend" else "CreateTime"
            print(batch(item))
        elif kind == "record":
            print(record(item, time))
        elif kind == "index":
            print(f"offset: {item['offset']} position: {item['pos']}")
        elif kind == "time":
            print(f"timestamp: {number(item['ts'])} offset: {item['offset']}")
        elif kind == "abort":
            print(f"version: 0 producerId: {item['pid']} firstOffset: {item['first']} "
                  f"lastOffset: {item['last']} lastStableOffset: {item['lso']}")
        elif kind == "producer":
            print(producer(item))
        else:
            print(f"unexpected: {line}", end="")
    if not seen and path.endswith(".index"):
        print(f"{path} is empty.")


sys.stdout.reconfigure(encoding="utf-8", errors="replace")
sys.stdin.reconfigure(encoding="utf-8")
main()
