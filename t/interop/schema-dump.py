#!/usr/bin/env python3
"""schema-dump.py DIR NAME...: Kafka's message schemas, the way wire-gen --dump prints ours.

DIR is what schema-extract.sh prints; NAMEs are messages. Names come out as our
generator gives them to JSON (first letter small), ranges cut to the versions
that the message or the field around has, defaults only where they are not zero,
empty or false. An API's unstable version is left out, as we do not have it.
Fields are looked at the way Kafka's own generator does: a tagged field without
versions has those it is tagged in, and a JSON null is no default at all, while
the text "null" is one.
"""
import glob
import json
import re
import sys

OPEN = 32767
PRIMITIVES = {
    "bool", "int8", "int16", "uint16", "int32", "uint32", "int64", "float64",
    "uuid", "string", "bytes", "records",
}
FAMILIES = {
    "group-coordinator": "group", "transaction-coordinator": "txn", "share-coordinator": "share",
}


def load_all(directory):
    found = {}
    for path in glob.glob(directory + "/*/*.json"):
        with open(path, encoding="utf-8") as file:
            text = re.sub(r"^\s*//.*$", "", file.read(), flags=re.M)
        schema = json.loads(text)
        schema["jar"] = path.split("/")[-2]
        found[schema["name"]] = schema
    return found


def parse_range(text):
    if not text or text == "none":
        return None
    if text.endswith("+"):
        return int(text[:-1]), OPEN
    low, _, high = text.partition("-")
    return int(low), int(high or low)


def print_range(word, text, valid):
    found = parse_range(text)
    if found is None:
        return ""
    low, high = max(found[0], valid[0]), min(found[1], valid[1])
    if low > high:
        return ""
    return f" {word} {low}" if low == high else f" {word} {low}-{high}"


def print_default(field, base):
    value = field.get("default")
    if value is None:
        return ""
    value = str(value)
    if value == "null":
        return " default null"
    if base == "bool":
        value = value.lower()
    elif base.startswith(("int", "uint")):
        value = str(int(value, 0))
    return "" if value in ("", "0", "false") else f" default {value}"


def lower_first(name):
    return name[0].lower() + name[1:]


def print_fields(fields, common, valid, path):
    for field in fields:
        kind = field["type"]
        base = kind.removeprefix("[]")
        array = "[]" if kind != base else ""
        versions = field.get("versions") or field["taggedVersions"]
        if "taggedVersions" in field and field["taggedVersions"] != versions:
            sys.exit(f"{path}: tagged in some versions only, which our schemas cannot say")
        live = meet(versions, valid)
        if live[0] > live[1]:
            continue
        sub = f"{path}.{lower_first(field['name'])}"
        line = f"{sub} {array}{base if base in PRIMITIVES else 'struct'}"
        line += print_range("versions", versions, valid)
        line += print_range("nullable", field.get("nullableVersions"), live)
        line += f" tag {field['tag']}" if "tag" in field else ""
        line += print_default(field, base if not array else "array")
        line += " ignorable" if field.get("ignorable") else ""
        line += " inflexible" if field.get("flexibleVersions") == "none" else ""
        print(line)
        if base not in PRIMITIVES:
            print_fields(field.get("fields") or common[base], common, live, sub)


def meet(text, valid):
    low, high = parse_range(text)
    return max(low, valid[0]), min(high, valid[1])


def family_of(schema):
    kind = schema["type"]
    if kind.startswith("coordinator-"):
        return FAMILIES[schema["jar"]] + "_" + kind.removeprefix("coordinator-")
    return kind if kind in ("metadata", "request", "response") else "data"


def versions_of(schema, schemas):
    low, high = parse_range(schema["validVersions"])
    request = schemas.get(schema["name"].removesuffix("Response") + "Request", {})
    unstable = schema.get("latestVersionUnstable") or (
        schema["type"] == "response" and request.get("latestVersionUnstable"))
    return low, high - 1 if unstable else high


def main():
    schemas = load_all(sys.argv[1])
    for name in sys.argv[2:]:
        schema = schemas.get(name)
        if schema is None:
            sys.exit(f"Kafka has no message {name}")
        valid = versions_of(schema, schemas)
        key = f" {schema['apiKey']}" if "apiKey" in schema else ""
        line = f"{name} {family_of(schema)}{key}"
        line += print_range("versions", schema["validVersions"], valid)
        line += print_range("flexible", schema["flexibleVersions"], valid)
        line += " on " + " ".join(schema["listeners"]) if "listeners" in schema else ""
        print(line)
        common = {s["name"]: s["fields"] for s in schema.get("commonStructs", [])}
        print_fields(schema["fields"], common, valid, name)


main()
