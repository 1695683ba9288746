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

same_runtime() { if [ "$1" = ours ]; then echo brig; else echo runc; fi; }
same_run() { docker run --rm --runtime "$RUNTIME" "${@:1:$#-1}" tiny sh -c "${!#}"; }

@test "one set of containers, each with brig-oci and with dockerd's own runtime: they say the same" {
    # Nothing is --privileged: runc cannot set capabilities that root of this machine may lack, brig-oci leaves those out.
    mkdir -p "$T/vol/sub"
    echo word >"$T/vol/file"
    echo '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28}]}' >"$T/sec.json"
    docker volume create one >/dev/null
    docker run -d --name peer tiny sleep 1000 >/dev/null
    same_table same_run <<-EOF
	plain|--network none|
	?^status: CapEff:.*00000000a80425fb
	network||
	?^net: eth0
	ports|-p 127.0.0.1:18099:80 --dns 192.0.2.1 --add-host a:192.0.2.2|cat /etc/resolv.conf; tail -2 /etc/hosts
	user|-u 1000:5 --group-add 7 --group-add 1001 -w /tmp|
	?^id: uid=1000\(app\) gid=5.* groups=.*7,1001
	limits|--memory 64m --memory-reservation 32m --memory-swap 128m --pids-limit 33 --cpus 0.5 --cpu-shares 300 --cpuset-cpus 0 --oom-score-adj 200|
	?33\$
	?^oom: 200
	?^status: Cpus_allowed_list:.0\$
	read-only|--read-only --tmpfs /x:size=1m,mode=700 -v $T/vol:/v -v $T/vol/file:/f:ro --shm-size 5m|
	?^mount: / overlay ro
	?^mount: /x tmpfs rw,nosuid,nodev,noexec,relatime / size=1024k mode=700
	volumes|-v $T/vol:/v:rslave -v one:/named --mount type=bind,src=$T/vol/sub,dst=/w,ro --mount type=tmpfs,dst=/y,tmpfs-size=2000000 -v /anonymous|
	capabilities|--cap-drop all --cap-add net_bind_service --cap-add kill|
	?^status: CapPrm:.*0000000000000420
	no new privileges|--security-opt no-new-privileges --security-opt seccomp=unconfined --security-opt systempaths=unconfined|
	?^status: NoNewPrivs:.1
	seccomp|--security-opt seccomp=$T/sec.json|mkdir /tmp/a; grep Seccomp: /proc/self/status
	?No space left on device
	names|--hostname h --domainname example -e A=b -e EMPTY= --label a=b|
	?^names: h
	?^names: example
	ulimits and sysctls|--ulimit nofile=100:200 --ulimit core=0 --ulimit stack=4194304 --sysctl kernel.msgmax=4096 --sysctl net.ipv4.ip_forward=0|
	?^limit: Max open files 100 200
	?^sysctl: 4096
	devices|--device /dev/fuse:/dev/f:r --device-cgroup-rule c%42:*%rwm|
	?devices.list c 42:\* rwm|^dev: /dev/f
	throttled|--device-read-bps /dev/vda:1mb --device-write-iops /dev/vda:100|
	host namespaces|--net host --pid host --ipc host --uts host|$TELL_HOST
	host cgroups|--cgroupns host|
	own cgroups|--cgroupns private|
	namespaces of another container|--net container:peer --pid container:peer --ipc shareable|cat /proc/1/comm; ls /sys/class/net
	?^sleep
	init|--init|cat /proc/1/comm; ls -ln /sbin/docker-init | cut -c1-10
	?^docker-init
	exit code||exit 42
	?^exit code 42
	killed||kill -9 \$\$
	killed by another signal||kill -USR1 \$\$
	working folder that is not there|-w /new/folder|pwd; stat -c %a:%u .
	no program|--entrypoint /nope|
	?^exit code 127
	not a program|--entrypoint /etc/passwd|
	?^exit code 126
	EOF
    docker volume rm one >/dev/null
}

# What is done with one container, told without what differs from time to time.
life() {
    local name=life pid
    docker run -d --runtime "$RUNTIME" --name $name --restart on-failure:1 --health-cmd 'test -e /tmp/well' --health-interval 0.2s \
        --health-retries 1 --label a=b tiny sh -c 'trap "exit 5" TERM; echo up; sleep 1000 & wait' >/dev/null || return
    wait_for 10 up_is_logged $name
    docker exec $name sh -c "$TELL"
    docker exec -u 1000:5 -w /tmp -e A=b $name sh -c 'id; pwd; echo $A; grep -E "^Cap|^Seccomp" /proc/self/status'
    docker exec -t $name tty
    echo word | docker exec -i $name cat
    docker exec $name sh -c 'exit 9'
    echo "exec told $?"
    docker exec $name nope
    echo "exec told $?"
    wait_for 10 health_is $name unhealthy
    docker exec -d $name touch /tmp/well
    wait_for 10 health_is $name healthy
    docker top $name -o user,group,args
    docker pause $name >/dev/null
    docker inspect --format '{{.State.Status}}' $name
    docker exec $name true
    docker unpause $name >/dev/null
    docker stats --no-stream --format '{{.Name}}' $name
    docker update --memory 64m --memory-swap 128m --cpus 0.5 --cpu-shares 200 --pids-limit 44 --cpuset-cpus 1 --restart no $name
    docker exec $name sh -c "$TELL" | grep -E '^(cgroup|status: Cpus)'
    pid=$(docker inspect --format '{{.State.Pid}}' $name)
    echo "$(cat "/proc/$pid/oom_score_adj") $(readlink "/proc/$pid/root") $(stat -c %u:%g "/proc/$pid")"
    docker kill -s USR2 $name >/dev/null
    wait_for 10 state_is $name exited
    docker inspect --format '{{.State.Status}} {{.State.ExitCode}} {{.State.OOMKilled}} {{.State.Error}}' $name
    docker cp $name:/etc/passwd - | tar -xO | head -1
    docker diff $name | sort
    docker restart -t 3 $name >/dev/null
    docker inspect --format '{{.State.Status}} {{.RestartCount}}' $name
    docker stop -t 10 $name >/dev/null
    docker wait $name
    docker logs $name
    docker commit $name committed >/dev/null
    docker run --rm --runtime "$RUNTIME" committed ls /tmp
    docker rmi committed >/dev/null
    docker start $name >/dev/null
    docker rm -f $name >/dev/null
}
up_is_logged() { docker logs "$1" | grep -q up; }
state_is() { [ "$(docker inspect --format '{{.State.Status}}' "$1")" = "$2" ]; }
health_is() { [ "$(docker inspect --format '{{.State.Health.Status}}' "$1")" = "$2" ]; }

@test "a container's life with docker, as with its own runtime: exec, health, top, pause, update, signals, restart, stop, commit" {
    same_begin
    same life life
    grep -qE 'pids.max 44$' "$SAID"
    grep -q '^well$' "$SAID"
    same_end
}

@test "nothing of a container is left after rm" {
    local id
    id=$(docker run -d tiny sleep 100)
    docker rm -f "$id" >/dev/null
    assert_eq "$(find /run/brig-oci "$T/d/exec" -name "$id*" 2>/dev/null)" ""
    assert_eq "$(find /sys/fs/cgroup -type d -name "*$id*" 2>/dev/null)" ""
}
