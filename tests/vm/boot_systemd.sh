# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# shellcheck disable=SC2154,SC2046,SC2086,SC2016,SC2034 # names of the sourcing file; no spaces in ours; jq and inner shells
# A real systemd as pid 1: --systemd-cgroup.

# shellcheck source=tests/vm/oci.sh
. "$brig_tests/oci.sh"

soci() { "$OCI" --root /run/oci --systemd-cgroup "$@"; }
# sbundle NAME CGROUPSPATH FILTER: one that sleeps.
sbundle() { bundle "$1" ".linux.cgroupsPath = \"$2\" | $3" sleep 1000; }
sstart() { soci run -d --bundle "/run/disk/oci/$1" "$1" </dev/null >/run/oci.out 2>&1 || { cat /run/oci.out && return 1; }; }
# prop UNIT NAME: what systemd itself says.
prop() { systemctl show -P "$2" "$1"; }

pid_one() { same systemd "$(cat /proc/1/comm)" && systemctl is-active dbus.service; }

scope() {
    local f=$cg/brigt.slice/brigt-sub.slice/lib-one.scope
    sbundle one brigt-sub.slice:lib:one '.linux.resources = { memory: { limit: 67108864, reservation: 33554432 }, pids: { limit: 50 },
        cpu: { shares: 2048, quota: 50000, period: 100000 } }'
    sstart one
    same active "$(prop lib-one.scope ActiveState)" ActiveState
    same brigt-sub.slice "$(prop lib-one.scope Slice)" Slice
    same yes "$(prop lib-one.scope Delegate)" Delegate
    same 67108864 "$(prop lib-one.scope MemoryMax)" MemoryMax
    same 33554432 "$(prop lib-one.scope MemoryLow)" MemoryLow
    same 50 "$(prop lib-one.scope TasksMax)" TasksMax
    same 500ms "$(prop lib-one.scope CPUQuotaPerSecUSec)" CPUQuotaPerSecUSec
    same "$(cat $f/cpu.weight)" "$(prop lib-one.scope CPUWeight)" CPUWeight
    same /brigt.slice/brigt-sub.slice/lib-one.scope "$(prop lib-one.scope ControlGroup)" ControlGroup
    same "0::/brigt.slice/brigt-sub.slice/lib-one.scope" "$(cat /proc/$(soci state one | jq .pid)/cgroup)" 'the process'
    same 67108864 "$(cat $f/memory.max)" memory.max
    same 50 "$(cat $f/pids.max)" pids.max
    same "50000 100000" "$(cat $f/cpu.max)" cpu.max
}

# What systemd is not told it would undo when it next writes its own values.
changes() {
    local f=$cg/brigt.slice/brigt-sub.slice/lib-one.scope
    soci update --memory 80m --pids-limit 60 one
    same $((80 << 20)) "$(cat $f/memory.max)" memory.max
    same $((80 << 20)) "$(prop lib-one.scope MemoryMax)" MemoryMax
    same 60 "$(prop lib-one.scope TasksMax)" TasksMax
    systemctl daemon-reload
    same $((80 << 20)) "$(cat $f/memory.max)" 'memory.max after a reload'
    same 60 "$(cat $f/pids.max)" 'pids.max after a reload'
    soci pause one
    has "$(cat $f/cgroup.events)" '^frozen 1'
    soci resume one
    has "$(soci exec one cat /proc/self/cgroup)" '^0::/'
    same 1 "$(soci ps --format json one | jq length)" ps
}

ends() {
    soci kill one KILL
    soon has_status one stopped
    soci delete one
    [ ! -e $cg/brigt.slice/brigt-sub.slice/lib-one.scope ]
    soon forgotten lib-one.scope
    # And at once again by the same name.
    sstart one
    soci delete --force one
    [ ! -e $cg/brigt.slice/brigt-sub.slice/lib-one.scope ]
    soon forgotten lib-one.scope
}
has_status() { [ "$(soci state "$1" | jq -r .status)" = "$2" ]; }
forgotten() { [ "$(systemctl show -P LoadState "$1")" = not-found ]; }

names() {
    sbundle two :lib:two .
    sstart two
    same system.slice "$(prop lib-two.scope Slice)" 'the slice when none is given'
    soci delete --force two
    sbundle two brigt.slice::two .
    sstart two
    same active "$(prop two.scope ActiveState)" 'without a prefix'
    soci delete --force two
    local out
    sbundle two nonsense .
    out=$(soci run -d --bundle /run/disk/oci/two two 2>&1 </dev/null) && return 1
    has "$out" 'cgroupsPath'
    sbundle two 'a/b.slice:lib:two' .
    out=$(soci run -d --bundle /run/disk/oci/two two 2>&1 </dev/null) && return 1
    same "" "$(soci list -q)" containers
}

# A program that cannot run, after the scope was made.
fails() {
    local out
    bundle bad '.linux.cgroupsPath = "brigt.slice:lib:bad"' /no/such/program
    out=$(soci run -d --bundle /run/disk/oci/bad bad 2>&1 </dev/null) && return 1
    has "$out" 'no/such/program'
    [ ! -e $cg/brigt.slice/lib-bad.scope ]
    soon forgotten lib-bad.scope
}

mkdir -p /run/disk/oci
try "systemd is pid 1, with its bus" pid_one
try "--systemd-cgroup: the scope has slice, Delegate and limits, for systemd and in the kernel" scope
try "--systemd-cgroup: update is told to systemd and outlives a reload; pause, resume, exec, ps" changes
try "--systemd-cgroup: delete frees the cgroup and the unit, and the name" ends
try "--systemd-cgroup: slices and names" names
try "--systemd-cgroup: a start that fails leaves no scope" fails
