#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""terminal.py LETTER COMMAND...: runs COMMAND on a terminal of its own, the operator's, and tells what was pushed into it.

Prints the command's output, then "pushed: N", the number of LETTERs that wait in the terminal's input when the command
has ended: a shell would run them.
"""
import fcntl
import os
import pty
import select
import sys
import termios


def main():
    letter = sys.argv[1].encode()
    master, slave = pty.openpty()
    # No echo, no lines: what is in the input queue can be read as it is.
    attr = termios.tcgetattr(slave)
    attr[3] &= ~(termios.ECHO | termios.ICANON)
    termios.tcsetattr(slave, termios.TCSANOW, attr)
    pid = os.fork()
    if pid == 0:
        os.setsid()
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
        for fd in range(3):
            os.dup2(slave, fd)
        os.closerange(3, 256)
        os.execvp(sys.argv[2], sys.argv[2:])
    output = b""
    status = None
    while status is None:
        ready, _, _ = select.select([master], [], [], 0.2)
        if ready:
            output += os.read(master, 65536)
        done, code = os.waitpid(pid, os.WNOHANG)
        if done:
            status = code
    while select.select([master], [], [], 0.2)[0]:
        output += os.read(master, 65536)
    os.set_blocking(slave, False)
    try:
        waiting = os.read(slave, 65536)
    except BlockingIOError:
        waiting = b""
    sys.stdout.write(output.decode(errors="replace").replace("\r", ""))
    print(f"pushed: {waiting.count(letter)}")
    sys.exit(os.waitstatus_to_exitcode(status))


main()
