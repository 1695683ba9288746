# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# shellcheck disable=SC2154,SC2086,SC2016,SC2034 # names of the sourcing file; no spaces in ours; jq and inner shells
# The tests of containers that root and a user share. $base: where their cgroups are; $lane: root or user.

prefix=
[ "$lane" = user ] || prefix="root: "

# The cgroup of a container.
folder() {
    echo "$cg/$base/$("$BRIG" inspect -f '{{.Id}}' "$1")"
}

limits() {
    local f
    "$BRIG" run -d --name limits --memory 64m --memory-swap 96m --pids-limit 20 --cpus 0.5 --cpu-shares 512 $img sleep 1000
    f=$(folder limits)
    same $((64 << 20)) "$(cat "$f/memory.max")" memory.max
    same 20 "$(cat "$f/pids.max")" pids.max
    same "50000 100000" "$(cat "$f/cpu.max")" cpu.max
    same 1 "$(cat "$f/memory.oom.group")" memory.oom.group
    [ ! -e "$f/memory.swap.max" ] || same $((32 << 20)) "$(cat "$f/memory.swap.max")" memory.swap.max
    same 1 "$(wc -l <"$f/cgroup.procs")" processes
    same "0::/" "$("$BRIG" exec limits cat /proc/self/cgroup)" 'seen from inside'
}
try "${prefix}limits stand in cgroup v2's files" limits

posture() {
    same "landlock " "$(not_standing limits)" 'walls that do not stand'
    has "$("$BRIG" posture limits)" '^cgroup +stands .*memory.max=67108864.*pids.max=20'
    has "$("$BRIG" posture limits)" '^seccomp +stands'
}
try "${prefix}all walls stand but the part of landlock that was accepted" posture

takes_away() {
    local f
    f=$(folder limits)
    echo max >"$f/pids.max"
    has "$("$BRIG" posture limits)" 'pids.max is max, planned 20'
    echo 20 >"$f/pids.max"
}
[ "$lane" != root ] || try "${prefix}posture notices a limit that was taken away" takes_away

live() {
    local f
    f=$(folder limits)
    "$BRIG" update --memory 80m --pids-limit 30 limits
    same $((80 << 20)) "$(cat "$f/memory.max")" memory.max
    same 30 "$(cat "$f/pids.max")" pids.max
    "$BRIG" pause limits
    has "$(cat "$f/cgroup.events")" '^frozen 1'
    has "$("$BRIG" ps)" 'Paused'
    "$BRIG" unpause limits
    has "$(cat "$f/cgroup.events")" '^frozen 0'
    has "$("$BRIG" stats --no-stream limits)" '80.0MiB'
    "$BRIG" restart -t 1 limits
    f=$(folder limits)
    same $((80 << 20)) "$(cat "$f/memory.max")" 'memory.max after a restart'
    same "landlock " "$(not_standing limits)" 'walls that do not stand after a restart'
    "$BRIG" rm -f limits
    [ ! -e "$f" ]
}
try "${prefix}update, pause, stats, restart and rm use cgroup v2" live

memory() {
    local r=0
    "$BRIG" run --name eats --memory 16m $img sh -c 'tail -c 100m /dev/zero' || r=$?
    same 137 $r 'exit code'
    same true "$("$BRIG" inspect -f '{{.State.OOMKilled}}' eats)" OOMKilled
    "$BRIG" rm eats
}
try "${prefix}memory.max is enforced, and told" memory

tasks() {
    local out
    out=$("$BRIG" run --rm --pids-limit 8 $img sh -c 'i=0; while [ $i -lt 20 ]; do sleep 20 & i=$((i+1)); done' 2>&1 || true)
    has "$out" "can't fork"
}
try "${prefix}pids.max is enforced" tasks

cpu() {
    local f
    "$BRIG" run -d --name spins --cpus 0.1 $img sh -c 'while :; do :; done'
    f=$(folder spins)
    soon grep -qE '^nr_throttled [1-9]' "$f/cpu.stat"
    "$BRIG" rm -f spins
    [ ! -e "$f" ]
}
try "${prefix}cpu.max is enforced" cpu

forks() {
    local f
    "$BRIG" run -d --name forks --pids-limit 100 $img sh -c 'while :; do sleep 0.2 & done'
    f=$(folder forks)
    soon grep -qE '^([2-9].|1..)' "$f/pids.current"
    "$BRIG" rm -f forks
    [ ! -e "$f" ]
}
try "${prefix}one that forks without end dies by cgroup.kill" forks
