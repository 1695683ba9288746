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

same_runtime() { if [ "$1" = ours ]; then echo "$OCI"; else echo runc; fi; }
same_run() { crun_it --rm "${@:1:$#-1}" "$IMAGE" same sh -c "${!#}"; }

@test "one set of containers, each with brig-oci and with containerd's own runtime: they say the same" {
    mkdir -p "$T/vol"
    echo word >"$T/vol/file"
    same_table same_run <<-EOF
	plain||
	?^status: CapEff:.*00000000a80425fb
	environment|--cwd /tmp --env A=b|
	?^env: A=b
	?^cwd: /tmp
	limits|--memory-limit 67108864 --cpus 0.5 --cpu-shares 300 --mount type=cgroup,src=cgroup,dst=/sys/fs/cgroup,options=ro:nosuid|
	?memory.limit_in_bytes 67108864|memory.max 67108864
	read-only|--read-only --mount type=bind,src=$T/vol,dst=/v,options=rbind:ro --mount type=tmpfs,dst=/x,options=nosuid|
	?^mount: / overlay ro
	capabilities|--cap-drop CAP_CHOWN --cap-add CAP_SYS_NICE|
	no capabilities kept from seccomp|--seccomp|
	?^status: Seccomp:.2
	names|--label a=b --annotation c.d=e --env EMPTY=|
	devices|--device /dev/fuse|
	host network|--net-host|ls /proc/self/ns | wc -l; readlink /proc/self/ns/net
	own cgroup|--cgroup /brig-test/one|cat /proc/self/cgroup
	?/brig-test/one
	new privileges allowed|--allow-new-privs|
	exit code||exit 42
	?^exit code 42
	killed||kill -9 \$\$
	EOF
    find /sys/fs/cgroup -maxdepth 2 -name brig-test -type d -exec rmdir {} +
}

# What is done with one container, told without what differs from time to time.
life() {
    local pid
    crun_it -d "$IMAGE" life sh -c 'trap "exit 5" TERM; sleep 1000 & wait' || return
    pid=$(ctr task ls | awk '$1 == "life" { print $2 }')
    ctr task exec --exec-id e1 life sh -c "exec 2>&1; $TELL"
    ctr task exec --exec-id e2 --user 1000:5 --cwd /tmp life sh -c 'id; pwd; grep -E "^Cap|^Seccomp" /proc/self/status'
    ctr task exec --exec-id e3 life sh -c 'exit 9'
    echo "exec told $?"
    ctr task exec --exec-id e4 life nope
    echo "exec told $?"
    ctr task ps life | wc -l
    ctr task pause life
    ctr task ls | awk '{ print $1, $3 }'
    ctr task exec --exec-id e5 life true
    ctr task resume life
    ctr task ls | awk '{ print $1, $3 }'
    ctr task metrics life | awk '{ print $1 }'
    echo "$(cat "/proc/$pid/oom_score_adj") $(readlink "/proc/$pid/root") $(stat -c %u:%g "/proc/$pid")"
    ctr task kill -s TERM life
    wait_for 10 process_ended "$pid"
    ctr task ls | awk '{ print $1, $3 }'
    ctr task rm life
    echo "rm told $?"
    ctr containers rm life
}

@test "a container's life with ctr, as with containerd's own runtime: exec, ps, pause, metrics, signals, delete" {
    same_begin
    same life life
    grep -q 'life PAUSED' "$SAID"
    same_end
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
