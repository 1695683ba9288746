#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# brig-oci checkpoint and restore. The round trips need a criu that works on this kernel: BRIG_TEST_CRIU names one, else the
# installed one is asked; on Debian's own kernel they run in tests/vm/criu.sh.

# shellcheck disable=SC2016,SC2034,SC2045
load lib
load oci
setup_file() {
    oci_setup
    CRIU=${BRIG_TEST_CRIU:-$(command -v criu || true)}
    export CRIU
}
teardown_file() { oci_teardown; }
setup() {
    TT=$(mktemp -d "$T/t-XXXXXX")
    chmod 0755 "$TT"
    export TT
}
teardown() {
    local id
    for id in $(ls "$STATES" 2>/dev/null); do oci delete -f "$id" || true; done
    oci_no_cgroups
}

need_criu() {
    need_root
    [ -n "$CRIU" ] || skip "criu is not installed"
    timeout 30 "$CRIU" check >/dev/null 2>&1 || skip "criu check fails on this kernel"
}

# A bundle that counts into $TT/vol/now.
counter() {
    mkdir -p "$TT/vol"
    bundle b "$(runs 'i=0; while :; do i=$((i+1)); echo $i >/vol/n; mv /vol/n /vol/now; sleep 0.1; done')" \
        '.root.path = env.TT + "/rootfs"' '.mounts += [{destination: "/vol", type: "bind", source: (env.TT + "/vol"), options: ["bind", "nosuid"]}]' "$@"
    cp -a "$T/rootfs" "$TT/rootfs"
}
past() {
    local i
    for i in $(seq 100); do
        [ "$(cat "$TT/vol/now" 2>/dev/null || echo 0)" -le "$1" ] || return 0
        sleep 0.1
    done
    fail "it does not count past $1"
}

@test "checkpoint and restore: what cannot be is refused by its name, and nothing changes" {
    need_root
    b=$(counter)
    oci run -d -b "$b" one </dev/null >/dev/null 2>&1
    run oci --criu /nonexistent checkpoint --image-path "$TT/img" one
    assert_exit 1
    assert_line '--criu /nonexistent: is no absolute path of a program'
    for option in --lazy-pages --page-server=1.2.3.4:5 --status-fd=3; do
        run oci checkpoint "$option" --image-path "$TT/img" one
        assert_exit 1
        assert_line "${option%%=*}: "
    done
    run oci checkpoint --manage-cgroups-mode nope --image-path "$TT/img" one
    assert_exit 1
    assert_line 'unknown --manage-cgroups-mode "nope"'
    run oci checkpoint --empty-ns user --image-path "$TT/img" one
    assert_exit 1
    assert_line 'only network can be'
    run oci checkpoint --image-path "$TT/img" nobody
    assert_exit 1
    assert_line 'container "nobody" does not exist'
    [ ! -e "$TT/img" ]
    [ "$(oci_status one)" = running ]
    oci create -b "$b" two </dev/null 2>/dev/null || true
    run oci --criu /bin/true restore -b "$b" --image-path "$TT/none" three
    assert_exit 1
    assert_line 'none: No such file'
    mkdir "$TT/empty"
    run oci --criu /bin/true restore -b "$b" --image-path "$TT/empty" three
    assert_exit 1
    assert_line 'no whole checkpoint'
    run oci --criu /bin/true restore --no-pivot -b "$b" --image-path "$TT/empty" three
    assert_exit 1
    assert_line '--no-pivot'
    run oci state three
    assert_exit 1
}

@test "checkpoint: a criu that does not know this kernel is told with what it says" {
    need_root
    b=$(counter)
    oci run -d -b "$b" one </dev/null >/dev/null 2>&1
    past 2
    printf '#!/bin/sh\necho "Error (vdso.c:1): no such kernel" >&2\nexit 1\n' >"$TT/criu"
    chmod +x "$TT/criu"
    run oci --criu "$TT/criu" checkpoint --image-path "$TT/img" one
    assert_exit 1
    assert_line 'criu cannot work on this kernel: .*no such kernel.*; criu check --all tells more'
    [ "$(oci_status one)" = running ]
    [ ! -e "$TT/img/descriptors.json" ]
    # One that fails for another reason: its log is named, with its last errors.
    printf '#!/bin/sh\n[ "$1" != check ] || exit 0\n[ "$1" != --version ] || { echo "Version: 4.2"; exit; }\nwhile [ "$1" != --work-dir ]; do shift; done\necho "(0.1) Error (mem.c:7): it is full" >"$2/dump.log"\nexit 1\n' >"$TT/criu"
    run oci --criu "$TT/criu" checkpoint --image-path "$TT/img" one
    assert_exit 1
    assert_line "criu failed, see $TT/img/dump.log: Error .mem.c:7.: it is full"
    past "$(cat "$TT/vol/now")"
}

@test "checkpoint: as an ordinary user it says that it needs root" {
    [ "$MODE" = user ] || skip "is about users"
    b=$(bundle b "$(runs 'exec sleep 30')")
    oci run -d -b "$b" one </dev/null >/dev/null 2>&1
    run oci checkpoint --image-path "$TT/img" one
    assert_exit 1
    [ ! -e "$TT/img" ]
}

@test "checkpoint and restore: it counts on, with all walls; without one of them nothing is left" {
    need_criu
    b=$(counter '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["bpf"], action: "SCMP_ACT_ERRNO"}]}')
    oci run -d -b "$b" one </dev/null >/dev/null 2>&1
    past 3
    grep -E '^(Uid|Cap|NoNew|Seccomp)' "/proc/$(oci state one | jq .pid)/status" >"$TT/before"
    oci --criu "$CRIU" checkpoint --image-path "$TT/img" one
    run oci state one
    assert_exit 1
    at=$(cat "$TT/vol/now")
    jq '.linux.seccomp.syscalls[0].names += ["mount"]' "$b/config.json" >"$TT/c" && cp "$b/config.json" "$TT/kept" && cp "$TT/c" "$b/config.json"
    run oci --criu "$CRIU" restore -d -b "$b" --image-path "$TT/img" one </dev/null
    assert_exit 1
    assert_line 'a wall does not stand: linux.seccomp: the filter of process'
    oci_no_cgroups
    [ "$(cat "$TT/vol/now")" = "$at" ]
    cp "$TT/kept" "$b/config.json"
    oci --criu "$CRIU" restore -d -b "$b" --image-path "$TT/img" --pid-file "$TT/pid" one </dev/null >/dev/null 2>&1
    past "$at"
    [ "$(oci state one | jq .pid)" = "$(cat "$TT/pid")" ]
    grep -E '^(Uid|Cap|NoNew|Seccomp)' "/proc/$(cat "$TT/pid")/status" >"$TT/after"
    diff "$TT/before" "$TT/after"
    oci kill one KILL
    oci_await one stopped
    oci delete one
}
