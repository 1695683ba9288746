# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# shellcheck disable=SC2154,SC2086,SC2016,SC2034 # names of the sourcing file; no spaces in ours; jq and inner shells
# brig-oci checkpoint and restore by Debian's criu, which knows this kernel.

criu_counts='exec 3>>/tmp/log; i=0; while :; do i=$((i+1)); echo $i >&3; echo $i >/tmp/new; mv /tmp/new /tmp/now; sleep 0.1; done'
criu_filter='.linux.seccomp = { defaultAction: "SCMP_ACT_ALLOW", syscalls: [ { names: ["kexec_load", "bpf"], action: "SCMP_ACT_ERRNO" } ] }'
criu_more='.linux.resources.memory.limit = 67108864 | .linux.resources.pids.limit = 40 | .process.noNewPrivileges = false
    | .mounts += [{ destination: "/vol", type: "bind", source: "/run/disk/oci/vol", options: ["bind", "ro", "nosuid", "nodev"] }]'
ck=/run/disk/oci/ck

now() { cat $ck/rootfs/tmp/now; }
goes_on() {
    local at
    at=$(now)
    soon counted_past "$at"
}
counted_past() { [ "$(now)" -gt "$1" ]; }
# What the kernel says of the first process and its mounts, but for numbers that change.
evidence() {
    local pid
    pid=$(oci state ck | jq .pid)
    grep -E '^(Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp)' /proc/$pid/status
    cat /proc/$pid/limits /proc/$pid/oom_score_adj /proc/$pid/attr/current /proc/$pid/cgroup
    cut -d' ' -f4- /proc/$pid/mountinfo | sed -E 's/ (shared|master):[0-9]+//g' | sort
    (cd $cg/vm/ck && grep . memory.max pids.max cpu.max cgroup.procs | sed 's/cgroup.procs:.*/a process/' | sort -u)
}

criu_bundle() {
    [ ! -d $ck/rootfs ] || chown -R "${owner:-0:0}" $ck/rootfs
    mkdir -p /run/disk/oci/vol
    bundle ck "$criu_filter | $criu_more${1:+ | $1}" sh -c "$criu_counts"
    ln -sf busybox $ck/rootfs/bin/mv
    rm -rf $ck/rootfs/tmp/* $ck/img
}

# Standard output and error lead to files that every id may open again; errors are in the log.
launch() { oci delete --force ck && oci run -d --bundle $ck ck </dev/null >/dev/null 2>&1; }
restore() {
    rm -f /run/ck.log
    oci --log /run/ck.log restore -d --bundle $ck "$@" ck </dev/null >/dev/null 2>&1 || { cat /run/ck.log && return 1; }
}

criu_round() {
    criu_bundle "${1:-}"
    launch
    soon counted_past 3
    evidence >/run/before
    oci checkpoint --image-path $ck/img ck
    oci state ck && return 1
    [ ! -e $cg/vm/ck ]
    local at
    at=$(now)
    restore --image-path $ck/img --pid-file /run/ck.pid
    soon counted_past "$at"
    same "$(oci state ck | jq .pid)" "$(cat /run/ck.pid)" 'pid file'
    same running "$(oci state ck | jq -r .status)"
    evidence >/run/after
    diff /run/before /run/after
    # The open file went on, each number once.
    cp $ck/rootfs/tmp/log /run/log
    seq "$(tail -1 /run/log)" | cmp - /run/log
    oci exec ck sh -c ': >/vol/x' 2>/dev/null && return 1
    oci pause ck
    oci resume ck
    goes_on
    gone ck
}

criu_leaves_running() {
    criu_bundle
    launch
    soon counted_past 3
    oci checkpoint --leave-running --image-path $ck/img ck
    goes_on
    # A second one of that name is refused, and does no harm.
    restore --image-path $ck/img && return 1
    goes_on
    oci pause ck
    has "$(oci checkpoint --image-path $ck/img2 ck 2>&1 || true)" 'cannot checkpoint a container that is paused'
    gone ck
}

# Each is a wall that the images lack: the process must not run one instruction, nothing may be left.
criu_fails_closed() {
    local one out at
    at=$(now)
    for one in '.linux.seccomp.syscalls[0].names += ["mount"]|linux.seccomp: the filter of process' \
        '.process.capabilities = {}|process.capabilities: .*has more' '.root.readonly = true|root.readonly' \
        '.linux.maskedPaths += ["/tmp"]|linux.maskedPaths\[[0-9]+\]: is not masked' \
        '.mounts += [{ destination: "/x", type: "tmpfs", source: "tmpfs" }]|mounts\[[0-9]+\]: is not there' \
        '.process.rlimits = [{ type: "RLIMIT_NOFILE", soft: 9, hard: 9 }]|process.rlimits\[0\]: is higher'; do
        jq "${one%%|*}" $ck/config.json >/run/changed && cp $ck/config.json /run/kept && cp /run/changed $ck/config.json
        out=$(restore --image-path $ck/img) && { echo "restored with ${one%%|*}" && return 1; }
        cp /run/kept $ck/config.json
        has "$out" "a wall does not stand: ${one##*|}"
        oci state ck 2>/dev/null && return 1
        [ ! -e $cg/vm/ck ]
    done
    same "$at" "$(now)" 'what it counted'
    rm $ck/img/pages-1.img
    out=$(restore --image-path $ck/img) && return 1
    has "$out" 'criu failed, see /run/disk/oci/ck/img/restore.log: Error'
    [ ! -e $cg/vm/ck ]
    same "" "$(oci list -q)" containers
}

criu_userns() {
    owner=100000:100000
    criu_round '.linux.namespaces += [{ type: "user" }] | .linux.uidMappings = [{ containerID: 0, hostID: 100000, size: 65536 }]
        | .linux.gidMappings = .linux.uidMappings'
}

criu_pre_dump() {
    criu_bundle
    launch
    soon counted_past 3
    rm -rf $ck/pre && mkdir -m 700 $ck/img
    oci checkpoint --pre-dump --image-path $ck/img/pre ck
    goes_on
    oci checkpoint --parent-path pre --image-path $ck/img ck || { grep Error $ck/img/dump.log && return 1; }
    has "$(restore --image-path $ck/img/pre)" 'no whole checkpoint'
    restore --image-path $ck/img
    goes_on
    gone ck
}

# Debian's criu drops it in silence.
criu_nnp() {
    criu_bundle '.process.noNewPrivileges = true'
    launch
    soon counted_past 3
    has "$(oci checkpoint --image-path $ck/img ck 2>&1 || true)" 'process.noNewPrivileges: this criu .3. does not restore it'
    goes_on
    gone ck
}

criu_tests() {
    local owner=

    command -v criu >/dev/null || { skip "brig-oci: checkpoint and restore" "criu is not installed" && return; }
    modprobe -a unix_diag inet_diag tcp_diag udp_diag raw_diag netlink_diag af_packet_diag 2>/dev/null
    try "checkpoint and restore: it counts on, all walls as before" criu_round
    try "a checkpoint that this criu would restore without no_new_privs is refused" criu_nnp
    try "checkpoint --leave-running" criu_leaves_running
    try "a restore without each wall of config.json leaves nothing" criu_fails_closed
    try "checkpoint and restore in a user namespace" criu_userns
    try "checkpoint --pre-dump, then --parent-path" criu_pre_dump
    [ ! -e /sys/kernel/security/apparmor ] || try "checkpoint and restore under an AppArmor profile" criu_round '.process.apparmorProfile = "brig-vm-test"'
}
