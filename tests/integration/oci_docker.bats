#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# brig-oci as dockerd's runtime, beside dockerd's own. The daemon lives in a mount and a network namespace of the test.
# shellcheck disable=SC2016,SC2030,SC2031

load lib
load oci_callers

setup_file() {
    need_docker || return 0
    oci_setup
    mkdir "$T/d"
    # The runtimes of Debian's dockerd: its own is runc, ours is the default.
    printf '{"default-runtime": "brig", "runtimes": {"brig": {"path": "%s"}}}\n' "$OCI" >"$T/daemon.json"
    # shellcheck disable=SC2016
    T=$T timeout 600 unshare --mount --net --propagation private bash -c '
        ip link set lo up
        exec dockerd --data-root "$T/d/data" --exec-root "$T/d/exec" --pidfile "$T/d/pid" -H "unix://$T/sock" \
            --config-file "$T/daemon.json" --iptables=false --ip-masq=false --userland-proxy=false' >"$T/dockerd.log" 2>&1 3>&- &
    wait_for 30 docker version || {
        tail -20 "$T/dockerd.log" >&2
        return 1
    }
    docker import --change 'CMD ["/bin/sh"]' "$(tiny_layer)" tiny >/dev/null
}

teardown_file() {
    [ -n "${T:-}" ] || return 0
    remove_containers || true
    end_process "$T/d/pid"
    rm -rf "$T"
}

setup() {
    need_root
    need_docker || skip "dockerd is not installed"
}
teardown() { [ -z "${T:-}" ] || remove_containers; }

need_docker() { [ "$MODE" = root ] && command -v dockerd >/dev/null && command -v docker >/dev/null; }
docker() { DOCKER_HOST=unix://$T/sock timeout --foreground -k 5 60 docker "$@"; }
remove_containers() {
    local ids
    ids=$(docker ps -aq)
    # shellcheck disable=SC2086
    [ -z "$ids" ] || docker rm -f $ids >/dev/null
}

gave_up() { [ "$(docker inspect --format '{{.RestartCount}} {{.State.Status}}' "$1")" = "2 exited" ]; }

# The same answer with brig-oci (the default here) and with runc.
both() {
    local ours theirs command=$1
    shift
    ours=$(docker "$command" --runtime brig "$@" 2>&1) || fail "with brig-oci: $ours"
    theirs=$(docker "$command" --runtime runc "$@" 2>&1) || fail "with runc: $theirs"
    assert_eq "$ours" "$theirs" "runc answers otherwise"
    output=$ours
}

@test "run: ids, environment, capabilities, seccomp, network as with runc" {
    # shellcheck disable=SC2016
    both run --rm --hostname h tiny sh -c 'id; env | sort; hostname; pwd; umask; grep -E "Cap|NoNew|Seccomp" /proc/self/status
        ls /sys/class/net; cat /proc/1/oom_score_adj; ulimit -n'
    assert_line '^HOME=/root$'
    assert_line '^Seccomp:.*2'
    assert_line '^eth0'
}

@test "run: mounts, devices, users, read-only root as with runc" {
    both run --rm --read-only --tmpfs /x -v "$T/daemon.json:/c:ro" -u 1000:5 -w /tmp tiny sh -c \
        'awk "{ print \$5 }" /proc/self/mountinfo | sort; find /dev 2>/dev/null | sort; cat /c; id; pwd; touch /y 2>&1; echo end'
    assert_line 'Read-only file system'
}

@test "exit codes, and the words for a program that is missing" {
    run docker run --rm tiny sh -c 'exit 7'
    assert_exit 7
    run -127 docker run --rm tiny nope
    assert_line 'executable file not found in \$PATH'
    run docker run --rm tiny /etc
    assert_exit 126
    assert_line 'permission denied'
}

@test "exec, with and without a terminal" {
    docker run -d --name web tiny sleep 100
    run docker exec -e A=b -u 1000 web sh -c 'id -u; echo $A; exit 5'
    assert_exit 5
    assert_line '^1000$'
    assert_line '^b$'
    run on_terminal "$(declare -f docker); docker exec -it web tty"
    assert_ok
    assert_line '/dev/pts/0'
    run docker exec web nope
    [ "$status" -ge 126 ]
    assert_line 'executable file not found in \$PATH'
    run bash -c "$(declare -f docker); echo word | docker exec -i web cat"
    assert_line '^word$'
}

@test "run with a terminal, whose size follows" {
    # docker tells the size once the container runs.
    run on_terminal "stty rows 33 cols 77; $(declare -f docker)
        docker run --rm -it tiny sh -c 'n=0; until [ \"\$(stty size)\" = \"33 77\" ] || [ \$((n += 1)) -gt 150 ]; do sleep 0.1; done; stty size'"
    assert_ok
    assert_line '33 77'
}

@test "restart, pause, top, stats, update" {
    docker run -d --name web tiny sleep 100
    local was path
    was=$(docker inspect --format '{{.State.Pid}}' web)
    docker restart -t 0 web
    [ "$(docker inspect --format '{{.State.Pid}}' web)" != "$was" ]
    docker pause web
    assert_eq "$(docker inspect --format '{{.State.Status}}' web)" paused
    docker unpause web
    run docker top web
    assert_line 'sleep 100'
    run docker stats --no-stream --format '{{.PIDs}} {{.MemUsage}}' web
    assert_line '^1 [1-9]'
    docker update --memory 64m --memory-swap 128m --cpus 0.5 web
    was=$(docker inspect --format '{{.State.Pid}}' web)
    if path=$(grep -E '^[0-9]+:memory:' "/proc/$was/cgroup"); then
        assert_eq "$(cat "/sys/fs/cgroup/memory${path##*:}/memory.limit_in_bytes")" 67108864
    else
        path=$(grep '^0::' "/proc/$was/cgroup")
        assert_eq "$(cat "/sys/fs/cgroup${path##*:}/memory.max")" 67108864
    fi
}

@test "memory that runs out is told as such" {
    run docker run --rm --memory 8m --memory-swap 8m tiny dd if=/dev/zero of=/dev/null bs=64M count=1
    assert_exit 137
    # The shim hears of it apart from the end of the first process, and may lose when both come at once: here that one lives on.
    docker run -d --name oom --memory 8m --memory-swap 8m tiny sh -c 'dd if=/dev/zero of=/dev/null bs=64M count=1; sleep 600'
    wait_for 20 oom_is_told oom
    docker stop -t 0 oom
    assert_eq "$(docker inspect --format '{{.State.OOMKilled}}' oom)" true
}
oom_is_told() { [ -n "$(docker events --since 10m --until 0s --filter container="$1" --filter event=oom)" ]; }

@test "a set of containers that talk over a network, and one that is restarted when it ends" {
    docker network create net1 >/dev/null
    # shellcheck disable=SC2016
    docker run -d --name server --network net1 tiny sh -c 'while :; do echo hello | nc -l -p 8080; done'
    run docker run --rm --network net1 tiny sh -c 'for i in 1 2 3 4 5 6 7 8 9 10; do nc server 8080 </dev/null && exit 0; sleep 0.3; done; exit 1'
    assert_ok
    assert_line hello
    docker run -d --name again --restart on-failure:2 --network net1 tiny sh -c 'exit 3'
    wait_for 20 gave_up again
    docker rm -f server again >/dev/null
    docker network rm net1 >/dev/null
}

@test "nothing of a container is left after rm" {
    local id
    id=$(docker run -d tiny sleep 100)
    docker rm -f "$id" >/dev/null
    assert_eq "$(find /run/brig-oci "$T/d/exec" -name "$id*" 2>/dev/null)" ""
    assert_eq "$(find /sys/fs/cgroup -type d -name "*$id*" 2>/dev/null)" ""
}
