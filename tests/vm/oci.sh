# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# shellcheck disable=SC2154,SC2086,SC2016,SC2034 # names of the sourcing file; no spaces in ours; jq and inner shells
# brig-oci on cgroup v2: what the caller's resources become, and that the kernel obeys.

# bundle NAME FILTER ARGUMENTS...: config.json from `brig-oci spec`, changed by a jq filter. The busybox is its root.
bundle() {
    local name=$1 filter=$2 b=/run/disk/oci/$1
    shift 2
    if [ ! -d "$b/rootfs" ]; then
        mkdir -p "$b/rootfs/bin" "$b/rootfs"/{proc,dev,sys,tmp}
        cp /bin/busybox "$b/rootfs/bin/busybox"
        for tool in sh sleep cat echo tail mknod dd; do ln -s busybox "$b/rootfs/bin/$tool"; done
    fi
    [ -e /run/spec/config.json ] || (mkdir -p /run/spec && cd /run/spec && "$OCI" spec)
    # shellcheck disable=SC2016
    jq '.process.terminal = false | .root.readonly = false | .process.args = $ARGS.positional
        | .linux.cgroupsPath = "/vm/'"$name"'" | '"$filter" --args -- "$@" </run/spec/config.json >"$b/config.json"
}
oci() { "$OCI" --root /run/oci "$@"; }
start() { oci run -d --bundle "/run/disk/oci/$1" "$1" </dev/null >/run/oci.out 2>&1 || { cat /run/oci.out && return 1; }; }
gone() { oci delete --force "$1" && [ ! -e "$cg/vm/$1" ]; }

oci_resources() {
    local f=$cg/vm/res
    bundle res '.linux.resources = { memory: { limit: 33554432, swap: 67108864, reservation: 16777216 },
        cpu: { shares: 1024, quota: 20000, period: 50000, cpus: "0", burst: 1000 }, pids: { limit: 50 },
        blockIO: { throttleReadBpsDevice: [ { major: '"$(($(stat -c 0x%t /dev/vda)))"', minor: 0, rate: 1048576 } ] },
        unified: { "memory.high": "30000000", "cpu.weight": "77" } }' sleep 1000
    start res
    same 33554432 "$(cat $f/memory.max)" memory.max
    [ ! -e $f/memory.swap.max ] || same 33554432 "$(cat $f/memory.swap.max)" memory.swap.max
    same 16777216 "$(cat $f/memory.low)" memory.low
    same "20000 50000" "$(cat $f/cpu.max)" cpu.max
    same 1000 "$(cat $f/cpu.max.burst)" cpu.max.burst
    same 0 "$(cat $f/cpuset.cpus)" cpuset.cpus
    same 50 "$(cat $f/pids.max)" pids.max
    same "$((30000000 / 4096 * 4096))" "$(cat $f/memory.high)" memory.high
    same 77 "$(cat $f/cpu.weight)" 'cpu.weight, which unified sets last'
    has "$(cat $f/io.max)" 'rbps=1048576'
    same 1 "$(wc -l <$f/cgroup.procs)" processes
}

oci_refuses() {
    local out one
    for one in 'memory: { swappiness: 10 }|linux.resources.memory.swappiness' 'memory: { kernel: 1000000 }|linux.resources.memory.kernel' \
        'cpu: { realtimeRuntime: 5 }|linux.resources.cpu.realtimeRuntime' 'network: { classID: 5 }|linux.resources.network.classID' \
        'unified: { "no.such": "1" }|linux.resources.unified\["no.such"\]' 'unified: { "pids.max": "x" }|linux.resources.unified\["pids.max"\]' \
        'memory: { swap: 1000000 }|linux.resources.memory.swap'; do
        bundle bad ".linux.resources = { ${one%%|*} }" sleep 1000
        out=$(oci run --bundle /run/disk/oci/bad bad 2>&1) && { echo "ran with ${one%%|*}" && return 1; }
        has "$out" "${one##*|}"
        [ ! -e $cg/vm/bad ]
    done
}

# /dev/kmsg is no standard device; the root may make the node, and the program says whether it may be opened.
oci_devices() {
    # shellcheck disable=SC2016
    local look='mknod /tmp/k c 1 11; cat /dev/null && echo null; dd if=/tmp/k of=/dev/null count=0 2>/dev/null && echo reads; (: > /tmp/k) 2>/dev/null && echo writes; true'
    local caps='.process.capabilities |= with_entries(.value += ["CAP_MKNOD", "CAP_SYSLOG"])'
    bundle dev "$caps"' | .linux.resources.devices = [ { allow: false, access: "rwm" } ]' sh -c "$look"
    same null "$(oci run --bundle /run/disk/oci/dev dev | tr '\n' ' ' | sed 's/ $//')" 'all denied'
    bundle dev "$caps"' | .linux.resources.devices = [ { allow: false, access: "rwm" }, { allow: true, type: "c", major: 1, minor: 11, access: "r" } ]' \
        sh -c "$look"
    same "null reads" "$(oci run --bundle /run/disk/oci/dev dev | tr '\n' ' ' | sed 's/ $//')" 'reading allowed'
    bundle dev "$caps"' | .linux.resources.devices = [ { allow: true, access: "rwm" } ]' sh -c "$look"
    same "null reads writes" "$(oci run --bundle /run/disk/oci/dev dev | tr '\n' ' ' | sed 's/ $//')" 'all allowed'
}

oci_memory() {
    local r=0
    bundle eats '.linux.resources = { memory: { limit: 16777216, swap: 16777216 } }' tail -c 100m /dev/zero
    oci run --bundle /run/disk/oci/eats eats || r=$?
    same 137 $r 'exit code'
}

oci_sub_cgroups() {
    bundle sub . sleep 1000
    start sub
    mkdir -p $cg/vm/sub/a/b
    cat $cg/vm/sub/cgroup.procs >$cg/vm/sub/a/b/cgroup.procs
    gone sub
}

oci_controls() {
    local f=$cg/vm/res
    oci pause res
    has "$(cat $f/cgroup.events)" '^frozen 1'
    has "$(oci state res)" '"status": *"paused"'
    oci resume res
    has "$(cat $f/cgroup.events)" '^frozen 0'
    echo '{ "memory": { "limit": 41943040, "swap": 83886080 }, "pids": { "limit": -1 } }' | oci update --resources - res
    same 41943040 "$(cat $f/memory.max)" memory.max
    same max "$(cat $f/pids.max)" pids.max
    same 41943040 "$(oci events --stats res | jq .data.memory.usage.limit)" 'events --stats'
    same 1 "$(oci ps --format json res | jq length)" ps
    oci exec res cat /proc/self/cgroup
}

oci_tests() {
    mkdir -p /run/disk/oci
    try "brig-oci: resources become cgroup v2's files" oci_resources
    if oci help 2>&1 | grep -qw events && oci help 2>&1 | grep -qw update; then
        try "brig-oci: pause, resume, update, events, ps and exec" oci_controls
    else
        skip "brig-oci: pause, resume, update, events, ps and exec" "this brig-oci does not have them"
    fi
    try "brig-oci: delete ends it and removes its cgroup" gone res
    try "brig-oci: what cgroup v2 lacks is an error with its name, and leaves nothing" oci_refuses
    try "brig-oci: the kernel obeys the program made of device rules" oci_devices
    try "brig-oci: memory.max is enforced" oci_memory
    try "brig-oci: delete reaches processes in folders below" oci_sub_cgroups
}

# A profile of our own: all is allowed but reading one folder and making sockets.
oci_apparmor_tests() {
    cat >/run/profile <<'EOP'
#include <tunables/global>
profile brig-vm-test flags=(attach_disconnected,mediate_deleted) {
  capability,
  file,
  network,
  mount,
  umount,
  pivot_root,
  signal,
  ptrace,
  unix,
  deny /secret/** r,
  deny network inet,
}
EOP
    if ! apparmor_parser -r -K /run/profile >/run/parser.out 2>&1; then
        ok "AppArmor: the test's profile is loaded" 1
        sed 's/^/# /' /run/parser.out
        return
    fi
    ok "AppArmor: the test's profile is loaded" 0
    try "AppArmor: the profile is enforced, a refused access is in the kernel's log" apparmor_refuses
    try "AppArmor: an unknown profile stops the start" apparmor_unknown
}

apparmor_refuses() {
    local b=/run/disk/oci/aa out
    bundle aa '.process.apparmorProfile = "brig-vm-test"' sh -c 'cat /proc/self/attr/current /open/x; cat /secret/x'
    mkdir -p $b/rootfs/{secret,open}
    echo told | tee $b/rootfs/secret/x >$b/rootfs/open/x
    out=$(oci run --bundle $b aa 2>&1) || true
    has "$out" '^brig-vm-test \(enforce\)'
    same 1 "$(grep -c told <<<"$out")" 'the file that may be read'
    has "$out" "can't open '/secret/x': Permission denied"
    # Without the profile it may.
    bundle aa . sh -c 'cat /open/x; cat /secret/x'
    same 2 "$(oci run --bundle $b aa 2>&1 | grep -c told)" 'without a profile'
    bundle aa '.process.apparmorProfile = "brig-vm-test"' sh -c 'cat /secret/x'
    sed -i 's/deny \/secret/audit deny \/secret/' /run/profile
    apparmor_parser -r -K /run/profile
    oci run --bundle $b aa || true
    soon has "$(dmesg)" 'apparmor="DENIED" .*profile="brig-vm-test" name="/secret/x"'
}

apparmor_unknown() {
    local out
    bundle aa '.process.apparmorProfile = "no-such-profile"' sleep 1
    out=$(oci run --bundle /run/disk/oci/aa aa 2>&1) && return 1
    has "$out" 'no-such-profile'
}
