"""words.py: what the Python programs share. See clients.bash."""
import base64
import json
import sys
import traceback


def text(data):
    return None if data is None else base64.b64encode(bytes(data)).decode()


def data(b64):
    return None if b64 is None else base64.b64decode(b64)


def say(*words):
    print(*words, flush=True)


def say_lines(words):
    for word in words:
        say(word)


def record(offset, key, value, headers, ms):
    """One line as all the programs print it."""
    headers = [[name, text(v)] for name, v in headers or []]
    say(json.dumps({"o": offset, "k": text(key), "v": text(value), "h": headers, "t": ms}))


def stdin_records():
    """What is to be produced: (key, value, headers, milliseconds or None)."""
    for line in sys.stdin:
        r = json.loads(line)
        yield data(r["k"]), data(r["v"]), [(name, data(v)) for name, v in r["h"]], r.get("t")


def ask(commands):
    """Does what the command line says: commands are functions by their names."""
    name, *args = sys.argv[1:]
    if name not in commands:
        print(f"{name}: this client does not offer that", file=sys.stderr)
        return 64
    try:
        commands[name](*args)
        return 0
    except Exception:  # pylint: disable=broad-except
        traceback.print_exc()
        return 1
