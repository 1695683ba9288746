#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""oci_notify.py SOCKET FOLDER N: a seccomp agent as linux.seccomp.listenerPath means it (config-linux.md, seccomp_unotify(2)).

Takes N connections, writes the state that comes with each to FOLDER/state.1, ..., and answers the calls of all of them until it
is ended: mkdir gets EDOM, getppid the number 4242, all others go on in the kernel. Each call is a line "PID NUMBER" of
FOLDER/calls.
"""
import fcntl
import os
import select
import socket
import struct
import sys

RECV, SEND, CONTINUE, EDOM = 0xC0502100, 0xC0182101, 1, 33
MKDIR, MKDIRAT, GETPPID = 83, 258, 110


def answer(fd, calls):
    request = bytearray(80)
    fcntl.ioctl(fd, RECV, request)
    ident, pid, _, number = struct.unpack_from("QIIi", request)
    print(pid, number, file=calls, flush=True)
    value, error, flags = 0, 0, 0
    if number in (MKDIR, MKDIRAT):
        error = -EDOM
    elif number == GETPPID:
        value = 4242
    else:
        flags = CONTINUE
    fcntl.ioctl(fd, SEND, bytearray(struct.pack("QqiI", ident, value, error, flags)))


def main():
    path, folder, n = sys.argv[1], sys.argv[2], int(sys.argv[3])
    door = socket.socket(socket.AF_UNIX)
    door.bind(path)
    door.listen()
    poll = select.poll()
    poll.register(door, select.POLLIN)
    seen = 0
    with open(f"{folder}/calls", "w", encoding="ascii") as calls:
        while True:
            for fd, events in poll.poll():
                if fd == door.fileno():
                    peer, _ = door.accept()
                    text, fds, _, _ = socket.recv_fds(peer, 65536, 4)
                    seen += 1
                    with open(f"{folder}/new", "wb") as out:
                        out.write(text)
                    os.rename(f"{folder}/new", f"{folder}/state.{seen}")
                    assert len(fds) == 1 and seen <= n
                    poll.register(fds[0], select.POLLIN)
                elif events & select.POLLIN:
                    try:
                        answer(fd, calls)
                    except FileNotFoundError:
                        pass  # who asked was killed meanwhile
                else:
                    poll.unregister(fd)
                    os.close(fd)


if __name__ == "__main__":
    main()
