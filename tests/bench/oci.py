#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""oci.py [--rounds N] [--other NAME=ROOT] BUILD: measures brig-oci's commands beside crun's.

Each of create, start, delete, exec and run is timed apart, on the same bundle and in turns, so that a slow moment of the
machine meets both: the time from posix_spawn(3) to wait4(2), of programs that are started the same way. Three bundles:
the one that `runc spec` writes, the same with 100 bind mounts more, and the same with the seccomp profile that podman
writes into its configurations (read from a container that it made). Then the memory of the process that waits for its
start, and how often config.json is read.

crun of Debian 12 refuses a host with both cgroup versions: it runs in a mount namespace without the second. --other takes
another system's tree, of which the crun is measured as well: it is entered with pivot_root, since a chroot hides the root
mount that crun looks for. The exit code is 1 when a budget is missed.
"""
import argparse
import copy
import ctypes
import json
import os
import re
import select
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
CLONE_NEWNS = 0x20000
LIBC = ctypes.CDLL(None, use_errno=True)


def say(text):
    print(text, flush=True)


# A mount namespace that is kept: a process makes it, says so and waits until it is told to end.
class Place:
    def __init__(self, script=None):
        self.proc = None
        if script:
            self.proc = subprocess.Popen(["unshare", "-m", "sh", "-ec", f"{script}; echo; read -r _"],
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            if self.proc.stdout.readline() != "\n":
                raise RuntimeError("cannot prepare a mount namespace")
        self.fd = os.open(f"/proc/{self.proc.pid if self.proc else 'self'}/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)

    def enter(self):
        if LIBC.setns(self.fd, CLONE_NEWNS) < 0:
            raise OSError(ctypes.get_errno(), "setns")

    def close(self):
        os.close(self.fd)
        if self.proc:
            self.proc.communicate("\n")


class Runtime:
    def __init__(self, name, argv, place):
        self.name, self.argv, self.place = name, argv, place


class Bench:
    def __init__(self, args):
        self.args = args
        self.work = Path(tempfile.mkdtemp(prefix="brig-bench-", dir="/var/tmp"))
        self.fast = Path(tempfile.mkdtemp(prefix="brig-bench-", dir="/run" if self.tmpfs("/run") else "/dev/shm"))
        self.work.chmod(0o755)
        self.here = Place()
        self.places = [self.here]
        self.pid_file = self.fast / "pid"
        self.brig = str(Path(args.build).resolve() / "programs" / "brig-oci")
        self.runtimes = [Runtime("brig-oci", [self.brig, "--root", f"{self.fast}/brig"], self.here)]
        self.times = {}
        self.failed = {}

    @staticmethod
    def tmpfs(path):
        return subprocess.run(["stat", "-f", "-c", "%T", path], capture_output=True, text=True).stdout.strip() == "tmpfs"

    # --- what is run ------------------------------------------------------------------------------------------------

    def prepare(self):
        layout = subprocess.run([str(TOP / "tests/images/mkimage"), "tiny"], check=True, capture_output=True,
                                text=True).stdout.strip()

        def blob(d):
            return f"{layout}/blobs/sha256/{d.split(':')[1]}"
        rootfs = self.work / "rootfs"
        rootfs.mkdir()
        index = json.load(open(f"{layout}/index.json"))
        for layer in json.load(open(blob(index["manifests"][0]["digest"])))["layers"]:
            subprocess.run(["tar", "-xzf", blob(layer["digest"]), "-C", str(rootfs)], check=True)
        subprocess.run(["runc", "spec"], cwd=self.work, check=True)
        base = json.loads((self.work / "config.json").read_text())
        base["process"].update(args=["/bin/true"], terminal=False)
        base["root"]["path"] = str(rootfs)
        self.bundles = {"plain": self.bundle("plain", base)}
        more = copy.deepcopy(base)
        source = self.work / "source"
        source.mkdir()
        # Mount points that are there: the root is the same for both, and whoever comes first would make them.
        for i in range(100):
            (rootfs / "mnt" / str(i)).mkdir(parents=True)
            more["mounts"].append({"destination": f"/mnt/{i}", "type": "bind", "source": str(source),
                                   "options": ["rbind", "ro", "nosuid", "nodev"]})
        self.bundles["100 mounts"] = self.bundle("mounts", more)
        profile = self.podman_profile(str(rootfs))
        if profile:
            more = copy.deepcopy(base)
            more["linux"]["seccomp"] = profile
            self.bundles["seccomp"] = self.bundle("seccomp", more)
        more = copy.deepcopy(base)
        more["process"]["args"] = ["/bin/sleep", "10000"]
        self.waiting = self.bundle("waiting", more)
        more = copy.deepcopy(base)
        more["annotations"] = {f"org.example.{i}": "x" * 4096 for i in range(4000)}
        self.large = self.bundle("large", more)

    def bundle(self, name, config):
        place = self.work / name
        place.mkdir()
        (place / "config.json").write_text(json.dumps(config))
        return str(place)

    # As podman writes it: the profile's rules for this machine and these capabilities, with all names.
    def podman_profile(self, rootfs):
        if not shutil.which("podman"):
            self.failed["seccomp"] = "podman writes the profile and is not there"
            return None
        podman = ["podman", "--root", f"{self.work}/podman", "--runroot", f"{self.fast}/podman", "--cgroup-manager",
                  "cgroupfs", "--runtime", self.brig]
        try:
            cid = subprocess.run(podman + ["create", "--network", "none", "--ulimit", "nofile=1024:1024", "--ulimit",
                                           "nproc=1024:1024", "--rootfs", rootfs, "/bin/true"], check=True,
                                 capture_output=True, text=True).stdout.strip()
            subprocess.run(podman + ["init", cid], check=True, capture_output=True)
            found = subprocess.run(podman + ["inspect", "--format", "{{.OCIConfigPath}}", cid], check=True,
                                   capture_output=True, text=True).stdout.strip()
            return json.loads(Path(found).read_text())["linux"].get("seccomp")
        except subprocess.CalledProcessError as e:
            self.failed["seccomp"] = (e.stderr.strip().splitlines() or ["podman failed"])[-1][:160]
            return None
        finally:
            subprocess.run(podman + ["rm", "-af", "-t", "0"], capture_output=True)
            subprocess.run(["umount", "-l", f"{self.work}/podman/overlay"], capture_output=True)

    def add_peers(self):
        hybrid = "umount /sys/fs/cgroup/unified" if Path("/sys/fs/cgroup/unified").is_dir() else None
        if shutil.which("crun"):
            self.add_peer("crun", hybrid)
        for text in self.args.other:
            name, _, root = text.partition("=")
            # Everything that the runtime is to see of this machine, at the same paths.
            self.add_peer(name, "; ".join(filter(None, [
                hybrid, f"mount --bind '{root}' '{root}'", f"cd '{root}'",
                *(f"mkdir -p .{p}; mount --rbind {p} .{p}" for p in ("/proc", "/sys", "/dev", str(self.work),
                                                                    str(self.fast))),
                "mkdir -p .old; pivot_root . .old; umount -l /.old"])))

    def add_peer(self, name, script):
        place = Place(script) if script else self.here
        self.places.append(place)
        path = subprocess.run(["which", "crun"], capture_output=True, text=True).stdout.strip() or "/usr/bin/crun"
        self.runtimes.append(Runtime(name, [path, "--root", f"{self.fast}/{name}"], place))

    # --- measuring --------------------------------------------------------------------------------------------------

    # Seconds; None: it failed.
    def call(self, what, rt, *words, note=True):
        # What the kernel still does for the one before (networks and cgroups are taken down later) is not this one's.
        time.sleep(self.args.pause / 1e3)
        rt.place.enter()
        actions = [(os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0), (os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0),
                   (os.POSIX_SPAWN_OPEN, 2, f"{self.fast}/stderr", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)]
        argv = rt.argv + list(words)
        began = time.perf_counter()
        pid = os.posix_spawn(argv[0], argv, os.environ, file_actions=actions)
        _, status = os.waitpid(pid, 0)
        took = time.perf_counter() - began
        self.here.enter()
        if status:
            text = (self.fast / "stderr").read_text().strip().splitlines()
            self.failed[f"{rt.name} {what}"] = (text or [f"exit {os.waitstatus_to_exitcode(status)}"])[-1][:160]
            return None
        if note:
            self.times.setdefault(what, {}).setdefault(rt.name, []).append(took)
        return took

    # The created process ends by itself once it was started; delete is asked when it has.
    def life(self, kind, rt, cid, note):
        bundle = self.bundles[kind]
        if self.call(f"create, {kind}", rt, "create", "--bundle", bundle, "--pid-file", str(self.pid_file), cid,
                     note=note) is None:
            return
        fd = os.pidfd_open(int(self.pid_file.read_text()))
        if self.call(f"start, {kind}", rt, "start", cid, note=note) is not None:
            select.select([fd], [], [], 10)
            self.call(f"delete, {kind}", rt, "delete", cid, note=note)
        else:
            self.call("clean", rt, "delete", "-f", cid, note=False)
        os.close(fd)
        self.call(f"run, {kind}", rt, "run", "--bundle", bundle, cid, note=note)

    def measure(self):
        idle = {}
        for rt in self.runtimes:
            if self.call("exec", rt, "run", "-d", "--bundle", self.waiting, f"bo-idle-{os.getpid()}", note=False):
                idle[rt.name] = f"bo-idle-{os.getpid()}"
        try:
            for turn in range(self.args.rounds + 2):
                for kind in self.bundles:
                    for rt in self.runtimes:
                        self.life(kind, rt, f"bo-{os.getpid()}", turn > 1)
                for rt in self.runtimes:
                    if rt.name in idle:
                        self.call("exec", rt, "exec", idle[rt.name], "/bin/true", note=turn > 1)
        finally:
            for rt in self.runtimes:
                if rt.name in idle:
                    self.call("clean", rt, "delete", "-f", idle[rt.name], note=False)

    # --- what is shown ----------------------------------------------------------------------------------------------

    def show(self):
        good = True
        say(f"{'':22}" + "".join(f"{rt.name:>20}" for rt in self.runtimes) + "   budget: half of crun's")
        for what in sorted(self.times, key=lambda w: (w.partition(", ")[2], w)):
            mid = {n: statistics.median(t) for n, t in self.times[what].items()}
            line = f"{what:22}"
            for rt in self.runtimes:
                if rt.name in mid:
                    line += f"{mid[rt.name] * 1e3:8.2f} ({min(self.times[what][rt.name]) * 1e3:5.2f}) ms"
                else:
                    line += f"{'-':>20}"
            for rt in self.runtimes[1:]:
                if rt.name in mid and "brig-oci" in mid:
                    ratio = mid["brig-oci"] / mid[rt.name]
                    good &= ratio <= 0.5
                    line += f"   {ratio:.2f} of {rt.name}: {'met' if ratio <= 0.5 else 'MISSED'}"
            say(line)
        for what, why in self.failed.items():
            say(f"{what}: not measured: {why}")
        return good

    # Of the process that waits for its start.
    def memory(self):
        good = True
        say(f"\n{'waiting for its start':22}{'PSS':>9}{'private':>11}   budget")
        for rt in self.runtimes:
            cid = f"bo-mem-{os.getpid()}"
            if self.call("memory", rt, "create", "--bundle", self.bundles["plain"], "--pid-file", str(self.pid_file), cid,
                         note=False) is None:
                continue
            pss = private = 0
            for line in open(f"/proc/{int(self.pid_file.read_text())}/smaps_rollup"):
                pss += int(line.split()[1]) if line.startswith("Pss:") else 0
                private += int(line.split()[1]) if line.startswith("Private_") else 0
            self.call("clean", rt, "delete", "-f", cid, note=False)
            verdict = ""
            if rt.name == "brig-oci":
                good = pss <= 1024
                verdict = "   met (1 MB)" if good else "   MISSED (1 MB)"
            say(f"{rt.name:22}{pss / 1024:6.2f} MB{private / 1024:8.2f} MB{verdict}")
        return good

    # How often create, start and delete open and read a configuration of nearly 16 MiB. What traces create ends with the
    # container, whose program runs once it was started.
    def reads(self):
        if not shutil.which("strace"):
            say("\nreads of config.json: not measured: strace is not there")
            return True
        rt, cid, good = self.runtimes[0], f"bo-large-{os.getpid()}", True
        size = os.stat(f"{self.large}/config.json").st_size
        traces = {}
        self.pid_file.unlink(missing_ok=True)
        for words in (["create", "--bundle", self.large, "--pid-file", str(self.pid_file), cid], ["start", cid],
                      ["delete", "-f", cid]):
            traces[words[0]] = self.fast / f"trace-{words[0]}"
            tracer = subprocess.Popen(["strace", "-f", "-y", "-e", "trace=openat,read", "-o", str(traces[words[0]])] +
                                      rt.argv + words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
            if words[0] != "create":
                good &= tracer.wait(60) == 0
                continue
            created, limit = tracer, time.monotonic() + 60
            while not self.pid_file.exists() and tracer.poll() is None and time.monotonic() < limit:
                time.sleep(0.01)
        try:
            good &= created.wait(60) == 0
        except subprocess.TimeoutExpired:
            created.kill()
            self.failed["reads"] = "the container did not end"
            good = False
        say(f"\n{f'config.json, {size / 2**20:.1f} MiB':22}{'opened':>9}{'bytes read':>14}")
        for name, trace in traces.items():
            text = trace.read_text(errors="replace")
            opened = len(re.findall(r'openat\(.*"config\.json", O_RDONLY.*\) = \d', text))
            read = sum(int(n) for n in re.findall(r"read\(\d+<[^>]*/config\.json>.* = (\d+)$", text, re.M))
            good &= (opened, read) == ((1, size) if name == "create" else (0, 0))
            say(f"{name:22}{opened:9}{read:14}")
        say(f"{'':22}{'met' if good else 'MISSED'} (read once by create, not at all by start and delete)")
        return good

    def close(self):
        for place in self.places:
            if place is not self.here:
                place.close()
        self.here.close()
        subprocess.run(["umount", "-ql", f"{self.work}/podman/overlay"], capture_output=True)
        subprocess.run(["rm", "-rf", "--one-file-system", str(self.work), str(self.fast)])


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("build")
    p.add_argument("--rounds", type=int, default=40)
    p.add_argument("--pause", type=float, default=20, help="milliseconds between two commands")
    p.add_argument("--other", action="append", default=[], metavar="NAME=ROOT", help="a system's tree with another crun")
    args = p.parse_args()
    if os.geteuid() != 0:
        say("\nbrig-oci's commands apart: not measured: only root enters the namespace that crun needs")
        return
    b = Bench(args)
    try:
        b.prepare()
        b.add_peers()
        say(f"Linux {os.uname().release}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}, {args.rounds} turns; "
            f"median and (fastest)")
        b.measure()
        good = b.show()
        good &= b.memory()
        good &= b.reads()
    finally:
        b.close()
    sys.exit(0 if good else 1)


main()
