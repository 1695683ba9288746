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

# podman's own default where it runs here: crun refuses cgroup v1 beside v2, runc is what podman takes then.
same_runtime() { if [ "$1" = ours ]; then echo "$OCI"; else echo runc; fi; }
same_run() { podman run --rm --network none "${@:1:$#-1}" localhost/tiny sh -c "${!#}"; }

@test "one set of containers, each with brig-oci and with podman's own runtime: they say the same" {
    [ "$MODE" = root ] || skip "runc of this machine runs no container of an ordinary user's beside cgroup v1"
    mkdir -p "$T/vol/sub"
    echo word >"$T/vol/file"
    echo '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28}]}' >"$T/sec.json"
    same_table same_run <<-EOF
	plain||
	?^status: CapEff:.*00000000a80425fb
	user|-u 1000:5 --group-add 7 --group-add 1001 -w /tmp --umask 0027|
	?^id: uid=1000\(app\) gid=5.* groups=.*7,1001
	?^umask: 0027
	limits|--memory 64m --memory-reservation 32m --memory-swap 128m --pids-limit 33 --cpus 0.5 --cpu-shares 300 --cpuset-cpus 0 --oom-score-adj 200|
	?33\$
	?^oom: 200
	?^status: Cpus_allowed_list:.0\$
	read-only|--read-only --tmpfs /x:size=1m,mode=700 -v $T/vol:/v -v $T/vol/file:/f:ro,noexec --shm-size 5m|
	?^mount: / overlay ro
	?^mount: /x tmpfs rw,nosuid,nodev,relatime / size=1024k mode=700
	?^mount: /f .* ro,noexec
	read-only without tmpfs|--read-only --read-only-tmpfs=false|
	volumes|-v $T/vol:/v:rslave,nosuid,nodev --mount type=bind,src=$T/vol/sub,dst=/w,ro --mount type=tmpfs,dst=/y,tmpfs-size=2m --mount type=devpts,dst=/z -v /anonymous|
	capabilities|--cap-drop all --cap-add net_bind_service,kill|
	?^status: CapPrm:.*0000000000000420
	privileged|--privileged|
	?^status: Seccomp:.0
	no new privileges|--security-opt no-new-privileges --security-opt seccomp=unconfined --security-opt mask=/etc/group --security-opt unmask=/proc/acpi|
	?^status: NoNewPrivs:.1
	seccomp|--security-opt seccomp=$T/sec.json|mkdir /tmp/a; grep Seccomp: /proc/self/status
	?No space left on device
	names|--hostname h.example -e A=b -e EMPTY= --env-host=false --label a=b --annotation c.d=e --unsetenv TERM|
	?^names: h.example
	ulimits and sysctls|--ulimit nofile=100:200 --ulimit nproc=2048:2048 --ulimit core=0 --ulimit stack=4194304 --sysctl kernel.msgmax=4096 --sysctl net.ipv4.ip_forward=0 --sysctl net.ipv4.ping_group_range=0%5|
	?^limit: Max open files 100 200
	?^sysctl: 4096
	devices|--device /dev/fuse:/dev/f:r --device-cgroup-rule c%42:*%rwm|
	?devices.list c 42:\* rwm|^dev: /dev/f
	host namespaces|--net host --pid host --ipc host --uts host --cgroupns host|$TELL_HOST
	own cgroup namespace|--cgroupns private|cat /proc/self/cgroup; awk '{ print \$4, \$5 }' /proc/self/mountinfo | grep cgroup
	?^ID|:/\$
	terminal|-t|
	?^terminal: 0 is one
	terminal of a user|-t -u 1000 --read-only|
	input|-i|cat; tty; readlink /proc/self/fd/0 | cut -c1-4
	init|--init|cat /proc/1/comm; ls -ln /proc/1/exe | wc -l
	exit code||exit 42
	?^exit code 42
	killed||kill -9 \$\$
	terminated by itself||kill -USR1 \$\$
	working folder that is not there|-w /new/folder|pwd; stat -c %a:%u .
	no program|--entrypoint /nope|
	no folder for a volume|-v $T/nope:/v|
	user that is not there|-u nope|
	ids|--uidmap 0:200000:2000 --gidmap 0:200000:2000|
	?^maps: +0 +200000 +2000
	ids and a volume|--uidmap 0:200000:2000 --gidmap 0:200000:2000 -v $T/vol:/v -t|
	EOF
}

# What is done with one container, told without what differs from time to time.
life() {
    local name=life pid
    podman run -d --name $name --network none --hooks-dir "$T/hooks" --health-cmd 'test -e /tmp/well' --health-interval disable \
        --label a=b --annotation run.test/hook=1 localhost/tiny sh -c 'trap "exit 5" TERM; echo up; sleep 1000 & wait' >/dev/null || return
    wait_for 10 up_is_logged $name
    podman exec $name sh -c "$TELL"
    podman exec -u 1000:5 -w /tmp -e A=b $name sh -c 'id; pwd; echo $A; grep -E "^Cap|^Seccomp" /proc/self/status'
    podman exec --privileged $name grep -E '^Cap|^Seccomp' /proc/self/status
    podman exec -t $name sh -c 'tty; stty size'
    echo word | podman exec -i $name cat
    podman exec $name sh -c 'exit 9'
    echo "exec told $?"
    podman exec $name nope
    echo "exec told $?"
    podman exec -d $name touch /tmp/well
    wait_for 10 podman exec $name test -e /tmp/well
    podman healthcheck run $name
    echo "health $? $(podman inspect --format '{{.State.Health.Status}}' $name)"
    podman top $name user group ppid args capeff seccomp state
    podman pause $name >/dev/null
    podman inspect --format '{{.State.Status}}' $name
    podman exec $name true
    podman unpause $name >/dev/null
    podman stats --no-stream --format '{{.Name}}' $name
    podman stats --no-stream --format json $name | jq -r '.[0].pids'
    pid=$(podman inspect --format '{{.State.Pid}}' $name)
    echo "$(cat "/proc/$pid/oom_score_adj") $(readlink "/proc/$pid/root") $(stat -c %u:%g "/proc/$pid")"
    podman kill -s USR2 $name >/dev/null
    wait_for 10 ended $name
    podman inspect --format '{{.State.Status}} {{.State.ExitCode}} {{.State.OOMKilled}}' $name
    podman restart -t 3 $name >/dev/null
    podman inspect --format '{{.State.Status}} {{.RestartCount}}' $name
    podman stop -t 10 $name >/dev/null
    podman wait $name
    podman logs $name
    podman inspect --format '{{.State.ExitCode}} {{.State.Error}} {{.State.Pid}}' $name
    podman rm $name >/dev/null
    # What the hooks were told; the state has more than the specification asks for with either.
    jq -S '{keys: [keys[] | select(. != "owner" and . != "created" and . != "rootfs")], status, annotations: .annotations | del(."io.kubernetes.cri-o.Created")}' "$T/hook-said"
    rm -f "$T/hook-said"
}
up_is_logged() { podman logs "$1" | grep -q up; }
ended() { [ "$(podman inspect --format '{{.State.Running}}' "$1")" = false ]; }

@test "a container's life with podman, as with its own runtime: exec, health, top, pause, stats, signals, restart, stop, hooks" {
    [ "$MODE" = root ] || skip "see above"
    mkdir -p "$T/hooks"
    for when in createRuntime poststop; do
        printf '#!/bin/sh\ncat >>"%s/hook-said"\n' "$T" >"$T/hook"
        chmod 0755 "$T/hook"
        jq -n --arg when $when --arg path "$T/hook" \
            '{version: "1.0.0", hook: {path: $path}, when: {annotations: {"^run.test/hook$": "1"}}, stages: [$when]}' >"$T/hooks/$when.json"
    done
    same_begin
    same life life
    grep -qE '^health 0 healthy$' "$SAID"
    grep -qE '"status": "stopped"' "$SAID"
    same_end
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

@test "oci_landlock in brig.conf: podman's containers are held to what they mount for writing, exec too" {
    local state
    mkdir -p "$T/landlock"
    [ -d "$T/landlock/vol" ] || mkdir -m 0777 "$T/landlock/vol"
    # podman gives runtimes little of its environment.
    printf '#!/bin/sh\nBRIG_CONFIG=%s exec %s "$@"\n' "$T/landlock" "$OCI" >"$T/landlock/brig-oci"
    chmod 0755 "$T/landlock/brig-oci"
    for state in off on; do
        echo "oci_landlock = $state" >"$T/landlock/brig.conf"
        RUNTIME=$T/landlock/brig-oci podman run -d --name "held-$state" --network none --cap-add SYS_ADMIN -v "$T/landlock/vol:/v" \
            localhost/tiny sh -c 'echo word >/v/file; echo tmp >/tmp/file; echo out; exec sleep 1000' >/dev/null
        wait_for 10 test -s "$T/landlock/vol/file"
        assert_eq "$(RUNTIME=$T/landlock/brig-oci podman exec "held-$state" cat /v/file /tmp/file)" $'word\ntmp'
        assert_eq "$(podman logs "held-$state")" out
        run env RUNTIME="$T/landlock/brig-oci" bash -c "$(declare -f podman); podman exec held-$state mount -t tmpfs t /dev/shm && echo mounted"
        if [ $state = on ]; then
            assert_line '^mount: .*(Operation not permitted|permission denied)'
        else
            assert_line '^mounted$'
        fi
        RUNTIME=$T/landlock/brig-oci podman rm -f -t 0 "held-$state" >/dev/null
        rm "$T/landlock/vol/file"
    done
}
