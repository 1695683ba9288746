#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What brig vet must find, worked out without any of brig's code: the lists of advisories are read here with two
regular expressions, and versions are compared by dpkg itself.

    vet_truth.py root DIR RELEASE VERSION LIST...   writes a root folder whose dpkg status has every source package that
                                                    the lists name for the release, at versions around each fix
    vet_truth.py expect DIR RELEASE LIST...         prints "SOURCE VERSION ID", sorted, of what is vulnerable in it
"""
import os
import re
import subprocess
import sys


def entries(paths, release):
    """(source, version or <word>, ids) of each statement about the release."""
    for path in paths:
        title, advisory, cves = "", "", []
        for line in open(path, encoding="utf-8"):
            head = re.match(r"\[\d\d \w{3} \d{4}\] (D[SL]A-\S+)(?:.* - (.*))?", line)
            if head:
                advisory, title, cves = head.group(1), head.group(2) or "", []
            elif re.match(r"\s+\{", line):
                cves = re.findall(r"[^\s{}]+", line)
            else:
                what = re.match(r"\s+\[(\w+)\]\s+-\s+(\S+)\s+(\S+)", line)
                if what and what.group(1) == release:
                    ids = cves or ([advisory] if "security update" in title else [])
                    yield what.group(2), what.group(3), ids


def around(version):
    """The fix, one byte of history before it, and what a rebuild and a later fix look like."""
    older = re.sub(r"(\d+)(?!.*\d)", lambda m: str(max(int(m.group(1)) - 1, 0)), version)
    return [version + "~1", older, version, version + "+b1", re.sub(r"(\d+)(?!.*\d)", lambda m: str(int(m.group(1)) + 9), version)]


def make_root(root, release, number, paths):
    fixes, versions = {}, {}
    for source, fixed, _ in entries(paths, release):
        fixes.setdefault(source, []).append(fixed)
    for source, every in fixes.items():
        # One in the middle is enough of those that browsers have by the dozen: asking dpkg takes 2 ms each time.
        fixed = every[len(every) // 2]
        versions[source] = set(around(fixed) if not fixed.startswith("<") else ["1.0-1"])
    os.makedirs(root + "/var/lib/dpkg", exist_ok=True)
    os.makedirs(root + "/etc", exist_ok=True)
    with open(root + "/etc/os-release", "w", encoding="utf-8") as out:
        out.write(f'ID=debian\nVERSION_ID="{number}"\nVERSION_CODENAME={release}\n')
    n = 0
    with open(root + "/var/lib/dpkg/status", "w", encoding="utf-8") as out:
        for source, wanted in sorted(versions.items()):
            for version in sorted(wanted):
                n += 1
                out.write(f"Package: binary{n}\nStatus: install ok installed\nArchitecture: amd64\nMaintainer: x\n")
                # A third of them say the version of their source apart, as rebuilds do; a third are named as their source is.
                if n % 3 == 0:
                    out.write(f"Source: {source} ({version})\nVersion: 9:99-{n}\n")
                else:
                    out.write(f"Source: {source}\nVersion: {version}\n")
                out.write(f"Description: p{n}\n\n")


def installed(root):
    for paragraph in open(root + "/var/lib/dpkg/status", encoding="utf-8").read().split("\n\n"):
        fields = dict(re.findall(r"^(\S+): (.*)$", paragraph, re.M))
        if not fields or "installed" not in fields["Status"].split()[2:]:
            continue
        source = re.match(r"(\S+)(?: \((.*)\))?", fields.get("Source", fields["Package"]))
        yield source.group(1), source.group(2) or fields["Version"]


def expect(root, release, paths):
    known = {}
    for source, fixed, ids in entries(paths, release):
        known.setdefault(source, []).append((fixed, ids))
    cache, out = {}, set()
    for source, version in set(installed(root)):
        for fixed, ids in known.get(source, []):
            if fixed == "<not-affected>":
                continue
            if not fixed.startswith("<"):
                pair = (version, fixed)
                if pair not in cache:
                    cache[pair] = subprocess.run(["dpkg", "--compare-versions", version, "lt", fixed], check=False).returncode == 0
                if not cache[pair]:
                    continue
            out.update(f"{source} {version} {one}" for one in ids)
    print("\n".join(sorted(out)))


if __name__ == "__main__":
    if sys.argv[1] == "root":
        make_root(sys.argv[2], sys.argv[3], sys.argv[4], sys.argv[5:])
    else:
        expect(sys.argv[2], sys.argv[3], sys.argv[4:])
