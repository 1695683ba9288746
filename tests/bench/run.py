#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""run.py [--runs N] [--rounds N] BUILD: measures brig beside the engines that are installed.

Everything runs the same program, `true` of the tiny test image, one after the other in several rounds, so that a slow
moment of the machine meets all of them. Times are the medians of all runs (hyperfine without a shell), beside them the
processor time, which a busy machine changes less. Then the resident memory of an idle detached container's parent. The
last column compares with the budgets of the project; the exit code is 1 when one is missed.
"""
import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]


def have(name):
    return shutil.which(name) is not None


def out(argv, **kw):
    return subprocess.run(argv, check=True, capture_output=True, text=True, **kw).stdout.strip()


def say(text):
    print(text, flush=True)


class Bench:
    def __init__(self, args):
        self.args = args
        self.root = os.geteuid() == 0
        self.build = Path(args.build).resolve()
        self.brig = self.build / "programs" / "brig"
        # On disk, and short: sockets lie below it.
        self.work = Path(tempfile.mkdtemp(prefix="bb-", dir="/var/tmp"))
        self.env = dict(os.environ, BRIG_DATA=f"{self.work}/data", BRIG_RUNTIME=f"{self.work}/run",
                        BRIG_CONFIG=f"{self.work}/config")
        self.times = {}
        self.skipped = {}

    # The same root file system for all, unpacked from the image.
    def prepare(self):
        self.layout = out([str(TOP / "tests/images/mkimage"), "tiny"])
        bundle = self.work / "bundle"
        self.rootfs = bundle / "rootfs"
        self.rootfs.mkdir(parents=True)
        os.chmod(self.work, 0o755)
        index = json.load(open(f"{self.layout}/index.json"))

        def blob(d):
            return f"{self.layout}/blobs/sha256/{d.split(':')[1]}"
        manifest = json.load(open(blob(index["manifests"][0]["digest"])))
        for layer in manifest["layers"]:
            subprocess.run(["tar", "-xzf", blob(layer["digest"]), "-C", str(self.rootfs)], check=True)
        (self.work / "config").mkdir(mode=0o700)
        if self.args.accept:
            conf = self.work / "config" / "brig.conf"
            conf.write_text(f"accept_lowered = {self.args.accept}\n")
            conf.chmod(0o600)
        self.bundle = bundle
        self.oci_config("runc")

    def oci_config(self, tool):
        if not have(tool):
            return
        config = self.bundle / "config.json"
        if config.exists():
            return
        subprocess.run([tool, "spec"] + ([] if self.root else ["--rootless"]), cwd=self.bundle, check=True)
        c = json.loads(config.read_text())
        c["process"]["args"] = ["/bin/true"]
        c["process"]["terminal"] = False
        config.write_text(json.dumps(c))

    def contenders(self):
        yield "floor", [str(self.build / "tests/bench/floor"), str(self.rootfs), "/bin/true"], None
        if have("bwrap"):
            yield "bwrap", ["bwrap", "--unshare-all", "--ro-bind", str(self.rootfs), "/", "--proc", "/proc",
                            "--dev", "/dev", "/bin/true"], None
        # crun of Debian 12 refuses a host with both cgroup versions; it gets one without the second.
        hybrid = "umount /sys/fs/cgroup/unified" if Path("/sys/fs/cgroup/unified").is_dir() and self.root else None
        if have("crun"):
            yield "crun", ["crun", "run", "--bundle", str(self.bundle), f"bb-crun-{os.getpid()}"], hybrid
        if have("runc"):
            yield "runc", ["runc", "run", "--bundle", str(self.bundle), f"bb-runc-{os.getpid()}"], None
        yield "brig --rootfs", [str(self.brig), "run", "--rm", "--net", "none", "--rootfs", str(self.rootfs),
                                "/bin/true"], None
        yield "brig image", [str(self.brig), "run", "--rm", "--net", "none", "tiny", "/bin/true"], None
        if have("podman"):
            yield "podman image", self.podman("run", "--rm", "--network", "none", "localhost/tiny", "/bin/true"), None
        if have("docker"):
            yield "docker image", ["docker", "run", "--rm", "--network", "none", "tiny", "/bin/true"], None

    def podman(self, *args):
        base = ["podman", "--root", f"{self.work}/podman", "--runroot", f"{self.work}/podman-run",
                "--cgroup-manager", "cgroupfs"]
        if have("runc"):
            base += ["--runtime", "runc"]
        return base + list(args)

    def load(self):
        subprocess.run([str(self.brig), "load", "-q", "-i", self.layout], env=self.env, check=True,
                       stdout=subprocess.DEVNULL)
        if have("podman"):
            pull = subprocess.run(self.podman("pull", "-q", f"oci:{self.layout}"), capture_output=True, text=True)
            if pull.returncode == 0:
                image = pull.stdout.strip().splitlines()[-1]
                subprocess.run(self.podman("tag", image, "localhost/tiny"), check=False, capture_output=True)
            else:
                self.skipped["podman image"] = pull.stderr.strip().splitlines()[-1][:100]
        if have("docker"):
            tar = f"{self.work}/tiny.tar"
            r = subprocess.run(f"skopeo copy -q oci:{self.layout}:tiny:latest docker-archive:{tar}:tiny:latest "
                               f"&& docker load -q -i {tar}", shell=True, capture_output=True, text=True)
            if r.returncode:
                self.skipped["docker image"] = (r.stderr.strip().splitlines() or ["docker load failed"])[-1][:100]

    def measure(self):
        result = self.work / "hyperfine.json"
        for turn in range(self.args.rounds):
            for name, argv, before in self.contenders():
                if name in self.skipped:
                    continue
                if turn == 0:
                    test = argv if not before else ["unshare", "-m", "sh", "-c", f"{before}; exec \"$@\"", "-"] + argv
                    probe = subprocess.run(test, env=self.env, capture_output=True, text=True)
                    if probe.returncode:
                        self.skipped[name] = (probe.stderr.strip().splitlines() or [f"exit {probe.returncode}"])[-1][:160]
                        continue
                slow = name in ("podman image", "docker image")
                runs = max(5, self.args.runs // 5) if slow else self.args.runs
                line = " ".join("'" + a.replace("'", "'\\''") + "'" for a in argv)
                command = ["hyperfine", "--shell=none", "--style", "none", "-w", "3", "-r", str(runs),
                           "--export-json", str(result), line]
                if before:
                    command = ["unshare", "-m", "sh", "-c", f"{before}; exec \"$@\"", "-"] + command
                run = subprocess.run(command, env=self.env, capture_output=True, text=True)
                if run.returncode:
                    self.skipped[name] = (run.stderr.strip().splitlines() or ["hyperfine failed"])[-1][:160]
                    continue
                r = json.load(open(result))["results"][0]
                self.times.setdefault(name, {"wall": [], "cpu": []})
                self.times[name]["wall"] += r["times"]
                self.times[name]["cpu"].append(r["user"] + r["system"])

    def show_times(self):
        wall = {n: statistics.median(t["wall"]) * 1e3 for n, t in self.times.items()}
        cpu = {n: statistics.mean(t["cpu"]) * 1e3 for n, t in self.times.items()}
        good = True
        say(f"\n{'start, run true, remove':26}{'median':>10}{'fastest':>10}{'cpu':>10}{'to floor':>10}  budget")
        for name, t in self.times.items():
            verdict = ""
            if name == "brig --rootfs":
                limit = 1.5 * wall["floor"]
                parts = [f"1.5 x floor = {limit:.1f} ms"]
                if "crun" in wall:
                    limit = min(limit, wall["crun"] / 2)
                    parts.append(f"crun / 2 = {wall['crun'] / 2:.1f} ms")
                verdict = f"{'met' if wall[name] <= limit else 'MISSED'} ({', '.join(parts)})"
                good &= wall[name] <= limit
            elif name == "brig image" and "podman image" in wall:
                limit = wall["podman image"] / 12
                verdict = f"{'met' if wall[name] <= limit else 'MISSED'} (podman / 12 = {limit:.1f} ms)"
                good &= wall[name] <= limit
            say(f"{name:26}{wall[name]:7.1f} ms{min(t['wall']) * 1e3:7.1f} ms{cpu[name]:7.1f} ms"
                f"{wall[name] / wall['floor']:9.1f}x  {verdict}")
        for name, why in self.skipped.items():
            say(f"{name:26} not measured: {why}")
        return good

    @staticmethod
    def resident(pid):
        pss = private = 0
        for line in open(f"/proc/{pid}/smaps_rollup"):
            if line.startswith("Pss:"):
                pss = int(line.split()[1])
            elif line.startswith("Private_"):
                private += int(line.split()[1])
        return pss / 1024, private / 1024

    def memory(self):
        say(f"\n{'idle detached container':26}{'PSS':>10}{'private':>10}  budget")
        good = True
        cid = out([str(self.brig), "run", "-d", "--net", "none", "tiny", "sleep", "1000"], env=self.env)
        try:
            time.sleep(1)
            pid = out([str(self.brig), "inspect", "--format", "{{.State.Pid}}", cid], env=self.env)
            parent = next(ln.split()[1] for ln in open(f"/proc/{pid}/status") if ln.startswith("PPid:"))
            name = open(f"/proc/{parent}/comm").read().strip()
            pss, private = self.resident(parent)
            good = pss <= 0.3 and private <= 0.15
            say(f"{name:26}{pss:7.2f} MB{private:7.2f} MB  {'met' if good else 'MISSED'} (0.30 and 0.15 MB)")
        finally:
            subprocess.run([str(self.brig), "rm", "-f", cid], env=self.env, stdout=subprocess.DEVNULL)
        if have("podman") and "podman image" not in self.skipped:
            run = subprocess.run(self.podman("run", "-d", "--network", "none", "localhost/tiny", "sleep", "1000"),
                                 capture_output=True, text=True)
            if run.returncode == 0:
                cid = run.stdout.strip()
                time.sleep(1)
                pid = out(self.podman("inspect", "--format", "{{.State.ConmonPid}}", cid))
                pss, private = self.resident(pid)
                say(f"{'conmon (podman)':26}{pss:7.2f} MB{private:7.2f} MB")
                subprocess.run(self.podman("rm", "-f", "-t", "0", cid), capture_output=True)
        left = out(["sh", "-c", f"grep -lsF 'BRIG_DATA={self.work}/data' /proc/[0-9]*/environ | grep -v self || true"])
        ours = {f"/proc/{os.getpid()}/environ"}
        left = [p for p in left.split() if p not in ours]
        say(f"{'brig, nothing running':26}{'nothing' if not left else 'LEFT: ' + ' '.join(left):>10}")
        return good and not left

    def close(self):
        ids = subprocess.run([str(self.brig), "ps", "-aq"], env=self.env, capture_output=True, text=True).stdout.split()
        if ids:
            subprocess.run([str(self.brig), "rm", "-f"] + ids, env=self.env, stdout=subprocess.DEVNULL)
        if have("podman"):
            subprocess.run(self.podman("rm", "-af", "-t", "0"), capture_output=True)
            subprocess.run(self.podman("rmi", "-af"), capture_output=True)
            subprocess.run(["umount", "-l", f"{self.work}/podman/overlay"], capture_output=True)
        rm = ["rm", "-rf", str(self.work)]
        if subprocess.run(rm, capture_output=True).returncode and not self.root:
            subprocess.run(["unshare", "--user", "--map-root-user", "--map-auto"] + rm)


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("build")
    p.add_argument("--runs", type=int, default=60, help="runs in each round (a fifth for podman and docker)")
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--accept", default="", help="accept_lowered for brig.conf, for a machine that lacks something")
    b = Bench(p.parse_args())
    if not b.brig.exists():
        sys.exit(f"{b.brig} is not there; run make first")
    try:
        b.prepare()
        b.load()
        say(f"as {'root' if b.root else 'an ordinary user'}, Linux {os.uname().release}, {os.cpu_count()} processors, "
            f"load {os.getloadavg()[0]:.1f}, {b.args.rounds} rounds of {b.args.runs}")
        b.measure()
        good = b.show_times()
        good &= b.memory()
    finally:
        b.close()
    sys.exit(0 if good else 1)


main()
