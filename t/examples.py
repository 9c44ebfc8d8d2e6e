"""examples PAGE: runs the examples of a manual page and compares what they print.

An example is a literal display (.Bd -literal to .Ed) of the section EXAMPLES, or
of a page in Markdown a block between fences that begins with a command:
lines that begin with "$ " are commands, continued by a backslash at their end;
what follows up to the next one is what a person at a terminal would see. All
of a page run in one shell, in an empty directory, with an empty store.

Ids of topics, and times of the day on which the test runs, differ each time:
they are only held against being one.
"""

import os
import pty
import re
import sys

END = "\x1e"
ESCAPES = {r"\e": "\\", r"\-": "-", r"\&": "", r"\(aq": "'", r"\(ha": "^", r"\(ti": "~"}


def examples(page):
    """Pairs of a command and the output that the page shows."""
    section = literal = False
    found = []
    if page.endswith(".md"):
        for block in re.findall(r"^```\n(\$ .*?)^```$", open(page, encoding="utf-8").read(), re.M | re.S):
            found += [part.partition("\n")[::2] for part in re.split(r"^\$ ", block, flags=re.M)[1:]]
        return [(command + "\n", output) for command, output in found]
    for line in open(page, encoding="utf-8").read().splitlines():
        if line.startswith(".Sh"):
            section = line == ".Sh EXAMPLES"
        elif line.startswith(".Bd -literal"):
            literal = section
        elif line == ".Ed":
            literal = False
        elif literal:
            line = re.sub(r"\\(\(..|.)", lambda m: ESCAPES[m[0]], line)
            if found and found[-1][0].endswith("\\\n"):
                found[-1][0] += line + "\n"
            elif line.startswith("$ "):
                found.append([line[2:] + "\n", ""])
            else:
                found[-1][1] += line + "\n"
    return found


def run(script):
    """What the shell prints on a terminal."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvp("sh", ["sh", "-c", script])
    output = b""
    while True:
        try:
            piece = os.read(terminal, 65536)
        except OSError:  # EIO: the shell has ended
            break
        if not piece:
            break
        output += piece
    os.waitpid(pid, 0)
    return output.decode().replace("\r\n", "\n")


def steady(text):
    text = re.sub(r'"ts":\d{13}\b', '"ts":<now>', text)
    text = re.sub(r"(?<![\w-])[\w-]{22}(?![\w-])", "<an id of 22 charact.>", text)
    return re.sub(r"20(2[6-9]|[3-9]\d)-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", "<a time of today.......>", text)


def main():
    os.environ.update(TERM="dumb", MQ_DIR=os.getcwd() + "/store")
    pairs = examples(sys.argv[1])
    script = "".join(command + f"(s=$?; printf '\\036'; exit $s)\n" for command, _ in pairs)
    printed = run(script).split(END)
    failed = not pairs
    for (command, want), got in zip(pairs, printed):
        if steady(got) != steady(want):
            print(f"$ {command}--- the page shows\n{want}--- the terminal shows\n{got}")
            failed = True
    print(f"{len(pairs)} examples")
    sys.exit(failed or len(printed) != len(pairs) + 1)


main()
