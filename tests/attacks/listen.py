#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""listen.py READY KIND NAME...: a service of the host that containers must not reach, until it is killed.

KIND abstract NAME, tcp ADDRESS PORT, unix PATH. Makes the file READY once it listens, appends a line to READY for each
connection.
"""
import socket
import sys


def main():
    ready, kind, *name = sys.argv[1:]
    if kind == "abstract":
        s = socket.socket(socket.AF_UNIX)
        s.bind("\0" + name[0])
    elif kind == "unix":
        s = socket.socket(socket.AF_UNIX)
        s.bind(name[0])
    else:
        s = socket.socket(socket.AF_INET6 if ":" in name[0] else socket.AF_INET)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((name[0], int(name[1])))
    s.listen(16)
    open(ready, "w").close()
    while True:
        c, _ = s.accept()
        with open(ready, "a") as f:
            f.write("connection\n")
        c.close()


main()
