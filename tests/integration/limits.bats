#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Limits: what a container may use of the machine. Values are read on the host's side.

load lib
setup_file() { brig_setup tiny; }
teardown_file() { brig_teardown; }
setup() { brig_begin; }
teardown() { brig_end; }

# cpu_above PID TICKS: it has used more CPU time than that.
cpu_above() { [ "$(awk '{ print $14 + $15 }' "/proc/$1/stat")" -gt "$2" ]; }

rlimit() { awk -v n="$2" 'index($0, n) == 1 { s = substr($0, 27); split(s, f, " "); print f[1] "/" f[2] }' "/proc/$(container_pid "$1")/limits"; }

@test "default limits stand on the host's side" {
    need_cgroup memory
    brig run -d --net none --name a tiny sleep 100
    local total half
    total=$(sed -n 's/^MemTotal: *\([0-9]*\) kB/\1/p' /proc/meminfo)
    half=$((total * 512))
    run cgroup_value a memory memory.limit_in_bytes memory.max
    assert_ok
    # MemTotal and the engine's look at the machine differ by less than a percent
    [ "$output" -gt $((half * 99 / 100)) ] && [ "$output" -lt $((half * 101 / 100)) ]
    assert_eq "$(cgroup_value a pids pids.max pids.max)" 2048
    assert_eq "$(rlimit a 'Max core file size')" 0/0
}

@test "limits that were asked for stand on the host's side" {
    need_cgroup memory
    brig run -d --net none --name a -m 64m --pids-limit 33 --cpus 0.5 tiny sleep 100
    assert_eq "$(cgroup_value a memory memory.limit_in_bytes memory.max)" $((64 << 20))
    assert_eq "$(cgroup_value a pids pids.max pids.max)" 33
    run cgroup_value a cpu cpu.cfs_quota_us cpu.max
    assert_line '^50000( 100000)?$'
    run brig posture a
    assert_line '^cgroup +stands'
}

@test "a fork bomb ends at the task limit" {
    need_cgroup pids
    # dash gives up when it cannot fork; the last number is how often it could
    # shellcheck disable=SC2016 # for the shell inside
    local bomb='i=0; while [ $i -lt 100 ]; do sleep 100 & i=$((i + 1)); echo $i; done'
    run brig run --rm --net none --pids-limit 20 tiny sh -c "$bomb"
    [ "$status" != 0 ]
    assert_eq "$(grep -E '^[0-9]+$' <<<"$output" | tail -1)" 19
    # the control: with a higher limit it gets further
    run brig run --rm --net none --pids-limit 50 tiny sh -c "$bomb"
    assert_eq "$(grep -E '^[0-9]+$' <<<"$output" | tail -1)" 49
}

@test "a memory hog is killed and the engine says so" {
    need_cgroup memory
    # shellcheck disable=SC2016 # for the shell inside
    run brig run --net none --name a -m 16m tiny sh -c 'x=x; while :; do x=$x$x; done'
    assert_exit 137
    assert_eq "$(container_get a '{{.State.OOMKilled}}')" true
    # the control: the same limit does not harm one that is content with it
    run brig run --rm --net none -m 16m tiny true
    assert_ok
}

@test "--ulimit goes over the defaults and bad ones are refused" {
    brig run -d --net none --name a --ulimit nofile=100:200 tiny sleep 100
    assert_eq "$(rlimit a 'Max open files')" 100/200
    run brig run --rm --net none --ulimit nofile=200:100 tiny true
    assert_exit 125
    run brig run --rm --net none --ulimit nofiles=1 tiny true
    assert_exit 125
    assert_line 'nofile'
}

@test "pause stops the processes, ps and exec know it, unpause lets them go on" {
    need_cgroup memory
    brig run -d --net none --name a tiny sh -c 'while :; do :; done'
    run brig pause a
    assert_ok
    local before after
    before=$(awk '{ print $14 + $15 }' "/proc/$(container_pid a)/stat")
    sleep 0.3
    after=$(awk '{ print $14 + $15 }' "/proc/$(container_pid a)/stat")
    assert_eq "$after" "$before"
    run brig ps
    assert_line '\(Paused\)'
    run brig exec a true
    [ "$status" != 0 ]
    assert_line 'paused'
    run brig pause a
    assert_exit 1
    run brig unpause a
    assert_ok
    wait_for 5 cpu_above "$(container_pid a)" "$after"
    run brig unpause a
    assert_exit 1
}

@test "a paused container can be removed" {
    need_cgroup memory
    brig run -d --net none --name a tiny sleep 100
    brig pause a
    run brig rm -f a
    assert_ok
}

@test "update changes a running container, and nothing when it cannot" {
    need_cgroup memory
    brig run -d --net none --name a -m 64m tiny sleep 100
    run brig update -m 32m --pids-limit 77 a
    assert_ok
    assert_eq "$(cgroup_value a memory memory.limit_in_bytes memory.max)" $((32 << 20))
    assert_eq "$(cgroup_value a pids pids.max pids.max)" 77
    run brig update -m 128m --memory-swap 128m a
    assert_ok
    assert_eq "$(cgroup_value a memory memory.limit_in_bytes memory.max)" $((128 << 20))
    run brig posture a
    assert_line '^cgroup +stands'
    run brig update -m 1 a
    assert_exit 1
    assert_eq "$(cgroup_value a memory memory.limit_in_bytes memory.max)" $((128 << 20))
    assert_eq "$(container_get a '{{.HostConfig.Memory}}')" $((128 << 20))
    run brig update a
    assert_exit 125
    run brig update -m 64m no-such-container
    assert_exit 1
}

@test "stats and top tell what the kernel counts" {
    brig run -d --net none --name a tiny sleep 100
    run brig stats --no-stream --format '{{.Name}} {{.PIDs}}' a
    assert_ok
    assert_eq "$output" "a 1"
    run brig stats --no-stream --format json a
    assert_eq "$(jq -r .Name <<<"$output")" a
    run brig top a pid nspid uid comm
    assert_ok
    assert_line "^$(container_pid a) +1 +0 +sleep"
    run brig top a -ef
    assert_exit 125
    assert_line 'not a column'
}

@test "top shows a hostile name harmlessly" {
    brig run -d --net none --name a tiny sh -c 'exec sleep 100 '
    brig run -d --net none --name b tiny sh -c "$(printf 'sleep 100; : \033[31m')"
    run brig top b args
    assert_ok
    refute_line "$(printf '\033')"
}

@test "without a cgroup the start names what is missing" {
    need_user
    ! brig_has_cgroup memory || skip "this user has a delegated cgroup"
    : >"$BRIG_CONFIG/brig.conf"
    run brig run --rm --net none tiny true
    brig_conf
    assert_exit 125
    assert_line 'cgroup wall'
    assert_line 'brig setup --user'
    # accepted by name, it starts, and the task limit stands without a cgroup
    run brig run -d --net none --name a --lower cgroup=memory --lower cgroup=cpu --pids-limit 40 tiny sleep 100
    assert_ok
    assert_eq "$(rlimit a 'Max processes')" 40/40
}

@test "stats tells block IO on cgroup v1 where the kernel counts it, and -- where it does not" {
    need_root
    local dir dev id
    [ -d /sys/fs/cgroup/blkio ] || skip "no cgroup v1 hierarchy blkio"
    id=$(brig run -d --net none --name io tiny sleep 60)
    dir=/sys/fs/cgroup/blkio/brig/run/$id
    assert_file "$dir"
    if ! grep -q ' Read ' /sys/fs/cgroup/blkio/blkio.throttle.io_service_bytes_recursive; then
        assert_eq "$(brig stats --no-stream --format '{{.BlockIO}}' io)" "-- / --"
    fi
    # A limit that limits nothing makes every kernel count.
    dev=$(stat -c %Hd:%Ld "$BRIG_DATA")
    echo "$dev 100000000000" 2>/dev/null >"$dir/blkio.throttle.read_bps_device" || skip "device $dev takes no limit"
    echo "$dev 100000000000" >"$dir/blkio.throttle.write_bps_device"
    brig exec io sh -c 'dd if=/dev/zero of=/x bs=1M count=8 conv=fsync && dd if=/x of=/dev/null bs=1M iflag=direct' 2>/dev/null
    run brig stats --no-stream --format '{{.BlockIO}}' io
    assert_line '^8\.[0-9]*MB / 8\.[0-9]*MB$'
}
