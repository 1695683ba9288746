#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""person.py STEP... -- COMMAND...: runs COMMAND on a terminal of its own, as a person sits at it.

Steps, in order:
    expect:REGEX    until the output after the last match has it; fails after 10 s
    never:REGEX     fails when the output after the last match has it by now
    send:TEXT       types TEXT (escapes as in Python: \\r, \\x03)
    size:ROWSxCOLS  the terminal's size (before the command starts when it comes first), with SIGWINCH
    signal:NAME     sent to the command
    hangup          the terminal goes away
    raw, cooked     fails unless the terminal is in that mode (within 5 s)
    end:CODE        waits for the command's end and compares its exit code

At the end the terminal must be as it was before. Prints the whole output; the exit code is 0 when all went well.
"""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time

PATIENCE = 10


class Failed(Exception):
    pass


class Person:
    def __init__(self, command, size):
        self.master, self.slave = pty.openpty()
        self.resize(size)
        self.before = termios.tcgetattr(self.slave)
        self.output, self.seen, self.status = b"", 0, None
        self.pid = os.fork()
        if self.pid == 0:
            os.setsid()
            fcntl.ioctl(self.slave, termios.TIOCSCTTY, 0)
            for fd in range(3):
                os.dup2(self.slave, fd)
            os.closerange(3, 256)
            os.execvp(command[0], command)

    def resize(self, size):
        rows, cols = (int(n) for n in size.split("x"))
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))

    def read(self, seconds):
        ready, _, _ = select.select([self.master], [], [], seconds)
        if ready:
            try:
                self.output += os.read(self.master, 65536)
            except OSError:
                time.sleep(seconds)
        if self.status is None:
            done, status = os.waitpid(self.pid, os.WNOHANG)
            if done:
                self.status = os.waitstatus_to_exitcode(status)
        return bool(ready)

    def until(self, what, condition):
        end = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > end:
                raise Failed(what)
            self.read(0.05)

    def find(self, regex):
        match = re.search(regex.encode(), self.output[self.seen:])
        if match:
            self.seen += match.end()
        return match

    def is_raw(self):
        return not termios.tcgetattr(self.slave)[3] & (termios.ICANON | termios.ECHO | termios.ISIG)

    def step(self, text):
        name, _, value = text.partition(":")
        if name == "expect":
            self.until(f"no {value!r} in the output", lambda: self.find(value))
        elif name == "never":
            while self.read(0.3):
                pass
            if self.find(value):
                raise Failed(f"{value!r} is in the output")
        elif name == "send":
            os.write(self.master, value.encode().decode("unicode_escape").encode("latin-1"))
        elif name == "size":
            self.resize(value)
        elif name == "signal":
            os.kill(self.pid, getattr(signal, "SIG" + value))
        elif name == "hangup":
            os.close(self.slave)
            os.close(self.master)
            self.master = None
        elif name in ("raw", "cooked"):
            self.until(f"the terminal is not {name}", lambda: self.is_raw() == (name == "raw"))
        elif name == "end":
            self.until("the command does not end", lambda: self.status is not None)
            while self.read(0.1):
                pass
            if self.status != int(value):
                raise Failed(f"exit code {self.status}, not {value}")
            if termios.tcgetattr(self.slave) != self.before:
                raise Failed("the terminal is not as it was before")
        else:
            sys.exit(f"person.py: step {text!r}")


def main():
    cut = sys.argv.index("--")
    steps, command = sys.argv[1:cut], sys.argv[cut + 1:]
    size = steps.pop(0)[5:] if steps and steps[0].startswith("size:") else "24x80"
    person = Person(command, size)
    code = 0
    try:
        for number, text in enumerate(steps, 1):
            try:
                person.step(text)
            except Failed as e:
                print(f"person.py: step {number} ({text!r}): {e}")
                code = 1
                break
            if person.master is None:
                break
    finally:
        if person.status is None:
            if person.master is not None:
                os.kill(person.pid, signal.SIGKILL)
            os.waitpid(person.pid, 0)
    sys.stdout.write(person.output.decode(errors="replace").replace("\r", ""))
    sys.exit(code)


main()
