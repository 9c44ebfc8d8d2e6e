#!/usr/bin/python3
"""mq-records: records for the tools to write, and what must come out again.

usage: mq-records.py make EXPECTED COUNT [OPTION...] | mq-produce -J ...
       mq-consume -J ... | mq-records.py read [DIR]
       mq-records.py sizes PARTITION <EXPECTED
       mq-records.py dumped <TEXT

make prints COUNT records as mq-produce -J reads them, and adds to the file
EXPECTED each of them as KafkaRecords.java prints it, with the offset it gets. read turns what mq-consume -J prints into
the same form, with DIR into files DIR/TOPIC.jsonl. Order is by partition and
offset. sizes prints of a partition's
records what DumpLogSegments tells without loss: offset, time, sizes, names of
headers; dumped prints the same of its text.
  --ends TEXT      where partitions end now: their numbers and offsets (all 0)
  --partitions N   spread in turn over so many (1)
  --keys N         keys k0 .. kN-1 in turn, and no other shape (for compaction)
  --size BYTES     of the larger values (200)
  --start MS       the first timestamp (an hour ago); they go on unevenly
  --append-time    the log stamps the records: no ts in EXPECTED
"""
import argparse
import base64
import json
import random
import re
import sys
import time

KEYS = [b"key", None, b"", b"\x00\xff\xc3\x28", "\u00e9\u20ac\U0001f600".encode()]
HEADERS = [[], [("h", b"1")], [("h", None)], [("h", b"")], [("", b"1")], [],
           [("h", b"1"), ("i", b"2"), ("h", b"3")], [("b", b"\x00\xff\n")],
           [("\u00e9\u20ac\U0001f600", "\u00e9".encode())]]


def b64(data):
    return None if data is None else base64.b64encode(data).decode()


def value(i, size):
    """Text that repeats, noise, nothing, null."""
    if i % 11 == 3:
        return None
    if i % 11 == 5:
        return b""
    if i % 4 == 1:
        return random.Random(i).randbytes(size // 2)
    return (b"record %d " % i) * (size * (1 + i % 3) // 16)


def expected(partition, offset, tstype, ts, headers, key, payload):
    record = {"partition": partition, "offset": offset, "tstype": tstype, "ts": ts,
              "headers": [[name, b64(v)] for name, v in headers], "key": b64(key),
              "value": b64(payload)}
    return json.dumps(record, separators=(",", ":"), ensure_ascii=False)


def sort(lines):
    return sorted(lines, key=lambda line: [json.loads(line)[k] for k in ("partition", "offset")])


def make(args):
    try:
        with open(args.expected, encoding="utf-8") as file:
            lines = file.read().splitlines()
    except FileNotFoundError:
        lines = []
    numbers = [int(x) for x in args.ends.split()]
    ends = dict(zip(numbers[::2], numbers[1::2]))
    begun = len(lines)
    for i in range(begun, begun + args.count):
        partition = i % args.partitions
        key = b"k%d" % (i % args.keys) if args.keys else KEYS[i % len(KEYS)]
        payload = b"value %d" % i if args.keys else value(i, args.size)
        headers = [] if args.keys else HEADERS[i % len(HEADERS)]
        ts = args.start + i * 100 - i % 7 * 150
        record = {"partition": partition, "ts": ts, "key_b64": b64(key),
                  "payload_b64": b64(payload),
                  "headers_b64": [b64(x) for name, v in headers for x in (name.encode(), v)]}
        print(json.dumps({k: v for k, v in record.items() if v is not None}))
        offset = ends.get(partition, 0)
        ends[partition] = offset + 1
        tstype, ts = ("append", None) if args.append_time else ("create", ts)
        lines.append(expected(partition, offset, tstype, ts, headers, key, payload))
    with open(args.expected, "w", encoding="utf-8") as file:
        file.writelines(line + "\n" for line in sort(lines))


def raw(record, name):
    if record.get(name + "_b64") is not None:
        return base64.b64decode(record[name + "_b64"])
    text = record.get(name)
    return None if text is None else text.encode()


def read(directory):
    topics = {}
    for line in sys.stdin:
        r = json.loads(line)
        if "headers_b64" in r:
            flat = [None if x is None else base64.b64decode(x) for x in r["headers_b64"]]
        else:
            flat = [None if x is None else x.encode() for x in r.get("headers", [])]
        headers = [(name.decode(), v) for name, v in zip(flat[::2], flat[1::2])]
        tstype = "append" if r["tstype"] == "logappend" else r["tstype"]
        topics.setdefault(r["topic"], []).append((r["partition"], r["offset"], expected(
            r["partition"], r["offset"], tstype, r["ts"], headers, raw(r, "key"), raw(r, "payload"))))
    for topic, records in topics.items():
        lines = [line + "\n" for _, _, line in sorted(records)]
        if directory is None:
            sys.stdout.writelines(lines)
        else:
            with open(f"{directory}/{topic}.jsonl", "w", encoding="utf-8") as file:
                file.writelines(lines)


def sizes(partition):
    for line in sys.stdin:
        r = json.loads(line)
        if r["partition"] == partition:
            key, payload = (-1 if r[k] is None else len(base64.b64decode(r[k]))
                            for k in ("key", "value"))
            print(r["offset"], r["tstype"], r["ts"], key, payload,
                  ",".join(name for name, _ in r["headers"]))


def dumped():
    record = re.compile(r"\| offset: (\d+) (CreateTime|LogAppendTime): (\d+) keySize: (-?\d+) "
                        r"valueSize: (-?\d+) sequence: -1 headerKeys: \[(.*?)\]")
    for found in record.finditer(sys.stdin.read()):
        offset, time_of, ts, *rest = found.groups()
        created = time_of == "CreateTime"
        print(offset, "create" if created else "append", ts if created else None, *rest)


def main():
    sys.stdin.reconfigure(encoding="utf-8", errors="replace", newline="\n")
    if sys.argv[1:2] == ["read"]:
        read(sys.argv[2] if len(sys.argv) > 2 else None)
        return
    if sys.argv[1:2] == ["sizes"]:
        sizes(int(sys.argv[2]))
        return
    if sys.argv[1:2] == ["dumped"]:
        dumped()
        return
    parser = argparse.ArgumentParser()
    parser.add_argument("make", choices=["make"])
    parser.add_argument("expected")
    parser.add_argument("count", type=int)
    parser.add_argument("--ends", default="")
    parser.add_argument("--partitions", type=int, default=1)
    parser.add_argument("--keys", type=int, default=0)
    parser.add_argument("--size", type=int, default=200)
    parser.add_argument("--start", type=int, default=int(time.time() * 1000) - 3600000)
    parser.add_argument("--append-time", action="store_true")
    make(parser.parse_args())


main()
