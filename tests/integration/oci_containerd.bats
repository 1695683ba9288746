#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# brig-oci below containerd's shim, as Kubernetes uses it too, beside runc. The daemon's folders and sockets are below $T.
# shellcheck disable=SC2016,SC2030,SC2031

load lib
load oci_callers

setup_file() {
    need_containerd || return 0
    oci_setup
    cat >"$T/config.toml" <<-EOF
	version = 2
	root = "$T/root"
	state = "$T/state"
	disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.snapshotter.v1.devmapper"]
	[grpc]
	address = "$T/sock"
	[ttrpc]
	address = "$T/sock.ttrpc"
	[plugins."io.containerd.internal.v1.opt"]
	path = "$T/opt"
	EOF
    timeout 600 containerd -c "$T/config.toml" >"$T/containerd.log" 2>&1 3>&- &
    echo $! >"$T/pid"
    wait_for 30 ctr version || {
        tail -20 "$T/containerd.log" >&2
        return 1
    }
    tar -cf "$T/tiny.tar" -C "$(test_image tiny)" .
    ctr image import --base-name tiny "$T/tiny.tar" >/dev/null
    IMAGE=$(ctr image ls -q | head -1)
    export IMAGE
}

teardown_file() {
    [ -n "${T:-}" ] || return 0
    remove_tasks || true
    end_process "$T/pid"
    rm -rf "$T"
}

setup() {
    need_root
    need_containerd || skip "containerd is not installed"
}
teardown() { [ -z "${T:-}" ] || remove_tasks; }

need_containerd() { [ "$MODE" = root ] && command -v containerd >/dev/null && command -v ctr >/dev/null; }
ctr() { timeout --foreground -k 5 60 ctr -a "$T/sock" "$@"; }
remove_tasks() {
    local id
    for id in $(ctr containers ls -q); do
        ctr task rm -f "$id" >/dev/null 2>&1 || true
        ctr containers rm "$id" >/dev/null 2>&1 || true
    done
}
crun_it() { ctr run --runc-binary "${RUNTIME:-$OCI}" --runc-root "$T/states" "$@"; }

both() {
    local ours theirs
    ours=$("$@" 2>&1) || fail "with brig-oci: $ours"
    theirs=$(RUNTIME=runc "$@" 2>&1) || fail "with runc: $theirs"
    assert_eq "$ours" "$theirs" "runc answers otherwise"
    output=$ours
}

@test "ctr run: the program sees what it sees with runc" {
    # shellcheck disable=SC2016
    both crun_it --rm --env A=b --cwd /tmp "$IMAGE" one sh -c 'id; env | sort; pwd; umask; hostname; grep -E "Cap|NoNew|Seccomp" /proc/self/status
        awk "{ print \$5 }" /proc/self/mountinfo | sort; find /dev | sort; cut -d: -f2- /proc/self/cgroup'
    assert_line '^A=b$'
    assert_line '^HOME=/root$'
}

@test "ctr run: exit code, a missing program, a terminal" {
    run crun_it --rm "$IMAGE" one sh -c 'exit 6'
    assert_exit 6
    run crun_it --rm "$IMAGE" two nope
    [ "$status" != 0 ]
    assert_line 'executable file not found in \$PATH'
    run on_terminal "$(declare -f ctr crun_it); crun_it --rm -t '$IMAGE' three sh -c 'tty; test -t 0 && echo yes'"
    assert_ok
    assert_line '/dev/pts/0'
    assert_line yes
}

@test "ctr task: exec, ps, pause, resume, metrics, kill, delete" {
    crun_it -d "$IMAGE" web sleep 100
    local pid
    pid=$(ctr task ls | awk '$1 == "web" { print $2 }')
    assert_eq "$(tr '\0' ' ' <"/proc/$pid/cmdline")" "sleep 100 "
    run ctr task exec --exec-id e1 web sh -c 'cat /proc/1/comm; exit 3'
    assert_exit 3
    assert_line '^sleep$'
    run ctr task exec --exec-id e2 web nope
    assert_line 'executable file not found in \$PATH'
    run ctr task ps web
    assert_line "^$pid"
    ctr task pause web
    run ctr task ls
    assert_line 'web.*PAUSED'
    ctr task resume web
    run ctr task ls
    assert_line 'web.*RUNNING'
    run ctr task metrics web
    assert_line 'memory.*[1-9]'
    ctr task kill -s KILL web
    wait_for 10 process_ended "$pid"
    run ctr task rm web
    assert_line 'non-zero exit code 137'
    oci_nothing_left "$T/states/default"
}

@test "limits that ctr asks for are in force" {
    crun_it -d --memory-limit 33554432 --cpu-quota 50000 --cpu-period 100000 "$IMAGE" web sleep 100
    local pid path
    pid=$(ctr task ls | awk '$1 == "web" { print $2 }')
    if path=$(grep -E '^[0-9]+:memory:' "/proc/$pid/cgroup"); then
        assert_eq "$(cat "/sys/fs/cgroup/memory${path##*:}/memory.limit_in_bytes")" 33554432
        path=$(grep -E '^[0-9]+:([a-z]+,)?cpu(,|:)' "/proc/$pid/cgroup")
        assert_eq "$(cat "/sys/fs/cgroup/cpu${path##*:}/cpu.cfs_quota_us")" 50000
    else
        path=$(grep '^0::' "/proc/$pid/cgroup")
        assert_eq "$(cat "/sys/fs/cgroup${path##*:}/memory.max")" 33554432
    fi
}

@test "the calls of the shim, as Kubernetes' kubelet has them made for a pod: sandbox, container in its namespaces, exec, end" {
    crun_it -d "$IMAGE" sandbox sleep 100
    local pid
    pid=$(ctr task ls | awk '$1 == "sandbox" { print $2 }')
    crun_it -d --with-ns "network:/proc/$pid/ns/net" --with-ns "ipc:/proc/$pid/ns/ipc" "$IMAGE" main sleep 100
    assert_eq "$(ctr task exec --exec-id e1 main readlink /proc/self/ns/net)" "$(readlink "/proc/$pid/ns/net")"
    assert_eq "$(ctr task exec --exec-id e2 main readlink /proc/self/ns/ipc)" "$(readlink "/proc/$pid/ns/ipc")"
    [ "$(ctr task exec --exec-id e3 main readlink /proc/self/ns/uts)" != "$(readlink "/proc/$pid/ns/uts")" ]
    ctr task rm -f main sandbox
}
