#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# brig-oci as podman's runtime, as root and as an ordinary user, beside the runtime that podman takes by itself.
# shellcheck disable=SC2016,SC2030,SC2031

load lib
load oci_callers

setup_file() {
    need_podman || return 0
    oci_setup
    mkdir -m 0700 "$T/xdg"
    # What podman asks for by default is above this machine's limits where root has no CAP_SYS_RESOURCE.
    cat >"$T/containers.conf" <<-EOF
	[containers]
	default_ulimits = ["nofile=1024:1024", "nproc=2048:2048"]
	[engine]
	cgroup_manager = "cgroupfs"
	events_logger = "file"
	infra_image = "localhost/infra"
	runtime_supports_json = ["brig-oci", "crun", "runc"]
	EOF
    podman import --change 'CMD ["/bin/sh"]' "$(tiny_layer)" localhost/tiny >"$T/import.log" 2>&1 || {
        cat "$T/import.log" >&2
        return 1
    }
    podman import --change 'CMD ["/bin/sleep", "1000"]' "$(tiny_layer)" localhost/infra >>"$T/import.log" 2>&1
}

teardown_file() {
    [ -n "${T:-}" ] || return 0
    podman rm -af -t 0 >/dev/null 2>&1 || true
    [ "$MODE" = root ] || podman unshare rm -rf "$T/storage" 2>/dev/null || true
    umount -l "$T/storage/overlay" 2>/dev/null || true
    rm -rf "$T"
}

setup() { need_podman || skip "podman is not installed"; }

teardown() {
    if [ -n "${T:-}" ]; then
        podman pod rm -af -t 0 >/dev/null 2>&1 || true
        podman rm -af -t 0 >/dev/null 2>&1 || true
    fi
}

need_podman() { command -v podman >/dev/null; }

# podman with the runtime in RUNTIME (brig-oci when there is none).
podman() {
    CONTAINERS_CONF=$T/containers.conf XDG_RUNTIME_DIR=$T/xdg timeout --foreground -k 5 60 podman --root "$T/storage" \
        --runroot "$T/run" --tmpdir "$T/tmp" --runtime "${RUNTIME:-$OCI}" "$@"
}

# The same answer from brig-oci and from podman's own default, where that runs here.
both() {
    local ours theirs
    ours=$("$@" 2>&1) || fail "with brig-oci: $ours"
    if [ "$MODE" = root ] && command -v runc >/dev/null; then
        theirs=$(RUNTIME=runc "$@" 2>&1) || fail "with runc: $theirs"
        assert_eq "$ours" "$theirs" "runc answers otherwise"
    fi
    output=$ours
}

@test "run: ids, environment, capabilities, seccomp and exit code as with podman's own runtime" {
    # shellcheck disable=SC2016
    both podman run --rm --network none --hostname h localhost/tiny sh -c 'id; env | sort; hostname; pwd; umask; grep -E "Cap|NoNew|Seccomp" /proc/self/status'
    assert_line '^HOME=/root$'
    assert_line '^Seccomp:.*2'
    run podman run --rm --network none localhost/tiny sh -c 'exit 9'
    assert_exit 9
}

@test "run: mounts, masked and read-only paths, devices as with podman's own runtime" {
    both podman run --rm --network none --read-only --tmpfs /x:size=1m -v "$T/containers.conf:/c:ro" localhost/tiny sh -c \
        'awk "{ print \$5 }" /proc/self/mountinfo | sort; find /dev | sort; cat /c >/dev/null && touch /x/a; wc -c </proc/keys
         touch /c /etc/a 2>&1; touch /proc/sys/kernel/hostname 2>&1; echo end'
    assert_line '^0$'
    assert_line '/etc/a: Read-only file system'
    assert_line '/c: Read-only file system'
}

@test "the words for a program that is missing, and the exit codes 127 and 126" {
    run -127 podman run --rm --network none localhost/tiny nope
    assert_exit 127
    assert_line 'executable file not found in \$PATH'
    run podman run --rm --network none localhost/tiny /etc
    assert_exit 126
    assert_line 'permission denied'
}

@test "exec, with and without a terminal; exit code; a program that is missing" {
    podman run -d --name web --network none localhost/tiny sleep 100
    run podman exec web sh -c 'cat /proc/1/comm; exit 4'
    assert_exit 4
    assert_line '^sleep$'
    run on_terminal "$(declare -f podman); podman exec -it web tty"
    assert_ok
    assert_line '/dev/pts/0'
    run -127 podman exec web nope
    assert_exit 127
}

@test "a terminal of its own" {
    run on_terminal "$(declare -f podman); podman run --rm -it --network none localhost/tiny sh -c 'tty; test -t 0 && echo yes'"
    assert_ok
    assert_line '/dev/(pts/0|console)'
    assert_line 'yes'
}

@test "stop: the signal reaches the program, then SIGKILL" {
    podman run -d --name trap --network none localhost/tiny sh -c 'trap "exit 3" TERM; while :; do sleep 0.1; done'
    sleep 0.3
    run podman stop -t 20 trap
    assert_ok
    assert_eq "$(podman inspect --format '{{.State.ExitCode}}' trap)" 3
    podman run -d --name deaf --network none localhost/tiny sleep 100
    run podman stop -t 0 deaf
    assert_ok
    assert_eq "$(podman inspect --format '{{.State.ExitCode}}' deaf)" 137
}

@test "pause, unpause, top, stats" {
    need_root
    podman run -d --name web --network none localhost/tiny sleep 100
    podman pause web
    assert_eq "$(podman inspect --format '{{.State.Status}}' web)" paused
    run grep -E '^State:.*(frozen|D )' "/proc/$(podman inspect --format '{{.State.Pid}}' web)/status"
    podman unpause web
    assert_eq "$(podman inspect --format '{{.State.Status}}' web)" running
    run podman top web
    assert_line 'sleep 100'
    run podman stats --no-stream --format '{{.PIDs}} {{.MemUsage}}' web
    assert_ok
    assert_line '^1 [1-9]'
}

@test "limits are in force" {
    need_root
    podman run -d --name web --network none --memory 64m --pids-limit 33 --cpus 0.5 localhost/tiny sleep 100
    local pid path
    pid=$(podman inspect --format '{{.State.Pid}}' web)
    if path=$(grep -E '^[0-9]+:memory:' "/proc/$pid/cgroup"); then
        assert_eq "$(cat "/sys/fs/cgroup/memory${path##*:}/memory.limit_in_bytes")" 67108864
        path=$(grep -E '^[0-9]+:pids:' "/proc/$pid/cgroup")
        assert_eq "$(cat "/sys/fs/cgroup/pids${path##*:}/pids.max")" 33
    else
        path=$(grep '^0::' "/proc/$pid/cgroup")
        assert_eq "$(cat "/sys/fs/cgroup${path##*:}/memory.max")" 67108864
        assert_eq "$(cat "/sys/fs/cgroup${path##*:}/pids.max")" 33
    fi
    run podman run --rm --network none --pids-limit 8 localhost/tiny sh -c 'for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 1 & done; wait'
    assert_line 'fork|Resource temporarily unavailable'
}

@test "a pod: play kube, two containers that share a network, and its end" {
    cat >"$T/pod.yaml" <<-EOF
	apiVersion: v1
	kind: Pod
	metadata: {name: pod1}
	spec:
	  hostNetwork: true
	  containers:
	  - {name: one, image: localhost/tiny, command: [sleep, "100"]}
	  - {name: two, image: localhost/tiny, command: [sleep, "100"]}
	EOF
    run podman play kube "$T/pod.yaml"
    assert_ok
    assert_eq "$(podman ps --format '{{.Names}} {{.Status}}' | grep -c 'pod1-.* Up')" 2
    assert_eq "$(podman exec pod1-one readlink /proc/self/ns/uts)" "$(podman exec pod1-two readlink /proc/self/ns/uts)"
    run podman pod rm -f -t 0 pod1
    assert_ok
    assert_eq "$(podman ps -aq)" ""
}

@test "with a user namespace from podman: ids on disk and inside" {
    need_root
    # What podman cannot set up here is no matter of the runtime's; its own runtime tells.
    if ! RUNTIME=runc podman run --rm --network none --uidmap 0:200000:2000 --gidmap 0:200000:2000 localhost/tiny true 2>"$T/why"; then
        skip "podman cannot map ids here: $(tail -1 "$T/why")"
    fi
    both podman run --rm --network none --uidmap 0:200000:2000 --gidmap 0:200000:2000 localhost/tiny sh -c \
        'cat /proc/self/uid_map; id; touch /new; stat -c "%u %g" /new /etc; mount | grep -c sysfs'
    assert_line '0 +200000 +2000'
}

@test "nothing of a container is left after rm" {
    local id
    id=$(podman run -d --network none localhost/tiny sleep 100)
    podman rm -f -t 0 "$id"
    run find /run/brig-oci "$T/xdg/brig-oci" "/tmp/brig-oci-$(id -u)" -name "$id"
    assert_eq "$(grep -vE 'No such file|Permission denied' <<<"$output")" ""
    assert_eq "$(find /sys/fs/cgroup -type d -name "*$id*" 2>/dev/null)" ""
    run grep -F "$id" /proc/self/mountinfo
    assert_exit 1
}
