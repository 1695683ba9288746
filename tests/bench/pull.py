#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""pull.py [--runs N] [--large] [--only IMAGE] BUILD: pulls images from a registry with brig, podman and docker, one after the other.

Debian's docker-registry serves them with TLS on a loopback port. Each pull begins with a new store and with
all earlier writes on the disk; the registry's files are in memory for all. What is
told is the median wall time, the processor time of everything that took part but the registry, and, in a run of its own, the largest
sum of the proportional set sizes (PSS) of those processes. Then the second pull of the same, of which nothing needs to be fetched.
Budget: half of the time of either peer, a third of its memory, a second pull within 50 ms. The exit code is 1 when one is missed.

docker is a dockerd of its own, started anew for each pull (which is not counted), with the overlay2 driver; it takes registries on a
loopback address without looking at their certificate. Debian 12's docker knows no zstd: it gets an image of which all layers have
gzip, and so do the others. What cannot run here is named with its reason.
"""
import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
TICKS = os.sysconf("SC_CLK_TCK")


def say(text):
    print(text, flush=True)


def wait_for(seconds, what):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if what():
            return True
        time.sleep(0.05)
    return False


def family(roots):
    """The processes and all that descend from them."""
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat") as f:
                    parents.setdefault(int(f.read().rpartition(")")[2].split()[1]), []).append(int(name))
            except OSError:
                pass
    found, todo = [], list(roots)
    while todo:
        pid = todo.pop()
        found.append(pid)
        todo += parents.get(pid, [])
    return found


def pss(pids):
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/smaps_rollup") as f:
                total += sum(int(line.split()[1]) for line in f if line.startswith("Pss:"))
        except OSError:
            pass
    return total / 1024


def cpu_of(pid):
    """Of a process and of its children that it waited for, in seconds."""
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / TICKS


class Engine:
    daemons = ()

    def __init__(self, bench, name):
        self.bench, self.name = bench, name
        self.store = None
        self.begin()

    def begin(self):
        self.cold, self.warm, self.cpu, self.peak, self.failed = [], [], [], 0, None

    # Nothing is removed before the end: ext4 without a journal makes files slowly for a minute after many were removed.
    def reset(self):
        self.close()
        self.store = Path(tempfile.mkdtemp(prefix=self.name[0], dir=self.bench.work))

    def run(self, image, watch=False):
        argv, env = self.command(image)
        before = sum(map(cpu_of, family(self.daemons))) if self.daemons else 0
        log = self.bench.work / "log"
        with open(log, "w") as out:
            began = time.monotonic()
            child = subprocess.Popen(argv, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
            done = threading.Event()
            if watch:
                watcher = threading.Thread(target=self.watch, args=(child.pid, done))
                watcher.start()
            _, status, used = os.wait4(child.pid, 0)
            took = time.monotonic() - began
            child.returncode = os.waitstatus_to_exitcode(status)
            done.set()
            if watch:
                watcher.join()
        if child.returncode:
            lines = log.read_text().strip().splitlines()
            raise RuntimeError((lines or [f"exit {child.returncode}"])[-1][:200])
        cpu = used.ru_utime + used.ru_stime
        if self.daemons:
            cpu += sum(map(cpu_of, family(self.daemons))) - before
        return took, cpu

    def watch(self, pid, done):
        while not done.wait(0.005):
            self.peak = max(self.peak, pss(family([pid, *self.daemons])))

    def close(self):
        pass


class Brig(Engine):
    def command(self, image):
        return [str(self.bench.brig), "pull", "-q", image], dict(
            os.environ, BRIG_DATA=str(self.store / "data"), BRIG_RUNTIME=str(self.store / "run"), BRIG_CONFIG=f"{self.bench.work}/config")


class Podman(Engine):
    def close(self):
        if self.store:
            subprocess.run(["umount", "-l", str(self.store / "data/overlay")], capture_output=True)

    def command(self, image):
        return ["podman", "--root", str(self.store / "data"), "--runroot", str(self.store / "run"), "--storage-driver", "overlay", "pull",
                "-q", "--cert-dir", f"{self.bench.work}/certs", image], dict(os.environ, TMPDIR=str(self.store))


class Docker(Engine):
    daemon = None

    def reset(self):
        super().reset()
        w = self.store
        (w / "json").write_text("{}")
        self.host = f"unix://{w}/sock"
        with open(w / "log", "w") as log:
            self.daemon = subprocess.Popen(
                ["dockerd", "--data-root", str(w / "data"), "--exec-root", str(w / "x"), "--pidfile", str(w / "pid"), "-H", self.host,
                 "--config-file", str(w / "json"), "--storage-driver", "overlay2", "--bridge", "none", "--iptables=false",
                 "--ip6tables=false"], stdout=log, stderr=log)
        if not wait_for(60, lambda: self.daemon.poll() is not None or self.answers()) or self.daemon.poll() is not None:
            raise RuntimeError(((w / "log").read_text().strip().splitlines() or ["dockerd does not start"])[-1][:200])
        self.daemons = (self.daemon.pid,)

    def answers(self):
        return subprocess.run(["docker", "-H", self.host, "version"], capture_output=True).returncode == 0

    def command(self, image):
        return ["docker", "-H", self.host, "pull", "-q", image], dict(os.environ)

    def close(self):
        if not self.daemon:
            return
        self.daemon.terminate()
        try:
            self.daemon.wait(30)
        except subprocess.TimeoutExpired:
            self.daemon.kill()
            self.daemon.wait()
        self.daemon, self.daemons = None, ()
        # dockerd binds its folder to itself, and leaves that.
        subprocess.run(["umount", "-R", "-l", str(self.store / "data")], capture_output=True)


class Bench:
    def __init__(self, args):
        self.args = args
        self.brig = Path(args.build).resolve() / "programs/brig"
        self.work = Path(tempfile.mkdtemp(prefix="bp-", dir="/var/tmp"))
        self.engines, self.skipped, self.registry = [], {}, None

    def start_registry(self):
        certs = self.work / "certs"
        certs.mkdir()
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
                        "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", f"{self.work}/key.pem", "-out",
                        f"{certs}/ca.crt"], check=True, capture_output=True)
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        self.host = f"127.0.0.1:{port}"
        config = self.work / "registry.yml"
        config.write_text(f"""version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: '{self.work}/registry'}}}}
http: {{addr: '{self.host}', tls: {{certificate: '{certs}/ca.crt', key: '{self.work}/key.pem'}}}}
""")
        env = {k: v for k, v in os.environ.items() if not k.startswith("REGISTRY")}
        self.registry = subprocess.Popen(["docker-registry", "serve", str(config)], env=env, stdout=subprocess.DEVNULL,
                                         stderr=subprocess.DEVNULL)

        def answers():
            with socket.socket() as s:
                return s.connect_ex(("127.0.0.1", port)) == 0
        if not wait_for(20, answers):
            sys.exit("docker-registry does not start")
        mine = self.work / "config" / "certs.d" / self.host
        mine.mkdir(parents=True)
        (self.work / "config").chmod(0o700)
        shutil.copy(certs / "ca.crt", mine)
        if self.args.accept:
            conf = self.work / "config" / "brig.conf"
            conf.write_text(f"accept_lowered = {self.args.accept}\n")
            conf.chmod(0o600)

    def push(self, mb, kind):
        layout = subprocess.run([str(TOP / "tests/images/mkbig"), str(mb), kind], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
        image = f"{self.host}/{kind}:{mb}"
        subprocess.run(["skopeo", "copy", "-q", "--dest-cert-dir", f"{self.work}/certs", f"oci:{layout}", f"docker://{image}"], check=True)
        sizes = [p.stat().st_size for p in Path(layout, "blobs/sha256").iterdir()]
        return image, sum(sizes)

    def start_engines(self):
        for name, kind in (("brig", Brig), ("podman", Podman), ("docker", Docker)):
            if name != "brig" and not shutil.which(name if name == "podman" else "dockerd"):
                self.skipped[name] = "not installed"
                continue
            if name == "docker" and os.geteuid() != 0:
                self.skipped[name] = "dockerd needs root"
                continue
            self.engines.append(kind(self, name))

    def measure(self, engines, image):
        for e in engines:
            e.begin()
        # The last run is for the memory: looking at it takes time.
        for turn in range(self.args.runs + 1):
            for e in engines:
                if e.failed:
                    continue
                try:
                    e.reset()
                    os.sync()
                    took, cpu = e.run(image, watch=turn == self.args.runs)
                    if turn == self.args.runs:
                        continue
                    e.cold.append(took)
                    e.cpu.append(cpu)
                    e.warm += [e.run(image)[0] for _ in range(5)]
                except RuntimeError as why:
                    e.failed = str(why)

    def show(self, engines, mb, kind, packed):
        say(f"\n{f'{mb} MB, {kind}: {packed >> 20} MB packed':32}{'median':>10}{'fastest':>10}{'cpu':>9}{'peak PSS':>11}{'again':>9}  budget")
        rows = [e for e in engines if not e.failed]
        brig = next((e for e in rows if e.name == "brig"), None)
        good = brig is not None
        for e in rows:
            wall, warm = statistics.median(e.cold), statistics.median(e.warm)
            verdicts = []
            if e is brig:
                verdicts.append(self.verdict("again", warm * 1e3, 50, "ms"))
            elif brig:
                verdicts.append(self.verdict("time", statistics.median(brig.cold) / wall, 1 / 2, "of it"))
                verdicts.append(self.verdict("memory", brig.peak / e.peak, 1 / 3, "of it"))
            good &= not any("MISSED" in v for v in verdicts)
            say(f"{e.name:32}{wall:8.2f} s{min(e.cold):8.2f} s{statistics.median(e.cpu):7.2f} s{e.peak:8.1f} MB{warm * 1e3:6.0f} ms  "
                f"{', '.join(verdicts)}")
        for e in engines:
            if e.failed:
                say(f"{e.name:32}not measured: {e.failed}")
        return good

    @staticmethod
    def verdict(what, value, limit, unit):
        return f"{'met' if value <= limit else 'MISSED'} {what} ({value:.2f} {unit}, {limit:.2f} allowed)"

    def close(self):
        for e in self.engines:
            e.close()
        if self.registry:
            self.registry.terminate()
            self.registry.wait()
        subprocess.run(["rm", "-rf", str(self.work)], capture_output=True)


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("build")
    p.add_argument("--runs", type=int, default=5)
    p.add_argument("--large", action="store_true", help="1024 MB too, which takes minutes and 20 GB below /var/tmp")
    p.add_argument("--only", help="one image of them: 150-gzip, 150-mixed, 1024-gzip")
    p.add_argument("--accept", default="", help="accept_lowered for brig.conf, for a machine that lacks something")
    args = p.parse_args()
    b = Bench(args)
    good = True
    try:
        for tool in ("docker-registry", "skopeo", "openssl", "mmdebstrap", "zstd"):
            if not shutil.which(tool):
                say(f"pulls                           not measured: {tool} is missing; run make deps")
                sys.exit(0)
        b.start_registry()
        b.start_engines()
        say(f"as {'root' if os.geteuid() == 0 else 'an ordinary user'}, Linux {os.uname().release}, {os.cpu_count()} processors, load "
            f"{os.getloadavg()[0]:.1f}, {args.runs} runs of each")
        for mb, kind in [(150, "gzip"), (150, "mixed")] + ([(1024, "gzip")] if args.large else []):
            if args.only and args.only != f"{mb}-{kind}":
                continue
            engines = [e for e in b.engines if kind == "gzip" or e.name != "docker"]
            image, packed = b.push(mb, kind)
            b.measure(engines, image)
            good &= b.show(engines, mb, kind, packed)
        for name, why in b.skipped.items():
            say(f"{name:32}not measured: {why}")
    finally:
        b.close()
    sys.exit(0 if good else 1)


main()
