#!/usr/bin/env python3
"""ofd-lock.py FILE: locks FILE for itself, as a daemon or Java does, says
"locked", and lets go when its standard input ends."""
import fcntl
import os
import struct
import sys

F_OFD_SETLKW = 38
F_WRLCK, SEEK_SET = 1, 0
fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT, 0o644)
fcntl.fcntl(fd, F_OFD_SETLKW, struct.pack("hhqqi4x", F_WRLCK, SEEK_SET, 0, 0, 0))
print("locked", flush=True)
sys.stdin.read()
