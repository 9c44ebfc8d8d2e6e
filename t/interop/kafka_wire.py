"""kafka_wire: Kafka's protocol in Python, driven by Kafka's own message schemas.

An independent codec to hold ours against: it shares no code and no table with
lib/wire, only Apache's JSON schemas, which schema-extract.sh takes out of the
pinned jars. Standard library only.

    wire = kafka_wire.load()                    the schemas of the pinned Kafka
    api = wire["Metadata"]                      .key .versions .flexible
    wire.encode("Metadata", 12, {"topics": None}, correlation=7)  a frame's content
    wire.decode("Metadata", 12, answer)         (correlation, dict)

Messages are dicts with Kafka's field names, first letter small (topicId). What
is left out takes its default; a field that the version does not have is left
out. Values: int, bool, str, bytes, None, list, dict; a uuid is its text of 22
characters. A Raw stands for any field (or body) and is written as it is; None
is written as null also where the schema allows none: so that wrong requests can
be made. A name that the schema does not know in any version is an error.

Decoding is strict: bytes that are left over, lengths beyond the end, a null
where none may be, tags out of order raise WireError. Unknown tags are kept as
"_tags".

    record_batch(records, ...)   one batch v2, every field of it settable
    legacy_set(magic, ...)       a message set of magic 0 or 1
    read_batches(data)           what a records field holds, as dicts
"""
import base64
import functools
import glob
import json
import os
import re
import struct
import subprocess
import zlib

OPEN = 32767
NULL_UUID = "AAAAAAAAAAAAAAAAAAAAAA"


class WireError(Exception):
    """The bytes are not what the schema says."""


class Raw(bytes):
    """Bytes to be written as they are, in place of a field or a body."""


def uuid_text(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def uuid_bytes(text):
    return base64.urlsafe_b64decode(text + "==")


# --- primitives ---------------------------------------------------------------

def uvarint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def varint(value):
    """Zigzag, of 64 bits."""
    return uvarint((value << 1 ^ value >> 63) & 0xFFFFFFFFFFFFFFFF)


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        if count < 0 or count > len(self.data) - self.at:
            raise WireError(f"{count} bytes wanted at {self.at} of {len(self.data)}")
        self.at += count
        return bytes(self.data[self.at - count:self.at])

    def number(self, code):
        return struct.unpack(">" + code, self.take(struct.calcsize(code)))[0]

    def uvarint(self):
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7
            if shift > 63:
                raise WireError(f"a varint too long at {self.at}")

    def varint(self):
        value = self.uvarint()
        return value >> 1 ^ -(value & 1)

    def left(self):
        return len(self.data) - self.at


NUMBERS = {"bool": "?", "int8": "b", "int16": "h", "uint16": "H", "int32": "i",
           "uint32": "I", "int64": "q", "float64": "d"}
LENGTHS = {"string": "h", "bytes": "i", "records": "i", "array": "i"}


def write_length(kind, flexible, length):
    """length None: null."""
    if flexible:
        return uvarint(0 if length is None else length + 1)
    return struct.pack(">" + LENGTHS[kind], -1 if length is None else length)


def read_length(reader, kind, flexible):
    length = reader.uvarint() - 1 if flexible else reader.number(LENGTHS[kind])
    if length < -1 or length > reader.left():
        raise WireError(f"a length of {length} at {reader.at}, {reader.left()} bytes left")
    return None if length == -1 else length


# --- schemas ------------------------------------------------------------------

def parse_range(text):
    if not text or text == "none":
        return 0, -1
    if text.endswith("+"):
        return int(text[:-1]), OPEN
    low, _, high = text.partition("-")
    return int(low), int(high or low)


def within(bounds, version):
    return bounds[0] <= version <= bounds[1]


class Field:
    def __init__(self, spec, common):
        name, kind = spec["name"], spec["type"]
        self.name = name[0].lower() + name[1:]
        self.array = kind.startswith("[]")
        self.kind = kind.removeprefix("[]")
        self.versions = parse_range(spec.get("versions") or spec.get("taggedVersions"))
        self.nullable = parse_range(spec.get("nullableVersions"))
        self.tagged = parse_range(spec.get("taggedVersions"))
        self.tag = spec.get("tag")
        self.inflexible = spec.get("flexibleVersions") == "none"
        self.struct = None
        if self.kind not in NUMBERS and self.kind not in ("uuid", "string", "bytes", "records"):
            self.struct = Struct(spec.get("fields") or common[self.kind], common)
        self.spec_default = spec.get("default")

    def default(self):
        text = self.spec_default
        if text == "null":
            return None
        if self.array:
            return []
        if self.kind == "bool":
            return text in (True, "true")
        if self.kind in NUMBERS:
            return 0 if text in (None, "") else int(str(text), 0)
        return {"uuid": NULL_UUID, "string": text or "", "bytes": b"", "records": None}.get(self.kind, {})

    def full_default(self, version):
        value = self.default()
        return self.struct.defaults(version) if value == {} else value


class Struct:
    def __init__(self, specs, common):
        self.fields = [Field(spec, common) for spec in specs]
        self.names = {field.name for field in self.fields}

    @functools.lru_cache(maxsize=None)
    def plain(self, version):
        return [f for f in self.fields if within(f.versions, version) and not within(f.tagged, version)]

    @functools.lru_cache(maxsize=None)
    def tags(self, version):
        found = [f for f in self.fields if within(f.versions, version) and within(f.tagged, version)]
        return sorted(found, key=lambda f: f.tag)

    def trimmed(self, version, value):
        """What of a message this version has."""
        if isinstance(value, list):
            return [self.trimmed(version, item) for item in value]
        if not isinstance(value, dict):
            return value
        there = {f.name: f for f in self.fields if within(f.versions, version)}
        return {k: there[k].struct.trimmed(version, v) if there[k].struct else v
                for k, v in value.items() if k in there}

    def defaults(self, version):
        return {f.name: f.full_default(version) for f in self.plain(version) + self.tags(version)}

    def encode(self, version, flexible, value):
        if isinstance(value, Raw):
            return bytes(value)
        unknown = set(value) - self.names - {"_tags"}
        if unknown:
            raise ValueError(f"no such field: {', '.join(sorted(unknown))}; there are {', '.join(sorted(self.names))}")
        out = [encode_field(f, version, flexible, value.get(f.name, f.default())) for f in self.plain(version)]
        if flexible:
            tags = {int(tag): bytes(data) for tag, data in value.get("_tags", {}).items()}
            for f in self.tags(version):
                given = value.get(f.name, f.default())
                if given != f.default():
                    tags[f.tag] = encode_field(f, version, True, given)
            out.append(uvarint(len(tags)))
            out += [uvarint(tag) + uvarint(len(data)) + data for tag, data in sorted(tags.items())]
        return b"".join(out)

    def decode(self, version, flexible, reader):
        value = {f.name: decode_field(f, version, flexible, reader) for f in self.plain(version)}
        if not flexible:
            return value
        known = {f.tag: f for f in self.tags(version)}
        value.update({f.name: f.full_default(version) for f in known.values()})
        last = -1
        for _ in range(reader.uvarint()):
            tag, size = reader.uvarint(), reader.uvarint()
            if tag <= last:
                raise WireError(f"tag {tag} after tag {last}")
            last, part = tag, Reader(reader.take(size))
            if tag in known:
                value[known[tag].name] = decode_field(known[tag], version, True, part)
                if part.left():
                    raise WireError(f"{part.left()} bytes left over in tag {tag}")
            else:
                value.setdefault("_tags", {})[tag] = part.data
        return value


def encode_field(field, version, flexible, value):
    if isinstance(value, Raw):
        return bytes(value)
    flexible = flexible and not field.inflexible
    if field.array:
        if value is None:
            return write_length("array", flexible, None)
        return write_length("array", flexible, len(value)) + b"".join(
            encode_one(field, version, flexible, item) for item in value)
    if field.struct and within(field.nullable, version):
        if within(field.tagged, version):
            head = uvarint(0 if value is None else 1)
        else:
            head = struct.pack(">b", -1 if value is None else 1)
        return head if value is None else head + encode_one(field, version, flexible, value)
    return encode_one(field, version, flexible, value)


def encode_one(field, version, flexible, value):
    kind = field.kind
    if isinstance(value, Raw):
        return bytes(value)
    if field.struct:
        return field.struct.encode(version, flexible, value)
    if kind in NUMBERS:
        return struct.pack(">" + NUMBERS[kind], value)
    if kind == "uuid":
        return uuid_bytes(value)
    if value is None:
        return write_length(kind, flexible, None)
    data = value.encode() if isinstance(value, str) else bytes(value)
    return write_length(kind, flexible, len(data)) + data


def decode_field(field, version, flexible, reader):
    flexible = flexible and not field.inflexible
    nullable = within(field.nullable, version)
    if field.array:
        count = read_length(reader, "array", flexible)
        if count is None and not nullable:
            raise WireError(f"{field.name} is null")
        return None if count is None else [decode_one(field, version, flexible, reader, False) for _ in range(count)]
    if field.struct and nullable:
        there = reader.uvarint() if within(field.tagged, version) else reader.number("b")
        if there not in (-1, 0, 1):
            raise WireError(f"{field.name}: a struct's marker of {there}")
        return field.struct.decode(version, flexible, reader) if there == 1 else None
    return decode_one(field, version, flexible, reader, nullable)


def decode_one(field, version, flexible, reader, nullable):
    kind = field.kind
    if field.struct:
        return field.struct.decode(version, flexible, reader)
    if kind in NUMBERS:
        return reader.number(NUMBERS[kind])
    if kind == "uuid":
        return uuid_text(reader.take(16))
    length = read_length(reader, kind, flexible)
    if length is None:
        if not nullable and kind != "records":
            raise WireError(f"{field.name} is null")
        return None
    data = reader.take(length)
    return data.decode("utf-8", "surrogateescape") if kind == "string" else data


class Api:
    def __init__(self, request, response):
        self.name, self.key = request["name"].removesuffix("Request"), request["apiKey"]
        low, high = parse_range(request["validVersions"])
        self.versions = low, high - 1 if request.get("latestVersionUnstable") else high
        self.flexible = parse_range(request["flexibleVersions"])
        common = lambda schema: {s["name"]: s["fields"] for s in schema.get("commonStructs", [])}
        self.request = Struct(request["fields"], common(request))
        self.response = Struct(response["fields"], common(response))

    def is_flexible(self, version):
        return within(self.flexible, version)


class Wire(dict):
    """Kafka's APIs by name, and what frames of them are."""

    def encode(self, name, version, body, correlation=0, client_id="oracle", key=None):
        """A frame's content. A body that is a Raw is written as it is."""
        api = self[name]
        flexible = api.is_flexible(version)
        client = client_id if client_id is None or isinstance(client_id, bytes) else client_id.encode()
        head = struct.pack(">hhi", api.key if key is None else key, version, correlation)
        head += struct.pack(">h", -1 if client is None else len(client)) + (client or b"")
        head += b"\0" if flexible else b""
        return head + api.request.encode(version, flexible, body)

    def decode(self, name, version, data):
        """(correlation, dict) of an answer to a request of that API and version."""
        api = self[name]
        flexible = api.is_flexible(version)
        reader = Reader(data)
        correlation = reader.number("i")
        if flexible and name != "ApiVersions":
            for _ in range(reader.uvarint()):
                reader.uvarint()
                reader.take(reader.uvarint())
        body = api.response.decode(version, flexible, reader)
        if reader.left():
            raise WireError(f"{reader.left()} bytes left over")
        return correlation, body


def load(directory=None):
    """The client APIs of the schemas in DIRECTORY; by default the pinned Kafka's."""
    if directory is None:
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "schema-extract.sh")
        directory = subprocess.run([script], check=True, capture_output=True, text=True).stdout.strip()
    found = {}
    for path in glob.glob(directory + "/clients/*Re[qs]*.json"):
        with open(path, encoding="utf-8") as file:
            schema = json.loads(re.sub(r"^\s*//.*$", "", file.read(), flags=re.M))
        if schema["type"] in ("request", "response") and schema["validVersions"] != "none":
            found[schema["apiKey"], schema["type"]] = schema
    return Wire({api.name: api for api in (
        Api(found[key, kind], found[key, "response"]) for key, kind in sorted(found) if kind == "request")})


# --- records ------------------------------------------------------------------

def _crc_table():
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


CRC_TABLE = _crc_table()


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = CRC_TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def xxh32(data, seed=0):
    """xxHash of less than 16 bytes: what an LZ4 frame's header needs."""
    mask = 0xFFFFFFFF
    hash_ = (seed + 374761393 + len(data)) & mask
    rotate = lambda x, n: (x << n | x >> 32 - n) & mask
    for i in range(0, len(data) - 3, 4):
        hash_ = rotate((hash_ + int.from_bytes(data[i:i + 4], "little") * 3266489917) & mask, 17) * 668265263 & mask
    for byte in data[len(data) & ~3:]:
        hash_ = rotate((hash_ + byte * 374761393) & mask, 11) * 2654435761 & mask
    hash_ = (hash_ ^ hash_ >> 15) * 2246822519 & mask
    hash_ = (hash_ ^ hash_ >> 13) * 3266489917 & mask
    return hash_ ^ hash_ >> 16


CODECS = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}


def compress(codec, data):
    """gzip compresses; the others hold the data in blocks that say "as it is",
    which every decoder must take."""
    if codec == "none":
        return data
    if codec == "gzip":
        deflate = zlib.compressobj(6, zlib.DEFLATED, 31)
        return deflate.compress(data) + deflate.flush()
    if codec == "snappy":
        raw = uvarint(len(data))
        for i in range(0, len(data), 60):
            part = data[i:i + 60]
            raw += bytes([(len(part) - 1) << 2]) + part
        return b"\x82SNAPPY\0" + struct.pack(">iii", 1, 1, len(raw)) + raw
    if codec == "lz4":
        descriptor = bytes([0x60, 0x70])
        out = b"\x04\x22\x4d\x18" + descriptor + bytes([xxh32(descriptor) >> 8 & 0xFF])
        return out + struct.pack("<I", len(data) | 0x80000000) + data + struct.pack("<I", 0)
    if codec == "zstd":
        return (b"\x28\xb5\x2f\xfd\xa0" + struct.pack("<I", len(data)) +
                struct.pack("<I", len(data) << 3 | 1)[:3] + data)
    raise ValueError(codec)


def decompress(codec, data):
    """What this codec can: gzip, and what compress made of the others; else None."""
    if codec == 0:
        return data
    if codec == 1:
        return zlib.decompress(data, 31)
    return None


def record(value=b"v", key=None, headers=(), offset_delta=0, ts_delta=0, attributes=0):
    size = lambda data: varint(-1) if data is None else varint(len(data)) + data
    body = struct.pack(">b", attributes) + varint(ts_delta) + varint(offset_delta) + size(key) + size(value)
    body += varint(len(headers)) + b"".join(varint(len(k)) + k + size(v) for k, v in headers)
    return varint(len(body)) + body


def record_batch(records=1, ts=0, codec="none", base_offset=0, leader_epoch=-1, magic=2, crc=None,
                 attributes=None, last_delta=None, base_ts=None, max_ts=None, pid=-1, epoch=-1, seq=-1,
                 count=None, length=None, payload=None, extra=b""):
    """One batch v2. RECORDS: a number of plain ones, or a list of dicts for
    record(). Everything else overrides what would be right."""
    if isinstance(records, int):
        records = [{"value": b"value %d" % i, "ts_delta": i} for i in range(records)]
    made = b"".join(record(**{"offset_delta": i, **r}) for i, r in enumerate(records))
    payload = compress(codec, made + extra) if payload is None else payload
    deltas = [r.get("ts_delta", 0) for r in records] or [0]
    base_ts = ts if base_ts is None else base_ts
    body = struct.pack(">hiqqqhii",
                       CODECS[codec] if attributes is None else attributes,
                       len(records) - 1 if last_delta is None else last_delta, base_ts,
                       base_ts + max(deltas) if max_ts is None else max_ts, pid, epoch, seq,
                       len(records) if count is None else count) + payload
    crc = crc32c(body) if crc is None else crc
    head = struct.pack(">ibI", leader_epoch, magic, crc)
    return struct.pack(">qi", base_offset, len(head + body) if length is None else length) + head + body


def legacy_set(magic=1, values=(b"v",), ts=0, attributes=0, crc=None):
    out = b""
    for offset, value in enumerate(values):
        body = struct.pack(">bb", magic, attributes) + (struct.pack(">q", ts) if magic else b"")
        body += struct.pack(">i", -1) + struct.pack(">i", len(value)) + value
        body = struct.pack(">I", zlib.crc32(body) if crc is None else crc) + body
        out += struct.pack(">qi", offset, len(body)) + body
    return out


def read_records(data):
    reader, found = Reader(data), []
    while reader.left():
        part = Reader(reader.take(reader.varint()))
        attributes, ts, offset = part.number("b"), part.varint(), part.varint()
        size = lambda: (lambda n: None if n < 0 else part.take(n))(part.varint())
        key, value = size(), size()
        headers = [[part.take(part.varint()), size()] for _ in range(part.varint())]
        found.append({"offsetDelta": offset, "tsDelta": ts, "key": key, "value": value, "headers": headers,
                      **({"attributes": attributes} if attributes else {})})
    return found


def read_batches(data):
    """The batches in a records field; a last one cut short says how much is there."""
    found, at = [], 0
    while at < len(data):
        if len(data) - at < 61 or len(data) - at < 12 + struct.unpack_from(">i", data, at + 8)[0]:
            found.append({"cutShort": len(data) - at})
            break
        (base, length, leader_epoch, magic, crc, attributes, last, base_ts, max_ts, pid, epoch, seq,
         count) = struct.unpack_from(">qiibIhiqqqhii", data, at)
        payload = data[at + 61:at + 12 + length]
        batch = {"baseOffset": base, "leaderEpoch": leader_epoch, "magic": magic,
                 "crc": "good" if crc == crc32c(data[at + 21:at + 12 + length]) else f"bad {crc:#x}",
                 "attributes": attributes, "lastOffsetDelta": last, "baseTimestamp": base_ts,
                 "maxTimestamp": max_ts, "producerId": pid, "producerEpoch": epoch, "baseSequence": seq,
                 "count": count}
        plain = decompress(attributes & 7, payload)
        batch["payload" if plain is None else "records"] = payload if plain is None else read_records(plain)
        found.append(batch)
        at += 12 + length
    return found
