#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Starving the host: the D rows. A container takes as much as it gets of one thing and holds on to it. It must be stopped at a
# limit of its own, and meanwhile the host and a neighbour get what they ask for. The control is the same program outside,
# which gets more than the container did, or the container with a higher limit.

load lib
setup_file() {
    brig_setup tiny
    PROBE=$TEST_BIN/probe
    image_layout "$T/layout" probe '{"Cmd":["/probe"],"WorkingDir":"/"}' "f|probe|0755|0|0|@$PROBE" 'd|data|1777'
    brig load -q -i "$T/layout"
    export PROBE
}
teardown_file() { brig_teardown; }
setup() { brig_begin; }
teardown() { brig_end; }

# hog WHAT MAX [OPTION...]: the container "hog" takes it and holds it; $line is what it said, or "killed EXITCODE".
hog() {
    local what=$1 max=$2
    shift 2
    brig run -d --net none --name hog "$@" probe /probe hog "$what" "$max" "${HOG_PATH:-/data}" 120 >/dev/null
    wait_for 60 hog_said || fail "the hog of $what neither gets it nor is refused" "$(brig ps -a)"
    line=$(brig logs hog | cut -f3-)
    [ -n "$line" ] || line="killed $(container_get hog '{{.State.ExitCode}} {{.State.OOMKilled}}')"
}
hog_said() { [ -n "$(brig logs hog)" ] || ! container_running hog; }

# stopped_at LOW HIGH ERRNO: it got that many, and then this.
stopped_at() {
    local got why
    read -r got why <<<"${line#stopped	}"
    [[ $line == stopped* ]] && [ "$got" -ge "$1" ] && [ "$got" -le "$2" ] && [[ " $3 " == *" $why "* ]] ||
        fail "not stopped between $1 and $2 with $3: $line"
}

# others_get WHAT N: the host and a neighbour, while the hog holds on.
others_get() {
    local here
    here=$(mktemp -d "$TT/host-XXXXXX")
    assert_eq "$(timeout 20 "$PROBE" hog "$1" "$2" "$here" | cut -f3-)" "reached	$2 max" "the host, of $1"
    assert_eq "$(brig run --rm --net none probe /probe hog "$1" "$2" /data | cut -f3-)" "reached	$2 max" "a neighbour, of $1"
}

@test "D01 tasks: a fork bomb and a thread bomb end at the container's limit, in it alone" {
    local what
    for what in fork thread; do
        hog "$what" 100000 --pids-limit 100
        stopped_at 50 100 EAGAIN
        others_get "$what" 150
        BRIG_TIMEOUT=20 brig rm -f hog >/dev/null
    done
    # The default is a limit, too, and where no cgroup can be had it stands as well.
    hog fork 100000
    stopped_at 1000 2048 EAGAIN
    others_get fork 20
    brig rm -f hog >/dev/null
    hog fork 100000 --lower cgroup --pids-limit 100
    stopped_at 50 100 EAGAIN
    others_get fork 150
}

@test "D02 memory: what maps, and what only the kernel holds, is the container's own" {
    need_cgroup memory
    local what free
    brig run -d --net none --name neighbour -m 32m probe sleep 600
    for what in memory memfd shm sem socket watch; do
        hog "$what" 1000000 -m 48m
        [[ $line == "killed 137 true" || $line == *ENOMEM || $line == *ENOBUFS || $line == *ENOSPC ]] || fail "$what: $line"
        others_get "$what" 8
        brig rm -f hog >/dev/null
    done
    container_running neighbour
    # The control: with more memory the same amount is got.
    hog memory 100 -m 300m
    assert_eq "$line" "reached	100 max"
    free=$(awk '/^MemAvailable:/ { print $2 }' /proc/meminfo)
    [ "$free" -gt 200000 ]
}

@test "D02 page cache: writing much more than the limit neither kills nor grows the container" {
    need_cgroup memory
    hog disk 200 -m 48m
    assert_eq "$line" "reached	200 max"
    local usage
    usage=$(brig stats --no-stream --format '{{.MemUsage}}' hog)
    [[ $usage == *" / 48.0MiB" ]] || fail "$usage"
}

@test "D03 shared memory, message queues and pipes end at limits of their own" {
    HOG_PATH=/dev/shm hog disk 1000 --shm-size 16m
    stopped_at 15 16 ENOSPC
    brig rm -f hog >/dev/null
    hog msg 1000000
    stopped_at 100 32000 ENOSPC
    others_get msg 8
    brig rm -f hog >/dev/null
    # Big pipes: the share of a user, who is one of the container's own.
    hog pipe 100000
    stopped_at 1 20000 "EPERM EMFILE"
    others_get pipe 8
    brig rm -f hog >/dev/null
    # The root in memory has a size.
    HOG_PATH=/data hog disk 1000 --tmpfs-root 16m
    stopped_at 10 16 ENOSPC
}

@test "D04 open files: the limit stands, the host's table has room" {
    local before after
    before=$(cut -f1 /proc/sys/fs/file-nr)
    hog fd 1000000 --ulimit nofile=3000
    stopped_at 2900 3000 EMFILE
    after=$(cut -f1 /proc/sys/fs/file-nr)
    [ $((after - before)) -lt 20000 ]
    others_get fd 500
    brig rm -f hog >/dev/null
    hog epoll 1000000 --ulimit nofile=3000
    stopped_at 2900 3000 EMFILE
    # Nor is there a way to raise it.
    run brig run --rm --net none --ulimit nofile=100 probe /bin/sh -c 'ulimit -n 5000'
    [ "$status" != 0 ]
}

@test "D05 disk and inodes: a container that outgrows its layer is stopped, told of, and its disk comes back" {
    local free what id
    brig_conf 'disk = 16m' 'disk_inodes = 500'
    for what in disk inode; do
        # 64 MiB and 2000 files: enough to be over, held until somebody looks.
        hog "$what" "$([ "$what" = disk ] && echo 64 || echo 2000)"
        id=$(container_get hog '{{.Id}}')
        wait_for 30 stopped_for_disk || fail "$what: not stopped" "$(brig inspect hog)"
        grep -hq '"disk_limit"' "$BRIG_DATA/containers/$id"/events* "$BRIG_DATA"/events* || fail "$what: no record"
        others_get disk 4
        brig rm -f hog >/dev/null
        refute_file "$BRIG_DATA/containers/$id"
    done
    # The control: within the limits nobody is stopped. It is measured meanwhile, as more than half is taken.
    hog disk 8
    sleep 2
    container_running hog
    brig_conf
}
stopped_for_disk() { container_get hog '{{.State.Error}}' | grep -q 'outgrew its limit'; }

@test "D05 disk: who writes as fast as the machine can, at once or after having been quiet, is caught soon" {
    local id quiet size
    brig_conf 'disk = 16m'
    for quiet in 0 3; do
        # 6 GiB, by write(2); dd says nothing before its end.
        brig run -d --net none --name hog --memory 1g probe /bin/sh -c \
            "sleep $quiet; dd if=/dev/zero of=/data/hog bs=1M count=6144 2>/dev/null; sleep 60" >/dev/null
        id=$(container_get hog '{{.Id}}')
        wait_for 60 stopped_for_disk || fail "not stopped" "$(brig inspect hog)"
        size=$(du -sm "$BRIG_DATA/containers/$id/rw" 2>/dev/null | cut -f1) || size=$(brig ps -as --format json | jq .size)
        echo "# quiet $quiet s: $size MiB" >&3
        [ "$size" -ge 16 ] && [ "$size" -le 1536 ] || fail "$size MiB were written"
        brig rm -f hog >/dev/null
    done
    brig_conf
}

@test "D06 log: endless output, without a newline and binary, stays within its size, and the monitor stays small" {
    local id kind size monitor
    brig_conf 'log_size = 64k' 'log_files = 2'
    for kind in yes 'cat /dev/zero' 'cat /dev/urandom'; do
        brig run -d --net none --name hog --cpus 0.5 probe $kind >/dev/null
        id=$(container_get hog '{{.Id}}')
        sleep 2
        size=$(cat "$BRIG_DATA/containers/$id"/log* | wc -c)
        [ "$size" -gt 30000 ] && [ "$size" -le 200000 ] || fail "$kind: $size bytes of log"
        monitor=$(awk '/^PPid:/ { print $2 }' "/proc/$(container_pid hog)/status")
        [ "$(awk '/^VmRSS:/ { print $2 }' "/proc/$monitor/status")" -lt 8192 ]
        others_get fork 4
        brig kill hog >/dev/null
        brig rm -f hog >/dev/null
    done
    brig_conf
}

@test "D07 terminals: a container has its own number of them" {
    hog pty 100000
    stopped_at 16 1024 "ENOSPC EMFILE"
    # The host has more of its own.
    assert_eq "$(timeout 20 "$PROBE" hog pty 300 | cut -f3-)" "reached	300 max"
    others_get pty 8
}

@test "D08 keys: none can be made, the user's share stays whole" {
    hog key 100000
    stopped_at 0 0 "EPERM ENOSYS"
    # The control; the keys go with the session and the quota back to its user.
    assert_eq "$(timeout 20 "$PROBE" hog key 5 | cut -f3-)" "reached	5 max"
}

@test "D09 inotify: the instances of a container are counted to it, not to the person" {
    local half
    half=$(($(cat /proc/sys/fs/inotify/max_user_instances) / 2))
    hog inotify 100000
    stopped_at 10 "$half" EMFILE
    assert_eq "$(timeout 20 "$PROBE" hog inotify 40 | cut -f3-)" "reached	40 max" "the host"
    # Many containers of one person share what that person has.
    brig rm -f hog >/dev/null
    brig run -d --net none --name hog --lower rlimits probe sleep 60
    assert_eq "$(brig exec hog /probe hog inotify 10 /data | cut -f3-)" "reached	10 max"
}

@test "D11 nothing is left to be done outside of the cgroup: no core file, nobody's helper" {
    local before
    before=$(cat /proc/sys/kernel/core_pattern)
    run brig run --net none --name crash probe /bin/sh -c 'sh -c "kill -SEGV \$\$"; exit $?'
    assert_exit 139
    assert_eq "$(brig diff crash)" ""
    brig run -d --net none --name a probe sleep 60
    assert_eq "$(awk '/^Max core file size/ { print $5 "/" $6 }' "/proc/$(container_pid a)/limits")" 0/0
    assert_eq "$(cat /proc/sys/kernel/core_pattern)" "$before"
}

@test "D12 CPU: a limit holds, and no priority can be taken" {
    need_cgroup cpu
    brig run -d --net none --name hog --cpus 0.2 probe /bin/sh -c 'while :; do :; done'
    brig run -d --net none --name free probe /bin/sh -c 'while :; do :; done'
    # The kernel's own count of how often it had to be held: wall time tells little on a busy machine.
    wait_for 30 held || fail "throttled $(throttled hog) times"
    assert_eq "$(throttled free)" 0
    [ "$(ticks free)" -gt 5 ]
    others_get fork 4
    run brig run --rm --net none probe /probe D12
    assert_line '^D12	nice	stopped'
    assert_line '^D12	sched_fifo	stopped'
    if [ "$MODE" = root ]; then
        run "$PROBE" D12
        assert_line '^D12	nice	reached'
    fi
}
held() { [ "$(throttled hog)" -ge 3 ]; }
throttled() { cgroup_value "$1" cpu cpu.stat cpu.stat | awk '$1 == "nr_throttled" { print $2 }'; }
ticks() { awk '{ print $14 + $15 }' "/proc/$(container_pid "$1")/stat"; }

@test "D13 a tree of folders three thousand deep goes with the container" {
    hog deep 3000
    assert_eq "$line" "reached	3000 max"
    brig kill hog >/dev/null
    others_get deep 10
    BRIG_TIMEOUT=60 run brig rm -f hog
    assert_ok
}

@test "D14 zombies, orphans, a stopped init and one that ignores signals: stop ends in its time and nothing is left" {
    local how start
    for how in 'for i in $(seq 300); do (sleep 600 &) ; done; sleep 600' 'trap "" TERM INT HUP; while :; do sleep 1; done' \
        'kill -STOP $$; sleep 600' 'i=0; while [ $i -lt 300 ]; do sh -c "exit 0" & i=$((i+1)); done; exec sleep 600'; do
        brig run -d --net none --name stubborn probe /bin/sh -c "$how" >/dev/null
        sleep 0.5
        start=$SECONDS
        BRIG_TIMEOUT=20 brig stop -t 1 stubborn >/dev/null
        [ $((SECONDS - start)) -le 8 ] || fail "took $((SECONDS - start)) s: $how"
        assert_eq "$(container_get stubborn '{{.State.Running}}')" false
        nothing_left
    done
}

@test "D15 the OOM killer's choice and the kernel's log are not the container's to change" {
    brig run -d --net none --name a probe sleep 60
    local before
    before=$(cat "/proc/$(container_pid a)/oom_score_adj")
    run brig exec a /bin/sh -c 'echo -1000 >/proc/1/oom_score_adj'
    [ "$status" != 0 ]
    assert_eq "$(cat "/proc/$(container_pid a)/oom_score_adj")" "$before"
    run brig exec a /bin/busybox dmesg
    [ "$status" != 0 ]
    assert_line 'ermitted|ermission'
}
