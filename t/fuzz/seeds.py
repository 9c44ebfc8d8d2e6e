#!/usr/bin/env python3
"""Writes seeds for the harnesses of t/fuzz into DIR/NAME/, out of the files that
Kafka made (t/data) and a few lines of text. What is worth keeping of them is in
t/fuzz/NAME (t/fuzz.sh -m); run this after a harness changed how it reads inputs.

usage: t/fuzz/seeds.py DIR
"""
import glob
import os
import re
import struct
import sys

DATA = "t/data/kafka-store"
# Their inputs begin with the number of a call that fails (t/lib/fuzz.h); 0: none.
FAILING = ["batch", "dump", "groups", "image", "index", "options", "partition", "producers",
           "texts"]
FAIL_ON, FAIL_MEMORY = 1 << 14, 1 << 15
KINDS = ["log", "index", "timeindex", "txnindex", "snapshot"]


class Fails(bytes):
    """A seed of which each call is to fail in turn."""


def read(path):
    with open(path, "rb") as file:
        return file.read()


def part(data):
    return struct.pack(">H", len(data)) + data


def batch():
    text = b"".join(b"%d bottles of beer on the wall\n" % n for n in range(99, 80, -1))
    for codec in range(6):
        for level in (0x80, 0, 1, 3, 9, 17, 22, 0xff, 0x9c):
            yield bytes([codec, level]) + text
    for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
        content = read(f"t/data/batches/{codec}.bin")
        number = ["none", "gzip", "snappy", "lz4", "zstd"].index(codec)
        yield Fails(bytes([number, 0x80]) + content)


def texts():
    for which, pattern in enumerate(["*-offset-checkpoint", "*/leader-epoch-checkpoint",
                                     "meta.properties", "*/partition.metadata"]):
        for path in sorted(glob.glob(f"{DATA}/{pattern}")):
            yield bytes([which]) + read(path)
    yield b"\x00" + b"0\n2\nt 0 5\nt 1 9223372036854775807\n"
    yield b"\x01" + b"0\n3\n0 0\n1 5\n7 100\n"
    yield b"\x02" + b"# c\n! d\nversion = 1\nnode.id:7\ncluster.id=x\n"
    tail = b"\x04mq.tail 1 01234567-89ab-cdef-0123-456789abcdef 3 0 4096 17 0 1 2 3 -1 1 "
    yield tail
    yield tail + b"1700000000000 -1 "
    yield tail + b"1600000000000 -1 "
    yield tail + b"1700000003000 5 "
    yield tail + b"-1 -1 "
    yield b"\x04mq.tail 2 no tail"


def index():
    for path in sorted(glob.glob(f"{DATA}/segments-0/*.index")):
        yield b"\x01\x00\x10" + read(path)
        yield b"\x01\x00\x10" + read(path) + bytes(24)
    for path in sorted(glob.glob(f"{DATA}/segments-0/*.timeindex")):
        yield b"\x00\x00\x10" + read(path)
        yield b"\x00\x00\x10" + read(path)[:-3]
    yield b"\x01\x02\x00" + b"".join(struct.pack(">ii", i * 3, i * 99) for i in range(700))
    yield b"\x00\x02\x00" + b"".join(struct.pack(">qi", i * 5, i * 3) for i in range(500))
    for base in range(6):
        yield bytes([base * 2 + 1, 0, 7]) + struct.pack(">iiii", 3, 100, 9, 200)
        yield bytes([base * 2, 0, 7]) + struct.pack(">qiqi", 3, 1, 9, 2)


def producers():
    snapshots = sorted(glob.glob(f"{DATA}/txn*/*.snapshot"))
    for path in sorted(glob.glob(f"{DATA}/txn*/*.log") + glob.glob(f"{DATA}/idem*/*.log")):
        if os.path.getsize(path) > 0:
            yield part(b"") + read(path)
            yield part(read(snapshots[len(path) % len(snapshots)])) + read(path)
    for path in snapshots:
        yield part(read(path))


def partition_files(directory):
    """The files of a partition, small ones first, as the harness reads them."""
    out = b""
    for path in sorted(glob.glob(f"{directory}/*")):
        name, content = os.path.basename(path), read(path)
        match = re.fullmatch(r"(\d{20})\.(\w+)", name)
        if name == "leader-epoch-checkpoint":
            out += bytes([5, 0]) + part(content)
        elif match and len(content) < 6000:
            out += bytes([KINDS.index(match[2]), int(match[1]) % 250]) + part(content)
    return out


def at(batch, offset):
    return struct.pack(">q", offset) + batch[8:]


def cuts(one):
    """Good batches behind bad ones, and what an earlier recovery kept of them."""
    bad = at(one, 1)[:-1] + b"\xff"
    behind = bad + at(one, 2)
    log = bytes([0, 0]) + part(one + behind)
    later = bytes([0, 10]) + part(at(one, 10))
    cut, cut_1 = bytes([8 | 7]), bytes([16 | 7])
    for how in (7, 15):
        head = bytes([how, 0])
        yield Fails(head + log + later)
        yield Fails(head + log + later + bytes([0, 20]) + part(at(one, 20)) + cut + b"\x0a" + part(b"x"))
        yield Fails(head + log + cut + b"\0" + part(behind))
        yield head + log + cut + b"\0" + part(bad) + cut_1 + b"\0" + part(behind)
        yield head + log + cut + b"\0" + part(behind[:-1] + b"x")
        yield head + log + later + cut + b"\x0a" + part(b"x") + cut_1 + b"\x0a" + part(b"y")


def replacements(one):
    """Compactions that were interrupted: 0 and 4 become 0."""
    old = bytes([0, 0]) + part(one + at(one, 1)) + bytes([0, 4]) + part(at(one, 4))
    old += bytes([1, 0]) + part(b"") + bytes([2, 4]) + part(b"") + bytes([0, 9]) + part(at(one, 9))
    for state in (8, 16, 24):
        new = bytes([state, 0]) + part(one + at(one, 4))
        new += bytes([state | 1, 0]) + part(b"") + bytes([state | 2, 0]) + part(b"")
        for how in (7, 15):
            yield Fails(bytes([how, 0]) + old + new)
            yield Fails(bytes([how, 0]) + old + new + bytes([8, 4]) + part(at(one, 4)))


def partition():
    for directory in sorted(glob.glob(f"{DATA}/*-[0-9]")):
        files = partition_files(directory)
        if 0 < len(files) < 8000:
            yield b"\x00\x3f" + files
            yield b"\x00\x40" + files
    for path in sorted(glob.glob("t/data/batches/*.bin")):
        batch = read(path)
        if len(batch) < 400:
            yield b"\x00\x07" + bytes([0, 0]) + part(batch * 3)
            yield b"\x00\x3f" + bytes([0, 5]) + part(batch) + bytes([0, 30]) + part(batch)
    one = read("t/data/batches/one.bin")
    for state in (8, 16, 24):
        yield b"\x00\x3f" + bytes([0, 0]) + part(one * 4) + bytes([state, 0]) + part(one * 2)
    yield b"\x02\x3f" + bytes([0, 0]) + part(one + one[:-1] + b"\x00" + one)
    yield b"\x00\x3f" + bytes([0, 0]) + part(one + one[:40])
    yield from cuts(one)
    yield from replacements(one)
    transactions = partition_files(f"{DATA}/txn-0")
    for how in (0x20, 0xa0):
        yield Fails(bytes([0, how]) + transactions)
    yield (b"\x00\x3f" + bytes([0, 0]) + part(one * 4) + bytes([6, 0]) + part(
        b"mq.tail 1 0-0 0 0 %d 2 0 1 2 3 -1 0 " % (len(one) * 2)))


def batches(log):
    """The batches of a log, each whole."""
    while len(log) >= 61:
        size = 12 + struct.unpack(">i", log[8:12])[0]
        yield log[:size]
        log = log[size:]


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return (value >> 1) ^ -(value & 1), at


def records(batch):
    """(key, value) of the records of a batch that is not compressed; None: null."""
    at = 61
    for _ in range(struct.unpack(">i", batch[57:61])[0]):
        size, at = varint(batch, at)
        end = at + size
        at += 1
        _, at = varint(batch, at)
        _, at = varint(batch, at)
        fields = []
        for _ in range(2):
            size, at = varint(batch, at)
            fields.append(None if size < 0 else batch[at:at + size])
            at += max(size, 0)
        at = end
        yield fields


def metadata_records(path):
    out = []
    for batch in batches(read(path)):
        control = batch[22] & 32
        for key, value in records(batch):
            flags = 8 | key[3] if control else 0
            out.append(bytes([flags]) + part(value or b""))
        out[-1] = bytes([out[-1][0] | 16]) + out[-1][1:]
    return out


def image():
    log = metadata_records(f"{DATA}/__cluster_metadata-0/00000000000000000000.log")
    fresh = metadata_records("t/data/fresh/__cluster_metadata-0/00000000000000000000.log")
    snapshot = metadata_records(
        f"{DATA}/__cluster_metadata-0/00000000000000000147-0000000002.checkpoint")
    yield b"".join(fresh)
    yield b"".join(log)[:8000]
    yield b"\x30\x00\x00" + b"".join(snapshot) + b"\x30\x00\x00" + b"".join(fresh)
    for record in log + snapshot:
        yield b"".join(fresh[:12]) + record
    kinds = {record[5] if len(record) > 5 else 0: record for record in log}
    yield b"".join(fresh[:2]) + b"".join(kinds.values())
    yield from brokers(b"".join(fresh))
    config = [record for record in log if record[4:5] == b"\x04"]
    topic = [record for record in log if record[4:5] == b"\x02"]
    parts = [record for record in log if record[4:5] == b"\x03"]
    yield Fails(b"".join(fresh[:2] + config[:9] + topic[:9] + parts[:9]))
    yield b"".join(fresh[:2] + topic[:2]) + topic[0][:-4] + b"abc" + topic[0][-1:]
    yield Fails(b"".join(fresh))
    for path in ("voters", "kraft-version", "leader-change", "snapshot-header"):
        yield b"".join(fresh) + b"\x40" + part(read(f"t/data/batches/{path}.bin"))


def brokers(before):
    """Brokers come, are fenced and go, as older logs say it."""
    out = before
    for kind in (7, 8, 1, 1, 7):
        for broker in (1, 2):
            out += b"\0" + part(bytes([1, kind, 0]) + struct.pack(">iq", broker, 5) + b"\0")
        yield out


def groups():
    for path in sorted(glob.glob(f"{DATA}/__consumer_offsets-*/*.log")):
        for batch in batches(read(path)):
            out = b""
            for key, value in records(batch):
                control = 8 if batch[22] & 32 else 0
                txn = 5 if batch[22] & 16 else 0
                out += bytes([32 | txn | control | (16 if value is None else 0)])
                out += part(key or b"") + part(value or b"")
            yield out
            yield out + out
            yield b"\x80" + part(batch)
    old = part(b"\0\0\0\1g\0\1t\0\0\0\0") + part(b"\0\0" + struct.pack(">q", 5) + b"\0\1m" + bytes(8))
    new = part(b"\0\1\0\1g\0\1t\0\0\0\0") + part(b"\0\3" + struct.pack(">qi", 5, 1) + b"\0\1m" + bytes(8))
    other = part(b"\0\1\0\1g\0\1t\0\0\0\0") + part(
        b"\0\4" + struct.pack(">qi", 5, 1) + b"\2m" + bytes(8) + b"\1\0\x10" + b"\7" * 16)
    for flags in (0x20, 0x25):
        for record in (old, new, other):
            yield bytes([flags]) + record + bytes([flags]) + record + bytes([flags]) + new
    group = part(b"\0\2\0\1g") # its state, and then none
    yield Fails(b"\x20" + group + part(b"\0\3" + bytes(20)) + b"\x30" + group + part(b"") +
                b"\x20" + new + b"\x20" + old + b"\x30" + new)
    name = b"g.0123456789012345678901"
    yield b"\x40" + part(name) + part(b"g\nclient\n123\nt\nother\n")
    yield b"\x40" + part(name) + part(b"g\nclient\n") + b"\x40" + part(name[:-1] + b"x") + part(
        b"g\nc\nx\nt\n")
    yield b"\x40" + part(b"other." + name[2:]) + part(b"other\nclient\n9\nt\n")


def dump():
    kinds = [("log", 0), ("leader-epoch-checkpoint", 7), ("offset-checkpoint", 8),
             (".checkpoint", 1), ("timeindex", 4), ("txnindex", 5), ("index", 3),
             ("snapshot", 6), ("properties", 9), ("metadata", 9), ("quorum-state", 10)]
    topics = [("consumer_offsets", 1), ("transaction_state", 2), ("share_group", 3),
              ("cluster_metadata", 4)]
    for path in sorted(glob.glob(f"{DATA}/**", recursive=True)):
        kind = [k for end, k in kinds if path.endswith(end)]
        if not kind or os.path.getsize(path) > 6000 or os.path.getsize(path) == 0:
            continue
        topic = ([t for name, t in topics if name in path] or [0])[0]
        content = read(path)
        for options in (0, 17, 32, 0x75, 18):
            for beside in (0, 1, 0xf9, 2, 11):
                yield bytes([options, kind[0], topic, 0, beside]) + part(b"") + b"\x00" + content
        yield bytes([4, kind[0], topic, 7, 0]) + part(b"2..5") + b"\x00" + content
        for points in (b"@2020-01-01..", b"..@2020-01-01", b"@2020-01-01..2040-01-01", b"+1..-1"):
            yield bytes([5, kind[0], topic, 0, 0]) + part(points) + b"\x00" + content
    for path in sorted(glob.glob("t/data/batches/*.bin")):
        for name, topic in topics + [("", 0)]:
            for options in (16, 17, 18, 32):
                yield bytes([options, 0, topic, 7, 0]) + part(b"") + b"\x00" + read(path)[:4000]
        yield bytes([17, 2, 0, 7, 0]) + part(b"-1..") + b"\x00" + read(path)[:4000]
    one = read("t/data/batches/one.bin")
    for beside in (0, 1, 9, 0xf9, 2, 10, 11):
        for torn in (one[:-4], bytes(200), one[:30] + b"\x01" + one[31:] + one):
            yield bytes([17, 0, 0, 7, beside]) + part(b"") + b"\x00" + one + torn
    epochs = b"".join(at(one, n)[:12] + struct.pack(">i", epoch) + one[16:]
                      for n, epoch in enumerate((1, 5, 3, 3)))
    yield bytes([17, 0, 0, 7, 0]) + part(b"") + b"\x00" + epochs
    for header in ("headers", "nulls"):
        for options in (16, 17):
            yield Fails(bytes([options, 0, 0, 0, 3]) + part(b"") + b"\0" +
                        read(f"t/data/batches/{header}.bin"))


# Every API, by place in the table, and a body of zeroes, ones or twos for it; and
# what t/unit/wire_frame.c sends and gets.
def frame():
    for api in range(31):
        for version in range(19):
            for body in (bytes(60), b"\x01" * 60, b"\x02" * 80, b"\x00\x00\x00\x01" * 20):
                yield b"\x03\x00" + part(bytes([api, version, 1]) + body)
                yield b"\x05\x00" + part(bytes([api, version]) + body)
    hello = bytes.fromhex("001200030000000700026d7100036d7104312e3000")
    for step in (0, 1, 5):
        yield bytes([0, step]) + b"\0\0" + part(hello) + b"\0\0" + part(hello)
        yield bytes([1, step]) + part(hello) + part(b"") + part(b"\x00\x12\x00\x63" + hello[4:])
        yield bytes([0, step]) + b"\x00\x00\x20\x01" + hello
        yield bytes([0, step]) + b"\xff\xff\xff\xff" + hello


ENVELOPES = [
    r'{"topic":"t","partition":0,"offset":7,"tstype":"create","ts":1700000000000,"broker":1,'
    r'"headers":["h","v","n",null],"key":"k","payload":"v"}',
    r'{"payload_b64":"AAECAw==","key_b64":"/w==","headers_b64":["aA==","/w=="]}',
    r'{"value":"\u00e9\ud83d\ude00\n\t\"\\\/\b\f\r","key":null,"headers":{"a":"b","c":null}}',
    r'{"headers":[["a","b"],["c",null]],"ts":"2024-01-15T10:00:00.123Z","value_b64":""}',
    r'{"ts":-1,"offset":-1,"tstype":"logappend","headers":[],"payload":null}',
    r' { "payload" : "x" , "partition" : 12 } ', r'{}', r'{"a":1}', r'{"key":"\ud800"}',
    r'{"payload":1e5}', r'{"payload":[1,{"a":true}]}', r'{"ts":1.5}', r'{"tstype":"no"}',
]


def request():
    """Every API alone, in its newest and oldest versions, at the end of a story, too."""
    def ask(api, version=0, how=0, body=b""):
        return bytes([api, version, how]) + part(body)
    for api in range(31):
        for version in range(0, 14, 2):
            yield b"\0" + ask(api, version)
        for body in (b"\1" * 40, b"\2" * 60, bytes(range(80)), bytes(range(80, 0, -1)), b"\0\1\0\2\0\3" * 9):
            yield b"\2" + ask(api, 0, 0, body) + ask(api, 1, 1, body)
            yield b"\2" + ask(api, 0, 8, body + b"\0\4\1\0\7\2\0\x0b\3")
        yield b"\1" + ask(14) + ask(0, 1) + ask(api) + ask(api, 0, 5) + ask(15)
        yield b"\2" + ask(7, 6) + ask(10) + ask(4) + ask(api) + ask(9) + ask(5)
        for fail in list(range(1, 60, 2)) + [FAIL_ON | n for n in range(1, 60, 7)]:
            yield b"\x0a" + struct.pack(">H", fail) + ask(api) + ask(api, 0, 1, b"\1" * 40)
        # Each choice of each field alone, with an offset committed.
        for field in range(20):
            for choice in [*range(1, 32 if api in (19, 20, 25) else 13), 255]:
                body = bytearray(30)
                body[field] = choice
                yield b"\2" + ask(4) + ask(api, 0, 0, body) + ask(api, 9, 1, body)
        yield b"\5" + ask(0) + ask(api) + ask(8)
        yield b"\4" + ask(0) + ask(api) + ask(8)
    # Two choices at once where members are named, and who comes after.
    for api in (4, 5, 7, 9, 10):
        for one in range(12):
            for other in range(one):
                for choices in ((1, 1), (1, 2), (2, 1), (255, 1), (1, 255)):
                    body = bytearray(30)
                    body[one], body[other] = choices
                    yield (b"\2" + ask(4) + ask(api, 0, 0, body) + ask(api, 6, 1, body) + ask(8) +
                           ask(api, 0, 6, body) + ask(10, 0, 32))
    for how in range(0, 256, 3):
        yield b"\2" + ask(0, 1, 0, b"\0" * 4 + bytes([0, 0, 0, 0, how, 0]))
        yield b"\2" + ask(0, 1, 0, b"\0" * 4 + bytes([0, 0, 0, 0, 0x20, how, 7, 0, 9, 5, 0, 61, 6]))


def envelope():
    for text in ENVELOPES:
        yield b"\x00" + text.encode()
    yield b"\x00{\"payload\":\"\xff\"}"
    yield b"\x01\x00\x08\x05" + part(b"key") + part(b"\x00\xffvalue") + part(b"h") + part(b"v")
    yield b"\x01\x03\x08\x05" + part(b"") + part(b"") + part(b"h\xff") + part(b"")
    yield b"\x01\x0c\x08" + part("\u00e9\u2028".encode()) + part(b'"\\\n\x01') + part(b"") + part(b"")


FORMATS = r"""%s %v %S %V %R %k %K %h %T %t %p %o %e %x %y %i %%
%a{codec}%a{txn}%a{control}%a{tstype}
%s{hex}%s{base64}%s{json}%s{quoted}%k{hex}%t{json}
%s{unpack[<ihqQ>iBcs]}%s{unpack[>b hI$]}%s{unpack[.Bs]}%k{unpack[c]}
%o{be32}%o{le32}%o{varint}%o{hex}%p{be32}%S{varint}%p{le32}
%T{iso}%T{s}%T{us}%T{strftime[%Y-%m-%d %H:%M:%S]}%T{hex}%T{be32}
%h{%k=%v,}%h{%k{json}:%v{hex};}%h[a]%h[missing]%h{%k}
\n\t\x41\0\\%s\%
%
%z
%s{
%s{nope}
%h{%s}
%h[
%T{strftime[}
%a{x}
\x4
\q""".split("\n")


def format():
    header = b"\x02a\x02b" + b"\x04cd\x01" + b"\x02e\x00"
    for text in FORMATS:
        for how in (0, 3):
            yield (bytes([how, 7, 131, 3, 4, 5, 6, how * 16 + 0x33]) + part(text.encode()) +
                   part(b"NULL") + part(b"key") + part(b"value\x00\xff1234567890abcdefgh") +
                   part(header))
            yield (bytes([how | 4, 133, 132, 133, 132, 133, 132, 16]) + part(text.encode()) +
                   part(b"") + part(b"\x00\x01") + part(b"\x00\x01\x02\x03") + part(b""))


def framing():
    text = b"one\ntwo\n\nk:v\nNULL\nNULL:NULL\n" + b"x" * 250 + b"\nlast"
    for options in range(256):
        if options & 12 != 12 and options & 5 != 5:
            yield bytes([options, 3]) + part(b"\\n") + part(b":") + text
    json = "\n".join(ENVELOPES).encode()
    for options in (8, 9, 10, 8 | 32, 8 | 64):
        yield bytes([options, 20]) + part(b"\\n") + part(b"key=") + json
    yield bytes([17, 0]) + part(b"ab") + part(b"::") + b"k::vabaab" + b"x" * 300 + b"abend"
    yield bytes([1, 0]) + part(b"") + part(b"") + text
    yield bytes([1, 0]) + part(b"\\q") + part(b"") + text


WORDS = [
    ["beginning", "5..10", "..end", "@1700000000..+1h", "-10", "+5..-1", "stored", "s@5\0e@9",
     "@2024-01-15T10:00..2024-01-16", "end..beginning", "5..", "..", "x", "earliest..latest",
     "@-2h..now", "9223372036854775808", "-9223372036854775808"],
    ["0,2-5", "-1", "1-3,2-9\x0010", "5-2", "0,", "4294967296", "7,6,5\x006-8,1"],
    ["2024-01-15", "2024-01-15T10:00", "2024-01-15 10:00:30.123Z", "2024-02-30", "now", "-2h",
     "2024-01-15T10:00+01:00", "2024-01-15T10:00:00,5-0130", "1700000000", "1700000000000",
     "+1h", "9999-12-31T23:59:59.999Z", "0000-01-01T00:00Z", "2024-01-15T24:00", "-1", "1d2h"],
    ["12", "-1", "4k", "3MiB", "2gb", "1.5h", "1w2d3h4m5s6ms", "-7d", "99999999999999999999",
     "0.001", "1T", "8E", "1h30m", "\x7f\xff\xff\xff\xff\xff\xff\xff",
     "\x80\x01\x02\x03\x04\x05\x06\x07"],
    ["\\n\\t\\r\\0\\a\\b\\e\\f\\v\\\\\\\"\\'\\%\\x4a", "plain", "\\x", "\\xg0", "\\q", "it's\x01\xe9"],
    ["a*b?c\0axxbyc", "[a-z]*\0orders", "[!a-c]x\0dx", "\\*\0*", "[\0[", "[]a]\0]", "a\0a", "*a*b*\0xaxb",
     "retention.m\0retention.ms", "[a-\0[a-", "**x\0yyx", "orders\0order"],
    ["AAAAAAAAQACAAAAAAAAABQ", "QUJD", "QQ==", "\xe2\x82\xac\xf0\x9f\x98\x80", "\xed\xa0\x80\xc0\x80", "a\"\\\n\x01"],
]


def words():
    for which, texts_of in enumerate(WORDS):
        for text in texts_of:
            yield bytes([which]) + text.encode("latin-1")


COMMANDS = [
    (0, "-t t -p 3 -k key -H a=b -D \\n -z gzip -a all -X linger.ms=5 -X acks=1 file"),
    (0, "-J -t t --ts 5 --partitioner=murmur2 --key-optional --ack-format %o -c 7 -q -v"),
    (1, "-t t -o beginning..end -f %k:%s\\n -c 5 -g group -e -p 0,1-3 --tail=5"),
    (1, "-t a* -J -D x -Z NULL --isolation=read_committed --commit=never --fail-empty"),
    (2, "create t --partitions 3 -X retention.ms=7d -X cleanup.policy=compact,delete"),
    (2, "alter t -X retention.bytes=4G -X min.insync.replicas -X segment.bytes=1k -X x=y"),
    (2, "trim t -o @1700000000 -p 0-2"), (2, "delete t -f"), (2, "list -J --heading"),
    (3, "seek g -t t -o -5 -p 1 --force"), (3, "lag g --max 5"), (3, "describe g -J"),
    (4, "--verify -J -o 5..9 --records --keys --data file"), (5, "check -t t file"),
    (5, "rebuild dir"), (5, "lookup x -o 7"), (0, "-h"), (1, "-V"), (2, "--dump-options"),
    (2, "crate t"), (1, "--tial=5"), (0, "-t"), (1, "-c x"), (1, "-c 5 -c 6"), (2, ""),
    (2, "create t --if-not-exists -X cleanup.policy=nonsense -X message.timestamp.type=x"),
    (1, "--color=alw"), (1, "--col"), (2, "del"), (0, "-X"), (0, "-X acks="), (0, "-"),
    (1, "-t ^or.*s -t __c* x"), (0, "-z"), (0, "--compression="), (1, "-m 5s -X isolation"),
    (2, "create -X message.timestamp.before.max.ms=1h -X min.cleanable.dirty.ratio=0.5 a b"),
    (1, "-X list -t t"), (0, "-X dump -X acks=1"), (1, "-t ordres -t ^x.* -t o?x -t t"),
    (0, "-X topic.request.required.acks=1 -X sasl.password=x"), (2, "describe ordres nothing g*"),
    (0, "-X partitioner.class=x.RoundRobinPartitioner -X profile=none"),
    (0, "-X partitioner.class=org.apache.kafka.clients.producer.internals.DefaultPartitioner"),
    (2, "create -X follower.replication.throttled.replicas=0:1,1:2 a"), (1, "-X profile="),
    (2, "create -X leader.replication.throttled.replicas=*,0:1,x a"), (0, "-X =x"),
    (2, "create -X unclean.leader.election.enable=TRUE -X preallocate=no a"),
]


def options():
    for tool, text in COMMANDS:
        yield bytes([tool]) + text.replace(" ", "\0").encode()
    for tool, text in ((0, "-t t -X acks=1 -X topic.acks=all -X list"), (1, "-t o* -J -o 5..9"),
                       (2, "create t -X retention.ms=7d -X cleanup.policy=compact,delete")):
        yield Fails(bytes([tool]) + text.replace(" ", "\0").encode())
    yield Fails(b"\x80acks=1\n[profile a]\nlinger.ms=5\n")
    for tool in range(6):
        yield bytes([tool]) + b"-"
        yield bytes([tool]) + b"--"
        yield bytes([tool]) + b"-d\0dir\0-F\0none\0--color\0always\0"
    yield b"\x80" + b"""# comment
! other
acks = all
compression.type: gzip
[profile a]
linger.ms=5
batch.size = 4k
[profile b]
bootstrap.servers=x:9092
[nonsense]
[profile
"""
    yield b"\x80profile = a\n[profile a]\nacks=1\nlog.dirs=/x\n[profile b]\nacks=0\n"
    yield b"\x80acks\n"
    yield b"\x80acks=maybe\n"
    yield b"\x80enable.idempotence=true\nsecurity.protocol=ssl\nauto.offset.reset=largest\n"
    yield b"\x80client.id=\xe9\nauto.create.topics.enable=no\npartitioner=random\n"


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    for name, make in sorted(globals().items()):
        if not os.path.exists(f"t/fuzz/{name}.c") or not callable(make):
            continue
        os.makedirs(f"{sys.argv[1]}/{name}", exist_ok=True)
        seeds = list(make())
        if name in FAILING:
            numbers = [kind | call for call in range(1, 160) for kind in (0, FAIL_MEMORY)]
            numbers += [FAIL_ON | number for number in numbers[::8]]
            failing = [seed for seed in seeds if isinstance(seed, Fails)]
            failing += sorted(seeds, key=len)[-40::8]
            seeds = [b"\0\0" + seed for seed in seeds]
            seeds += [struct.pack(">H", n) + seed for seed in failing for n in numbers]
        for number, seed in enumerate(seeds):
            with open(f"{sys.argv[1]}/{name}/seed-{number:03}", "wb") as file:
                file.write(seed)


main()
