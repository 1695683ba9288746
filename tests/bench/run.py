#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""run.py [--runs N] [--rounds N] BUILD: measures brig beside the engines that are installed.

Everything runs the same program, `true` of the tiny test image, one after the other in several rounds, so that a slow
moment of the machine meets all of them. Times are the medians of all runs (hyperfine without a shell); beside them the
fastest run and the processor time, which a busy machine changes less, and the system calls of one run (strace). Then
the resident memory of an idle detached container's parent. The last column compares with the budgets of the project;
the exit code is 1 when one is missed.

What makes it fair: data lie on the disk and runtime folders on a tmpfs for all, as on an installed machine. podman
and its runtime get the caller's own limits by name, since the ones they would ask for are refused where a machine's
root may not raise limits. crun of Debian 12 refuses a host with both cgroup versions; it gets a mount namespace without
the second. What cannot run here is named with its reason, not left out.
"""
import argparse
import json
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SLOW = ("podman", "docker")
TOP = Path(__file__).resolve().parents[2]


def have(name):
    return shutil.which(name) is not None


def out(argv, **kw):
    return subprocess.run(argv, check=True, capture_output=True, text=True, **kw).stdout.strip()


def last_line(run, otherwise):
    return (run.stderr.strip().splitlines() or [otherwise])[-1][:160]


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
        self.fast = Path(tempfile.mkdtemp(prefix="bb-", dir=self.runtime_place()))
        self.env = dict(os.environ, BRIG_DATA=f"{self.work}/data", BRIG_RUNTIME=f"{self.fast}/run",
                        BRIG_CONFIG=f"{self.work}/config")
        self.times = {}
        self.calls = {}
        self.skipped = {}
        self.idle = {}

    # Where /run is: a tmpfs on every installed machine.
    def runtime_place(self):
        own = os.environ.get("XDG_RUNTIME_DIR", "") if not self.root else "/run"
        for place in (own, "/dev/shm"):
            if place and os.access(place, os.W_OK) and out(["stat", "-f", "-c", "%T", place]) == "tmpfs":
                return place
        return "/var/tmp"

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

    # OCI runtimes: the command with its root, and what makes the machine fit for it.
    def runtimes(self):
        hybrid = "umount /sys/fs/cgroup/unified" if Path("/sys/fs/cgroup/unified").is_dir() and self.root else None
        found = {name: ([name, "--root", f"{self.fast}/{name}"], hybrid if name == "crun" else None)
                 for name in ("crun", "runc") if have(name)}
        oci = self.build / "programs" / "brig-oci"
        if oci.exists() and (self.bundle / "config.json").exists():
            found["brig-oci"] = ([str(oci), "--root", f"{self.fast}/oci"], None)
        return found

    # The same bundle with a program that waits.
    def start_bundles(self):
        waiting = self.work / "waiting"
        waiting.mkdir()
        if not (self.bundle / "config.json").exists():
            return
        c = json.loads((self.bundle / "config.json").read_text())
        c["process"]["args"] = ["/bin/sleep", "10000"]
        c["root"]["path"] = str(self.rootfs)
        (waiting / "config.json").write_text(json.dumps(c))
        for name, (tool, before) in self.runtimes().items():
            wrap = ["unshare", "-m", "sh", "-c", f"{before}; exec \"$@\"", "-"] if before else []
            cid = f"bb-idle-{name}-{os.getpid()}"
            # Its standard error becomes the container's: a pipe would not end before that.
            with open(self.work / "stderr", "w+") as err:
                r = subprocess.run(wrap + tool + ["run", "-d", "--bundle", str(waiting), cid], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=err)
                err.seek(0)
                why = err.read().strip().splitlines()
            if r.returncode == 0:
                self.idle[name] = cid
            else:
                self.skipped[f"{name} exec"] = (why or ["no container to execute in"])[-1][:160]

    # (group, name, command, what makes the machine fit for it)
    def contenders(self):
        brig = [str(self.brig), "run", "--rm"]
        yield "start", "floor", [str(self.build / "tests/bench/floor"), str(self.rootfs), "/bin/true"], None
        if have("bwrap"):
            yield "start", "bwrap", ["bwrap", "--unshare-all", "--ro-bind", str(self.rootfs), "/", "--proc", "/proc",
                                     "--dev", "/dev", "/bin/true"], None
        for name, (tool, before) in self.runtimes().items():
            yield "start", f"{name} bundle", tool + ["run", "--bundle", str(self.bundle), f"bb-{os.getpid()}"], before
        yield "start", "brig --rootfs", brig + ["--net", "none", "--rootfs", str(self.rootfs), "/bin/true"], None
        yield "start", "brig image", brig + ["--net", "none", "tiny", "/bin/true"], None
        if have("podman"):
            yield "start", "podman image", self.podman("run", "--rm", "--network", "none", *self.limits(),
                                                       "localhost/tiny", "/bin/true"), None
        if have("docker"):
            yield "start", "docker image", ["docker", "run", "--rm", "--network", "none", "tiny", "/bin/true"], None
        yield "net", "brig network", brig + ["tiny", "/bin/true"], None
        if have("podman"):
            yield "net", "podman network", self.podman("run", "--rm", *self.limits(), "localhost/tiny",
                                                       "/bin/true"), None
        if have("docker"):
            yield "net", "docker network", ["docker", "run", "--rm", "tiny", "/bin/true"], None
        for name, (tool, before) in self.runtimes().items():
            if name in self.idle:
                yield "exec", f"{name} exec", tool + ["exec", self.idle[name], "/bin/true"], before
        if "brig" in self.idle:
            yield "exec", "brig exec", [str(self.brig), "exec", self.idle["brig"], "/bin/true"], None
        if "podman" in self.idle:
            yield "exec", "podman exec", self.podman("exec", self.idle["podman"], "/bin/true"), None
        if "docker" in self.idle:
            yield "exec", "docker exec", ["docker", "exec", self.idle["docker"], "/bin/true"], None

    # podman as root asks for more open files and processes than a machine without CAP_SYS_RESOURCE gives.
    @staticmethod
    def limits():
        files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        tasks = resource.getrlimit(resource.RLIMIT_NPROC)[1]
        tasks = 32768 if tasks == resource.RLIM_INFINITY else min(tasks, 32768)
        return ["--ulimit", f"nofile={files}:{files}", "--ulimit", f"nproc={tasks}:{tasks}"]

    def podman(self, *args):
        base = ["podman", "--root", f"{self.work}/podman", "--runroot", f"{self.fast}/podman",
                "--cgroup-manager", "cgroupfs"]
        if have("runc"):
            base += ["--runtime", "runc"]
        return base + list(args)

    # One container of each engine that does nothing: for exec and for the memory of its parent.
    def start_idle(self):
        ways = {"brig": [str(self.brig), "run", "-d", "--net", "none", "tiny", "sleep", "10000"]}
        if have("podman"):
            ways["podman"] = self.podman("run", "-d", "--network", "none", *self.limits(), "localhost/tiny", "sleep",
                                         "10000")
        if have("docker"):
            ways["docker"] = ["docker", "run", "-d", "--network", "none", "tiny", "sleep", "10000"]
        self.start_bundles()
        for name, argv in ways.items():
            r = subprocess.run(argv, env=self.env, capture_output=True, text=True)
            if r.returncode == 0:
                self.idle[name] = r.stdout.strip()
            else:
                self.skipped[f"{name} exec"] = last_line(r, "no container to execute in")

    def load(self):
        subprocess.run([str(self.brig), "load", "-q", "-i", self.layout], env=self.env, check=True,
                       stdout=subprocess.DEVNULL)
        if have("podman"):
            pull = subprocess.run(self.podman("pull", "-q", f"oci:{self.layout}"), capture_output=True, text=True)
            if pull.returncode == 0:
                image = pull.stdout.strip().splitlines()[-1]
                subprocess.run(self.podman("tag", image, "localhost/tiny"), check=False, capture_output=True)
            else:
                self.skipped["podman image"] = last_line(pull, "podman pull failed")
        if have("docker"):
            tar = f"{self.work}/tiny.tar"
            r = subprocess.run(f"skopeo copy -q oci:{self.layout}:tiny:latest docker-archive:{tar}:tiny:latest "
                               f"&& docker load -q -i {tar}", shell=True, capture_output=True, text=True)
            if r.returncode:
                self.skipped["docker image"] = last_line(r, "docker load failed")

    # Once, to see that it works and to count its system calls, which are the same in each run but for a few waits.
    def probe(self, name, argv):
        run = subprocess.run(argv, env=self.env, capture_output=True, text=True)
        if run.returncode:
            self.skipped[name] = last_line(run, f"exit {run.returncode}")
            return False
        if have("strace") and not name.startswith(SLOW):
            table = self.work / "strace"
            run = subprocess.run(["strace", "-f", "-c", "-o", str(table)] + argv, env=self.env, capture_output=True)
            total = re.search(r"^100\.00\s+[\d.]+\s+\d+\s+(\d+)\s.*total$", table.read_text(), re.M)
            if run.returncode == 0 and total:
                self.calls[name] = int(total.group(1))
        return True

    def measure(self):
        result = self.work / "hyperfine.json"
        for turn in range(self.args.rounds):
            for _, name, argv, before in self.contenders():
                wrap = ["unshare", "-m", "sh", "-c", f"{before}; exec \"$@\"", "-"] if before else []
                if name in self.skipped or (turn == 0 and not self.probe(name, wrap + argv)):
                    continue
                runs = max(5, self.args.runs // 5) if name.startswith(SLOW) else self.args.runs
                line = " ".join("'" + a.replace("'", "'\\''") + "'" for a in argv)
                command = wrap + ["hyperfine", "--shell=none", "--style", "none", "-w", "3", "-r", str(runs),
                                  "--export-json", str(result), line]
                run = subprocess.run(command, env=self.env, capture_output=True, text=True)
                if run.returncode:
                    self.skipped[name] = last_line(run, "hyperfine failed")
                    continue
                r = json.load(open(result))["results"][0]
                self.times.setdefault(name, {"wall": [], "cpu": []})
                self.times[name]["wall"] += r["times"]
                self.times[name]["cpu"].append(r["user"] + r["system"])

    # A list of (name, limit in ms) for what has a budget.
    @staticmethod
    def budgets(name, wall):
        if name in ("brig-oci bundle", "brig --rootfs"):
            found = [("1.5 x floor", 1.5 * wall["floor"])]
            if "crun bundle" in wall:
                found.append(("crun / 2", wall["crun bundle"] / 2))
            return found
        if name == "brig-oci exec" and "crun exec" in wall:
            return [("crun / 2", wall["crun exec"] / 2)]
        if name == "brig image" and "podman image" in wall:
            return [("podman / 12", wall["podman image"] / 12)]
        return []

    def show_times(self):
        wall = {n: statistics.median(t["wall"]) * 1e3 for n, t in self.times.items()}
        cpu = {n: statistics.mean(t["cpu"]) * 1e3 for n, t in self.times.items()}
        titles = {"start": "start, run true, remove", "net": "the same with a network", "exec": "exec true"}
        good, group = True, None
        for g, name, _, _ in self.contenders():
            if name not in wall:
                continue
            if g != group:
                say(f"\n{titles[g]:24}{'median':>11}{'fastest':>11}{'cpu':>11}{'to floor':>9}{'calls':>7}  budget")
                group = g
            verdict = []
            for what, limit in self.budgets(name, wall):
                good &= wall[name] <= limit
                verdict.append(f"{'met' if wall[name] <= limit else 'MISSED'} ({what} = {limit:.1f} ms)")
            say(f"{name:24}{wall[name]:8.1f} ms{min(self.times[name]['wall']) * 1e3:8.1f} ms{cpu[name]:8.1f} ms"
                f"{wall[name] / wall['floor']:8.1f}x{self.calls.get(name, ''):>7}  {', '.join(verdict)}")
        say("")
        for name, why in self.skipped.items():
            say(f"{name:24} not measured: {why}")
        return good

    @staticmethod
    def parent_of(proc):
        try:
            return next(ln.split()[1] for ln in open(proc / "status") if ln.startswith("PPid:"))
        except OSError:
            return ""

    @staticmethod
    def resident(pid):
        pss = private = 0
        for line in open(f"/proc/{pid}/smaps_rollup"):
            if line.startswith("Pss:"):
                pss = int(line.split()[1])
            elif line.startswith("Private_"):
                private += int(line.split()[1])
        return pss / 1024, private / 1024

    def brig_parent(self):
        pid = out([str(self.brig), "inspect", "--format", "{{.State.Pid}}", self.idle["brig"]], env=self.env)
        return next(ln.split()[1] for ln in open(f"/proc/{pid}/status") if ln.startswith("PPid:"))

    def memory(self):
        say(f"\n{'idle detached container':24}{'PSS':>11}{'private':>11}  budget")
        parent = self.brig_parent()
        above = next(ln.split()[1] for ln in open(f"/proc/{parent}/status") if ln.startswith("PPid:"))
        family = [p for p in (parent, above) if open(f"/proc/{p}/comm").read().startswith("brig")]
        family += [p.parent.name for p in Path("/proc").glob("[0-9]*/comm")
                   if p.read_text().startswith("brig") and self.parent_of(p.parent) in family and
                   p.parent.name not in family]
        sums = [sum(v) for v in zip(*(self.resident(p) for p in family))]
        good = sums[0] <= 0.3 and sums[1] <= 0.15
        say(f"{f'brig ({len(family)} processes)':24}{sums[0]:8.2f} MB{sums[1]:8.2f} MB  "
            f"{'met' if good else 'MISSED'} (0.30 and 0.15 MB)")
        subprocess.run([str(self.brig), "rm", "-f", self.idle.pop("brig")], env=self.env, stdout=subprocess.DEVNULL)
        if "podman" in self.idle:
            pss, private = self.resident(out(self.podman("inspect", "--format", "{{.State.ConmonPid}}",
                                                         self.idle["podman"])))
            say(f"{'conmon (podman)':24}{pss:8.2f} MB{private:8.2f} MB")
        if "docker" in self.idle:
            subprocess.run(["docker", "rm", "-f", self.idle.pop("docker")], capture_output=True)
        left = out(["sh", "-c", f"grep -lsF 'BRIG_DATA={self.work}/data' /proc/[0-9]*/environ | grep -v self || true"])
        ours = {f"/proc/{os.getpid()}/environ"}
        left = [p for p in left.split() if p not in ours]
        say(f"{'brig, nothing running':24}{'nothing' if not left else 'LEFT: ' + ' '.join(left):>11}")
        return good and not left

    # Processor time and wall time of a command, the least of some runs, and the largest process of it in MB.
    def least(self, argv):
        cpu = wall = None
        rss = 0
        for _ in range(3):
            pid, began = os.posix_spawnp(argv[0], argv, self.env, file_actions=[
                (os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)]), time.monotonic()
            _, status, used = os.wait4(pid, 0)
            took = time.monotonic() - began
            if os.waitstatus_to_exitcode(status):
                raise subprocess.CalledProcessError(os.waitstatus_to_exitcode(status), argv)
            cpu = min(cpu or used.ru_utime + used.ru_stime, used.ru_utime + used.ru_stime)
            wall = min(wall or took, took)
            rss = max(rss, used.ru_maxrss / 1024)
        return cpu, wall, rss

    # brig vet beside the least that anybody has to do who looks into an image: decompress and hash its layers, as many at a time as brig
    # vet has threads.
    def vet_one(self, title, layout, ref):
        subprocess.run([str(self.brig), "load", "-q", "-i", layout], env=self.env, check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        blobs = [str(p) for p in Path(layout, "blobs/sha256").iterdir() if p.stat().st_size > 1 << 20]
        jobs = min(8, len(os.sched_getaffinity(0)))
        unpack = "case $(head -c 2 $0 | od -An -tx1) in *1f*8b*) gzip -dc $0;; *) zstd -qdc $0;; esac | sha256sum"
        floor = self.least(["sh", "-c", f"printf '%s\\n' {' '.join(blobs)} | xargs -P {jobs} -n 1 sh -c '{unpack}'"])
        look = self.least([str(self.brig), "vet", "-q", "-j", str(jobs), "--fail-on", "never", ref])
        good = look[0] <= 1.5 * floor[0] and look[2] <= 100
        say(f"\n{title:24}{'wall':>11}{'cpu':>11}{'largest':>11}  {jobs} at a time")
        say(f"{'decompress and hash':24}{floor[1] * 1e3:8.0f} ms{floor[0] * 1e3:8.0f} ms{floor[2]:8.1f} MB")
        say(f"{'brig vet':24}{look[1] * 1e3:8.0f} ms{look[0] * 1e3:8.0f} ms{look[2]:8.1f} MB  "
            f"{'met' if good else 'MISSED'} (1.5 x the cpu of that: {look[0] / floor[0]:.2f} x; wall {look[1] / floor[1]:.2f} x; 100 MB)")
        return good

    # What a run costs more when the policy of vet is asked and the answer is known: in turns, the quickest of both.
    def gate(self):
        asking, took = Path(f"{self.work}/config-vet"), {False: [], True: []}
        shutil.copytree(self.env["BRIG_CONFIG"], asking)
        asking.chmod(0o700)
        with open(os.open(asking / "vet.json", os.O_WRONLY | os.O_CREAT, 0o600), "w") as f:
            f.write('{"fail_on": "never"}')
        for i in range(84):
            env = dict(self.env, BRIG_CONFIG=str(asking)) if i % 2 else self.env
            began = time.monotonic()
            subprocess.run([str(self.brig), "run", "--rm", "--net", "none", "tiny", "true"], env=env, check=True, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL)
            if i > 3: # the first one looks
                took[i % 2 == 1].append(time.monotonic() - began)
        more = (min(took[True]) - min(took[False])) * 1e3
        say(f"{'a known verdict':24}{more:8.2f} ms{'':24}{'met' if more < 1 else 'MISSED'} (1 ms more than a run without a policy)")
        return more < 1

    def vet(self):
        good = self.vet_one("looking into MariaDB", out([str(TOP / "tests/images/mkimage"), "mariadb"]), "mariadb")
        good &= self.vet_one("looking into 1 GB", out([str(TOP / "tests/images/mkbig"), "1024", "gzip"]), "big1024")
        return good & self.gate()

    def close(self):
        for name, (tool, before) in self.runtimes().items():
            wrap = ["unshare", "-m", "sh", "-c", f"{before}; exec \"$@\"", "-"] if before else []
            if name in self.idle:
                subprocess.run(wrap + tool + ["delete", "-f", self.idle[name]], capture_output=True)
        ids = subprocess.run([str(self.brig), "ps", "-aq"], env=self.env, capture_output=True, text=True).stdout.split()
        if ids:
            subprocess.run([str(self.brig), "rm", "-f"] + ids, env=self.env, stdout=subprocess.DEVNULL)
        if have("podman"):
            subprocess.run(self.podman("rm", "-af", "-t", "0"), capture_output=True)
            subprocess.run(self.podman("rmi", "-af"), capture_output=True)
            subprocess.run(["umount", "-l", f"{self.work}/podman/overlay"], capture_output=True)
        rm = ["rm", "-rf", str(self.work), str(self.fast)]
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
            f"load {os.getloadavg()[0]:.1f}, {b.args.rounds} rounds of {b.args.runs}, runtime folders in "
            f"{b.fast.parent}")
        b.start_idle()
        b.measure()
        good = b.show_times()
        good &= b.memory()
        if have("mmdebstrap"):
            good &= b.vet()
        else:
            say("\nbrig vet                 not measured: mmdebstrap makes its image")
    finally:
        b.close()
    sys.exit(0 if good else 1)


main()
