#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Each field of the specification's JSON schema (config.json for Linux, 1.3) has an effect that the kernel tells, or is refused by
# an error that names it. Fields in which containers of ordinary users differ are in oci.bats.
# shellcheck disable=SC2016

load lib
load oci
setup_file() { oci_setup; }
teardown_file() { oci_teardown; }
setup() {
    need_root
    TT=$(mktemp -d "$T/t-XXXXXX")
    chmod 0755 "$TT"
    export TT
    N=0
}
teardown() {
    local id
    for id in "$STATES"/*; do [ ! -d "$id" ] || oci delete -f "${id##*/}" || true; done
    [ "$MODE" != root ] || oci_no_cgroups
}

# FIELD JQ PROGRAM: leaves what the container said in $output.
field() {
    N=$((N + 1))
    b=$(bundle "b$N" '.root.readonly = false' "$(runs "exec 2>&1; $3")" "$2")
    run oci run -b "$b" "c$N"
}
# FIELD JQ PROGRAM REGEX: the program shows the effect.
shows() {
    field "$1" "$2" "$3"
    grep -qE -- "$4" <<<"$output" || fail "$1: nothing like $4 in:" "$output"
}
# FIELD JQ [REGEX]: an error that names the field, and nothing is made.
refuses() {
    field "$1" "$2" true
    [ "$status" != 0 ] || fail "$1: was taken"
    grep -qE -- "${3:-${1//[][]/.}}" <<<"$output" || fail "$1: is not named in:" "$output"
    [ -z "$(ls "$STATES")" ] || fail "$1: left $(ls "$STATES")"
}
# FIELD JQ PROGRAM REGEX: one or the other, where it depends on the machine.
either() {
    field "$1" "$2" "$3"
    grep -qE -- "$4" <<<"$output" || { [ "$status" != 0 ] && grep -qF -- "$1" <<<"$output"; } || fail "$1: neither $4 nor an error with its name:" "$output"
    [ -z "$(ls "$STATES")" ] || fail "$1: left $(ls "$STATES")"
}
caps() { printf '.process.capabilities.%s = ["CAP_KILL"]' "$1"; }
# The container's file in the v1 hierarchy $1, or in v2.
limit_of() { printf 'cat /sys/fs/cgroup/%s 2>/dev/null || cat /sys/fs/cgroup/%s' "$1" "$2"; }

@test "fields: root, mounts, process" {
    mkdir "$TT/src"
    echo word >"$TT/src/f"
    refuses ociVersion '.ociVersion = "x"'
    shows root.path . 'cat /etc/brig-image' tiny
    shows root.readonly '.root.readonly = true' 'touch /x' 'Read-only'
    shows annotations '.annotations = {"a.b": "c"}' 'echo up' up
    refuses annotations '.annotations = {"a": 1}'
    shows hostname '.hostname = "h1"' hostname '^h1$'
    shows domainname '.domainname = "d1"' 'cat /proc/sys/kernel/domainname' '^d1$'
    local bind="{\"destination\": \"/m\", \"source\": \"$TT/src\", \"type\": \"bind\", \"options\": [\"bind\"]}"
    shows 'mounts[].source' ".mounts += [$bind]" 'cat /m/f' word
    shows 'mounts[].destination' ".mounts += [$bind]" 'grep " /m " /proc/self/mountinfo' ' /m '
    shows 'mounts[].options' ".mounts += [$bind + {options: [\"bind\", \"ro\", \"noexec\"]}]" 'grep " /m " /proc/self/mountinfo' ' /m ro,noexec'
    shows 'mounts[].type' '.mounts += [{destination: "/m", type: "tmpfs", source: "t", options: ["size=64k"]}]' 'grep " /m " /proc/self/mountinfo' 'tmpfs t .*size=64k'
    refuses 'mounts[].options' ".mounts += [$bind + {options: [\"bind\", \"size=1m\"]}]" 'mounts.*options.*size=1m'
    refuses 'mounts[].options' ".mounts += [$bind + {options: [\"bind\", \"sync\"]}]" 'mounts.*options.*sync'
    refuses 'mounts[].options' '.mounts += [{destination: "/m", type: "tmpfs", source: "t", options: ["iversion"]}]' 'mounts.*iversion'
    refuses 'mounts[7]' '.mounts += [{destination: "/m", type: "nosuchfs", source: "t"}]' 'mounts.*nosuchfs'
    # The id mappings of a mount: a file of the host's root is 7's inside.
    local map='[{"containerID": 0, "hostID": 7, "size": 1}]'
    either 'mounts[' ".mounts += [$bind + {uidMappings: $map, gidMappings: $map}]" 'stat -c %u:%g /m/f' '^7:7$'
    refuses 'mounts[7]' ".mounts += [$bind + {uidMappings: $map}]" 'mounts.7..*gidMappings'
    shows process.args '.process.args = ["echo", "a b"]' '' '^a b$'
    shows process.commandLine '.process.commandLine = "ignored, of Windows"' 'echo up' up
    shows process.cwd '.process.cwd = "/etc"' pwd '^/etc$'
    shows 'process.env[]' '.process.env = ["PATH=/bin", "V=w"]' env '^V=w$'
    shows process.terminal '.process.terminal = true' tty /dev/pts/0
    shows process.consoleSize '.process.terminal = true | .process.consoleSize = {height: 33, width: 99}' 'stty size' '33 99'
    shows process.user.uid '.process.user.uid = 5' 'id -u' '^5$'
    shows process.user.gid '.process.user.gid = 6' 'id -g' '^6$'
    shows process.user.umask '.process.user.umask = 63' umask '^0077$'
    shows 'process.user.additionalGids[]' '.process.user.additionalGids = [7, 8]' 'id -G' '0 7 8'
    shows process.user.username '.process.user.username = "ignored, of Windows"' 'id -u' '^0$'
    shows process.capabilities.bounding "$(caps bounding)" 'grep CapBnd /proc/self/status' '0000000000000020$'
    shows process.capabilities.permitted "$(caps permitted) | $(caps effective) | .process.capabilities.ambient = []" 'grep CapPrm /proc/1/status' '0000000000000020$'
    shows process.capabilities.effective "$(caps permitted) | $(caps effective) | .process.capabilities.ambient = []" 'grep CapEff /proc/1/status' '0000000000000020$'
    shows process.capabilities.inheritable "$(caps inheritable) | .process.capabilities.ambient = []" 'grep CapInh /proc/self/status' '0000000000000020$'
    shows process.capabilities.ambient "$(caps inheritable) | $(caps ambient) | .process.user.uid = 5" 'grep CapAmb /proc/self/status' '0000000000000020$'
    refuses process.apparmorProfile '.process.apparmorProfile = "nosuchprofile"'
    refuses process.selinuxLabel '.process.selinuxLabel = "nosuch_u:nosuch_r:nosuch_t"'
    shows process.oomScoreAdj '.process.oomScoreAdj = 321' 'cat /proc/self/oom_score_adj' '^321$'
    shows process.ioPriority '.process.ioPriority = {class: "IOPRIO_CLASS_IDLE", priority: 0}' ionice '^idle'
    shows process.ioPriority.priority '.process.ioPriority = {class: "IOPRIO_CLASS_BE", priority: 6}' ionice 'best-effort: prio 6'
    shows process.noNewPrivileges '.process.noNewPrivileges = false' 'grep NoNewPrivs /proc/self/status' '0$'
    shows process.scheduler.policy '.process.scheduler = {policy: "SCHED_BATCH", nice: 3}' 'cut -d" " -f19,41 /proc/self/stat' '^3 3$'
    either process.scheduler '.process.scheduler = {policy: "SCHED_FIFO", priority: 7, flags: ["SCHED_FLAG_RESET_ON_FORK"]}' 'cut -d" " -f40,41 /proc/1/stat' '^7 1$'
    either process.scheduler '.process.scheduler = {policy: "SCHED_DEADLINE", runtime: 1000000, deadline: 10000000, period: 20000000}' 'read -r s </proc/1/stat; set -- $s; echo ${41}' '^6$'
    shows 'process.rlimits[]' '.process.rlimits = [{type: "RLIMIT_NOFILE", soft: 55, hard: 66}]' 'ulimit -Sn; ulimit -Hn' '^55'
    shows 'process.rlimits[].hard' '.process.rlimits = [{type: "RLIMIT_NOFILE", soft: 55, hard: 66}]' 'ulimit -Hn' '^66$'
}

@test "fields: process.execCPUAffinity, which is for exec" {
    [ "$(nproc)" -gt 1 ] || skip "this machine has one processor"
    b=$(bundle b '.process.args = ["/bin/sleep", "1000"]')
    oci run -d -b "$b" one </dev/null >/dev/null
    for which in initial final; do
        jq ".process | .args = [\"grep\", \"Cpus_allowed_list\", \"/proc/self/status\"] | .execCPUAffinity = {$which: \"1\"}" "$b/config.json" >"$TT/process"
        run oci exec --process "$TT/process" one
        assert_line '1$'
        jq ".execCPUAffinity.$which = \"x\"" "$TT/process" >"$TT/bad"
        run oci exec --process "$TT/bad" one
        assert_line "process.execCPUAffinity.$which: "
    done
    oci delete -f one
}

@test "fields: devices, namespaces, mappings, time, sysctl, paths, personality, memory policy, net devices, RDT" {
    local device='{type: "c", path: "/dev/x", major: 1, minor: 7, fileMode: 384, uid: 3, gid: 4}'
    shows 'linux.devices[]' ".linux.devices = [$device]" 'stat -c "%F %a %u:%g %t:%T" /dev/x' 'character special file 600 3:4 1:7'
    shows 'linux.devices[].type' ".linux.devices = [$device + {type: \"p\"}]" 'stat -c %F /dev/x' fifo
    local ids='.linux.namespaces += [{"type": "user"}] | .linux.uidMappings = [{"containerID": 0, "hostID": 100000, "size": 10}] | .linux.gidMappings = [{"containerID": 0, "hostID": 200000, "size": 11}]'
    shows linux.uidMappings "$ids" 'cat /proc/self/uid_map' '0 +100000 +10$'
    shows linux.gidMappings "$ids" 'cat /proc/self/gid_map' '0 +200000 +11$'
    local ns
    for ns in pid network mount ipc uts cgroup; do
        local file=${ns/network/net}
        shows "linux.namespaces[] $ns" ".linux.namespaces |= map(select(.type != \"$ns\")) + [{\"type\": \"$ns\"}]" \
            "[ \$(readlink /proc/self/ns/${file/mount/mnt}) != '$(readlink "/proc/self/ns/${file/mount/mnt}")' ] && echo other" '^other$'
    done
    refuses 'linux.namespaces' '.linux.namespaces += [{"type": "time", "path": "/proc/nope"}]'
    shows linux.timeOffsets.boottime '.linux.namespaces += [{"type": "time"}] | .linux.timeOffsets = {boottime: {secs: 90000000, nanosecs: 0}}' 'cut -c1-2 /proc/uptime' '^9'
    shows linux.timeOffsets.monotonic '.linux.namespaces += [{"type": "time"}] | .linux.timeOffsets = {monotonic: {secs: 1234, nanosecs: 5}}' 'cat /proc/self/timens_offsets' 'monotonic +1234 +5'
    shows linux.sysctl '.linux.sysctl = {"kernel.msgmax": "4321"}' 'cat /proc/sys/kernel/msgmax' '^4321$'
    refuses 'linux.sysctl' '.linux.sysctl = {"kernel.nosuch": "1"}' 'linux.sysctl."kernel.nosuch"'
    shows 'linux.maskedPaths[]' '.linux.maskedPaths = ["/etc/passwd"]' 'wc -c </etc/passwd' '^0$'
    shows 'linux.readonlyPaths[]' '.linux.readonlyPaths = ["/etc"]' 'touch /etc/x' 'Read-only'
    either linux.mountLabel '.linux.mountLabel = "system_u:object_r:nosuch_t:s0"' true 'no SELinux shows it'
    shows linux.rootfsPropagation '.linux.rootfsPropagation = "unbindable"' 'grep " / / " /proc/self/mountinfo || grep " / " /proc/self/mountinfo' unbindable
    shows linux.personality.domain '.linux.personality = {domain: "LINUX32"}' 'uname -m' 'i686'
    refuses linux.personality.flags '.linux.personality = {domain: "LINUX", flags: ["NOSUCH"]}' 'linux.personality.flags'
    either linux.memoryPolicy '.linux.memoryPolicy = {mode: "MPOL_BIND", nodes: "0", flags: ["MPOL_F_STATIC_NODES"]}' 'cat /proc/self/numa_maps' 'bind(=static)?:0'
    refuses linux.memoryPolicy.nodes '.linux.memoryPolicy = {mode: "MPOL_BIND", nodes: "x"}'
    refuses linux.memoryPolicy.flags '.linux.memoryPolicy = {mode: "MPOL_BIND", nodes: "0", flags: ["NOSUCH"]}' 'linux.memoryPolicy.flags'
    refuses linux.memoryPolicy.mode '.linux.memoryPolicy = {mode: "NOSUCH"}'
    refuses linux.netDevices '.linux.netDevices = {"nosuch0": {"name": "in0"}}' 'linux.netDevices.*nosuch0'
    local rdt
    for rdt in 'closID: "x"' 'schemata: ["L3:0=f"]' 'l3CacheSchema: "L3:0=f"' 'memBwSchema: "MB:0=20"' 'enableMonitoring: true'; do
        refuses linux.intelRdt ".linux.intelRdt = {$rdt}"
    done
}

@test "fields: seccomp" {
    local all
    all=$(sed -nE 's/^#define __NR_([a-z0-9_]+) .*/\1/p' /usr/include/x86_64-linux-gnu/asm/unistd_64.h 2>/dev/null | grep -vE '^mkdir(at)?$' | jq -R . | jq -s .)
    [ "$(jq length <<<"${all:-[]}")" -gt 300 ] || skip "no list of system calls (libc6-dev)"
    seccomp() { printf '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW"} + %s' "$1"; }
    shows linux.seccomp.defaultAction '.linux.seccomp = {defaultAction: "SCMP_ACT_LOG"}' 'grep Seccomp: /proc/self/status' '2$'
    shows linux.seccomp.defaultErrnoRet "$(seccomp "{defaultAction: \"SCMP_ACT_ERRNO\", defaultErrnoRet: 28, syscalls: [{names: $all, action: \"SCMP_ACT_ALLOW\"}]}")" 'mkdir /tmp/a' 'No space left'
    refuses 'linux.seccomp.flags' "$(seccomp '{flags: ["NOSUCH"]}')"
    refuses 'linux.seccomp.architectures' "$(seccomp '{architectures: ["NOSUCH"]}')"
    refuses linux.seccomp.listenerPath "$(seccomp '{listenerPath: "/nope", listenerMetadata: "m", syscalls: [{names: ["mkdir"], action: "SCMP_ACT_NOTIFY"}]}')"
    shows 'linux.seccomp.syscalls[].errnoRet' "$(seccomp '{syscalls: [{names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 28}]}')" 'mkdir /tmp/b' 'No space left'
    shows 'linux.seccomp.syscalls[].action' "$(seccomp '{syscalls: [{names: ["mkdir"], action: "SCMP_ACT_KILL_PROCESS"}]}')" 'mkdir /tmp/c; echo $?' '^159$'
    # kill(pid, 0) alone is refused: index, value and op; signals with bit 2 alone: valueTwo.
    shows 'linux.seccomp.syscalls[].args[]' "$(seccomp '{syscalls: [{names: ["kill"], action: "SCMP_ACT_ERRNO", errnoRet: 28, args: [{index: 1, value: 0, op: "SCMP_CMP_EQ"}]}]}')" \
        'kill -0 1; kill -CONT 1 && echo sent' 'No space left'
    shows 'linux.seccomp.syscalls[].args[].valueTwo' "$(seccomp '{syscalls: [{names: ["kill"], action: "SCMP_ACT_ERRNO", errnoRet: 28, args: [{index: 1, value: 2, valueTwo: 2, op: "SCMP_CMP_MASKED_EQ"}]}]}')" \
        'kill -0 1 && echo zero; kill -CONT 1' '^zero'
}

@test "fields: resources" {
    local r='.linux.resources'
    shows linux.cgroupsPath ".linux.cgroupsPath = \"/${T##*/}/own\" | .linux.namespaces |= map(select(.type != \"cgroup\"))" 'cat /proc/self/cgroup' "/${T##*/}/own$"
    shows linux.resources.devices "$r.devices = [{allow: false, access: \"rwm\"}, {allow: true, type: \"c\", major: 1, minor: 7, access: \"rm\"}] | .linux.devices = [{type: \"c\", path: \"/dev/x\", major: 1, minor: 7}, {type: \"c\", path: \"/dev/y\", major: 10, minor: 229}]" \
        'head -c 2 /dev/x | wc -c; echo >/dev/x; head -c 0 /dev/y' 'not permitted'
    shows linux.resources.pids.limit "$r.pids = {limit: 77}" "$(limit_of pids/pids.max pids.max)" '^77$'
    shows linux.resources.memory.limit "$r.memory = {limit: 67108864}" "$(limit_of memory/memory.limit_in_bytes memory.max)" '^67108864$'
    shows linux.resources.memory.reservation "$r.memory = {reservation: 33554432}" "$(limit_of memory/memory.soft_limit_in_bytes memory.low)" '^33554432$'
    either linux.resources.memory.swap "$r.memory = {limit: 67108864, swap: 134217728}" "$(limit_of memory/memory.memsw.limit_in_bytes memory.swap.max)" '^(134217728|67108864)$'
    either linux.resources.memory.swappiness "$r.memory = {swappiness: 10}" 'cat /sys/fs/cgroup/memory/memory.swappiness' '^10$'
    either linux.resources.memory.disableOOMKiller "$r.memory = {limit: 67108864, disableOOMKiller: true}" 'cat /sys/fs/cgroup/memory/memory.oom_control' 'oom_kill_disable 1'
    either linux.resources.memory.useHierarchy "$r.memory = {useHierarchy: true}" 'cat /sys/fs/cgroup/memory/memory.use_hierarchy' '^1$'
    either linux.resources.memory.kernelTCP "$r.memory = {kernelTCP: 33554432}" 'cat /sys/fs/cgroup/memory/memory.kmem.tcp.limit_in_bytes' '^33554432$'
    shows linux.resources.cpu.shares "$r.cpu = {shares: 512}" "$(limit_of cpu/cpu.shares cpu.weight)" '^(512|20|[3-5][0-9])$'
    shows linux.resources.cpu.quota "$r.cpu = {quota: 50000, period: 100000}" "$(limit_of cpu/cpu.cfs_quota_us cpu.max)" '^50000'
    shows linux.resources.cpu.period "$r.cpu = {quota: 50000, period: 200000}" "$(limit_of cpu/cpu.cfs_period_us cpu.max)" '200000$'
    either linux.resources.cpu.burst "$r.cpu = {quota: 50000, period: 100000, burst: 10000}" "$(limit_of cpu/cpu.cfs_burst_us cpu.max.burst)" '^10000$'
    either linux.resources.cpu.realtimePeriod "$r.cpu = {realtimePeriod: 900000}" 'cat /sys/fs/cgroup/cpu/cpu.rt_period_us' '^900000$'
    either linux.resources.cpu.realtimeRuntime "$r.cpu = {realtimeRuntime: 1000}" 'cat /sys/fs/cgroup/cpu/cpu.rt_runtime_us' '^1000$'
    either linux.resources.cpu.idle "$r.cpu = {idle: 1}" "$(limit_of cpu/cpu.idle cpu.idle)" '^1$'
    shows linux.resources.cpu.cpus "$r.cpu = {cpus: \"0\"}" 'grep Cpus_allowed_list /proc/self/status' '[^-]0$'
    shows linux.resources.cpu.mems "$r.cpu = {mems: \"0\"}" 'grep Mems_allowed_list /proc/self/status' '0$'
    local at=major:9999
    at=$(lsblk -dnro MAJ:MIN,TYPE 2>/dev/null | awk '$2 == "disk" { print $1; exit }')
    local dev="{major: ${at%:*}, minor: ${at#*:}"
    either linux.resources.blockIO.weight "$r.blockIO = {weight: 300}" 'cat /sys/fs/cgroup/blkio/blkio.bfq.weight /sys/fs/cgroup/io.bfq.weight /sys/fs/cgroup/io.weight' '300'
    either linux.resources.blockIO.leafWeight "$r.blockIO = {leafWeight: 300}" 'cat /sys/fs/cgroup/blkio/blkio.leaf_weight' '^300'
    if [ -n "$at" ]; then
        local t
        for t in 'throttleReadBpsDevice read_bps rbps' 'throttleWriteBpsDevice write_bps wbps' 'throttleReadIOPSDevice read_iops riops' 'throttleWriteIOPSDevice write_iops wiops'; do
            read -ra t <<<"$t"
            either "linux.resources.blockIO.${t[0]}" "$r.blockIO = {${t[0]}: [$dev, rate: 123456}]}" "cat /sys/fs/cgroup/blkio/blkio.throttle.${t[1]}_device /sys/fs/cgroup/io.max" "$at.*123456"
        done
        either 'linux.resources.blockIO.weightDevice' "$r.blockIO = {weightDevice: [$dev, weight: 300, leafWeight: 300}]}" 'cat /sys/fs/cgroup/blkio/blkio.leaf_weight_device' "$at 300"
    fi
    either 'linux.resources.hugepageLimits' "$r.hugepageLimits = [{pageSize: \"2MB\", limit: 4194304}]" "$(limit_of hugetlb/hugetlb.2MB.limit_in_bytes hugetlb.2MB.max)" '^4194304$'
    either linux.resources.network.classID "$r.network = {classID: 1048577}" 'cat /sys/fs/cgroup/net_cls/net_cls.classid' '^1048577$'
    either 'linux.resources.network.priorities' "$r.network = {priorities: [{name: \"lo\", priority: 5}]}" 'cat /sys/fs/cgroup/net_prio/net_prio.ifpriomap' '^lo 5$'
    either linux.resources.rdma "$r.rdma = {nosuch0: {hcaHandles: 3, hcaObjects: 10}}" true 'no such device shows it'
    either linux.resources.unified "$r.unified = {\"pids.max\": \"66\"}" 'cat /sys/fs/cgroup/pids.max' '^66$'
    refuses linux.resources.unified "$r.unified = {\"../x\": \"66\"}"
}
