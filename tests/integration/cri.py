#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A kubelet in small: `cri.py SOCKET HANDLER IMAGE FOLDER` has a pod with one container made by a CRI runtime and tells what it
was told, line by line.

The Container Runtime Interface is gRPC: a message of protocol buffers behind five bytes, posted over HTTP/2, which curl speaks.
Of the messages (k8s.io/cri-api, runtime/v1/api.proto) only the few fields that are used are written and read here."""


import os
import subprocess
import sys

SOCKET, HANDLER, IMAGE, FOLDER = sys.argv[1:]
NODE, CONTAINER = 2, 1  # enum NamespaceMode


def number(n):
    out = b""
    while n > 0x7F:
        out += bytes([n & 0x7F | 0x80])
        n >>= 7
    return out + bytes([n])


def message(*fields):
    """(field number, value): a str, bytes (a message) or int."""
    out = b""
    for field, value in fields:
        if isinstance(value, int):
            out += number(field << 3) + number(value)
        else:
            data = value.encode() if isinstance(value, str) else value
            out += number(field << 3 | 2) + number(len(data)) + data
    return out


def read_number(data, at):
    n = shift = 0
    while True:
        byte = data[at]
        at += 1
        n |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return n, at


def read(data):
    """Field number to value, the last one of each."""
    out, at = {}, 0
    while at < len(data):
        key, at = read_number(data, at)
        if key & 7 == 2:
            size, at = read_number(data, at)
            out[key >> 3] = data[at : at + size]
            at += size
        else:
            out[key >> 3], at = read_number(data, at)
    return out


class Refused(Exception):
    pass


def call(method, *fields):
    body = message(*fields)
    frame = os.path.join(FOLDER, "frame")
    with open(frame, "wb") as f:
        f.write(b"\0" + len(body).to_bytes(4, "big") + body)
    headers = os.path.join(FOLDER, "headers")
    done = subprocess.run(
        ["curl", "-sS", "--max-time", "60", "--http2-prior-knowledge", "--unix-socket", SOCKET, "-D", headers,
         "-H", "content-type: application/grpc", "-H", "te: trailers", "--data-binary", "@" + frame,
         "http://localhost/runtime.v1.RuntimeService/" + method], capture_output=True, check=True)
    with open(headers, encoding="utf-8") as f:
        told = f.read()
    if "grpc-status: 0" not in told:
        raise Refused(method + ": " + " ".join(line for line in told.split("\n") if line.startswith("grpc-message")))
    return read(done.stdout[5:])


def ids(pid_mode):
    return message((1, message((1, NODE), (2, pid_mode), (3, 0))))


def main():
    pod = message((1, message((1, "pod"), (2, HANDLER), (3, "default"), (4, 0))), (3, FOLDER),
                  (8, message((1, "/brig-cri"), (2, ids(CONTAINER)))))
    sandbox = call("RunPodSandbox", (1, pod), (2, HANDLER))[1].decode()
    resources = message((1, 100000), (2, 50000), (3, 300), (4, 64 << 20))
    security = message((3, message((1, NODE), (2, CONTAINER))), (5, message((1, 1000))), (7, 1))
    config = message((1, message((1, "main"))), (2, message((1, IMAGE))),
                     (3, "sh"), (4, "-c"), (4, 'trap "exit 7" TERM; echo up; sleep 1000 & wait'), (5, "/tmp"),
                     (6, message((1, "A"), (2, "b"))), (7, message((1, "/data"), (2, FOLDER), (3, 1))),
                     (11, "main.log"), (15, message((1, resources), (2, security))))
    container = call("CreateContainer", (1, sandbox), (2, config), (3, pod))[1].decode()
    call("StartContainer", (1, container))
    print("sandbox", sandbox)
    print("container", container)

    def run(*words):
        try:
            answer = call("ExecSync", (1, container), *[(2, w) for w in words], (3, 20))
        except Refused as e:
            print(e)
            return
        print("exec", answer.get(3, 0), answer.get(1, b"").decode().replace("\n", ";"), answer.get(2, b"").decode().strip())

    run("sh", "-c", "id -u; pwd; echo $A; grep -E 'Seccomp:|NoNew|CapEff' /proc/self/status; touch /x /data/x 2>&1; exit 3")
    run("nope")
    limits = "for f in memory/memory.limit_in_bytes cpu/cpu.cfs_quota_us memory.max cpu.max; do cat /sys/fs/cgroup/$f; done 2>/dev/null"
    run("sh", "-c", limits)
    call("UpdateContainerResources", (1, container), (2, message((2, 20000), (4, 32 << 20))))
    run("sh", "-c", limits)
    call("StopContainer", (1, container), (2, 20))
    status = read(call("ContainerStatus", (1, container))[1])
    print("ended", status.get(3), status.get(7))
    call("RemoveContainer", (1, container))
    call("StopPodSandbox", (1, sandbox))
    call("RemovePodSandbox", (1, sandbox))
    with open(os.path.join(FOLDER, "main.log"), encoding="utf-8") as f:
        print("log", f.read().split()[-1])


main()
