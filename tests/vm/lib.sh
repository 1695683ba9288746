# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# shellcheck disable=SC2154,SC2086,SC2016,SC2034 # names of the sourcing file; no spaces in ours; jq and inner shells
# Sourced by guest.sh: the machine around the tests, and TAP. The tests of a boot are boot_NAME.sh and the files it sources.

export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
cg=/sys/fs/cgroup
count=0

guest_prepare() {
    mkdir -p /dev/pts /dev/shm /var/tmp /var/lib/brig /etc/brig
    if [ "$brig_boot" != systemd ]; then # which has made these
        mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts /dev/pts
        mount -t tmpfs -o mode=1777 tmpfs /dev/shm
        ln -sfn /proc/self/fd /dev/fd
        mount -t securityfs securityfs /sys/kernel/security
        mount -t cgroup2 cgroup2 $cg
    fi
    mkdir -m 700 /run/disk/brig
    mount -o bind /run/disk/brig /var/lib/brig
    mount -o bind /run/disk/tmp /tmp
    # The installed copy lies in the machine's own /var/tmp, which this covers: init left another way to it.
    mount -o bind /run/disk/tmp /var/tmp
    ulimit -Hn 1048576
    ulimit -Sn 1024
    ip link set lo up
    modprobe -a tun nf_tables
    stage=/run/host$brig_stage
    BRIG=$stage/usr/local/bin/brig
    OCI=$stage/usr/local/bin/brig-oci
    image=/run/host$(cat "$stage/image/path")
    # Of unit tests that read the source.
    export BRIG_SOURCE=${brig_tests%/tests/vm}
    export BRIG OCI stage image cg
    cd /
}

guest_end() {
    echo "1..$count"
    sync
    echo o >/proc/sysrq-trigger
    while :; do :; done
}

# ok NAME RESULT: one line of TAP; 0 is success.
ok() {
    count=$((count + 1))
    if [ "$2" = 0 ]; then echo "ok $count $1"; else echo "not ok $count $1"; fi
}

skip() {
    count=$((count + 1))
    echo "ok $count $1 # SKIP $2"
}

# try NAME COMMAND...: succeeds when the command does; what it said is told when not. A function as command runs with -e,
# in a shell of its own.
try() {
    local name=$1 out r began=$SECONDS
    shift
    if declare -F "$1" >/dev/null; then
        out=$( (
            trap 'echo "line $LINENO: $BASH_COMMAND"' ERR
            set -eE
            "$@"
        ) 2>&1)
    else
        out=$("$@" 2>&1)
    fi
    r=$?
    ok "$name" $r
    [ $((SECONDS - began)) -lt 8 ] || echo "# took $((SECONDS - began)) s"
    [ $r = 0 ] || printf '%s\n' "$out" | tail -n 25 | sed 's/^/# /'
    return $r
}

# same WANTED GOT [WHAT]
same() {
    [ "$1" = "$2" ] || { echo "${3:-value}: wanted \"$1\", got \"$2\"" && return 1; }
}

# has TEXT PATTERN: a line of it matches.
has() {
    grep -qE -- "$2" <<<"$1" || { printf 'nothing matches %s in:\n%s\n' "$2" "$1" && return 1; }
}

# Waits up to ten seconds for a command to succeed.
soon() {
    local i
    for i in $(seq 100); do
        "$@" >/dev/null 2>&1 && return 0
        sleep 0.1
    done
    echo "not within ten seconds: $*"
    return 1
}

# What walls of a container do not stand, in one line.
not_standing() {
    "$BRIG" posture "$1" | awk 'NR > 2 && $2 ~ /^(down|absent|lowered|partly|unknown)$/ { printf "%s ", $1 }'
}

# The unit tests that ask the kernel, one line for each program.
unit_tests() {
    local name
    for name in "$@"; do
        try "unit tests of $name" timeout 120 "$stage/unit/test_$name"
    done
}
