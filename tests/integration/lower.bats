#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Each wall and each part of one that --lower takes, one at a time: the container starts, posture says 1 and names
# exactly that, probes inside reach what was named and nothing else. `brig help walls` is the list: what is new there and
# not here fails.

load lib
setup_file() {
    brig_setup tiny
    image_layout "$T/layout" probe '{"Cmd":["/probe"],"WorkingDir":"/"}' "f|probe|0755|0|0|@$TEST_BIN/probe" 'd|data|1777'
    brig load -q -i "$T/layout"
    brig run -d --net none --name default probe sleep 600 >/dev/null
    brig exec default /probe >"$T/default"
    brig posture --format json default >"$T/default.json" || true
    brig rm -f default >/dev/null
}
teardown_file() { brig_teardown; }
setup() { brig_begin; }
teardown() { brig_end; }

# What a test below has; compared with the program's own list by the first test.
WALLS='cgroup cgroupns landlock lsm mounts net nnp rlimits seccomp user'

lowers_of() { brig help walls --format json | jq -r --arg w "$1" '.[] | select(.Wall == $w) | .Lower[]'; }

# What does not stand: "WALL VERDICT" lines of a posture in JSON, but what this machine lacks and a person accepted.
not_standing() { jq -r '.Walls[] | select(.Verdict != "stands" and .Verdict != "absent") | "\(.Wall) \(.Verdict)"' "$1"; }

# start LOWER [OPTION...]: the container "a" runs with it.
start() {
    local lower=$1
    shift
    brig rm -f a >/dev/null 2>&1 || true
    run brig run -d --net none --name a --lower "$lower" "$@" probe sleep 600
    [ "$status" = 0 ] || fail "--lower $lower does not start:" "$output"
}

# posture_names LOWER: of "a", exactly this one.
posture_names() {
    local status=0
    brig posture --format json a >"$TT/posture.json" || status=$?
    assert_eq "$status" 1 "exit code of posture with --lower $1"
    assert_eq "$(not_standing "$TT/posture.json")" "${1%%=*} lowered" "$(cat "$TT/posture.json")"
    assert_eq "$(jq -r '.Walls[].Why | scan("--lower [a-z_]+(?:=[a-z0-9_-]+)?")' "$TT/posture.json")" "--lower $1"
    # The table says the same.
    run -1 brig posture a
    assert_eq "$(awk '$2 ~ /^(lowered|down|unknown)$/ { print $1, $2 }' <<<"$output")" "${1%%=*} lowered"
}

# reached_more LOWER REGEX: what the probes in "a" reach and those of a default container do not is all of REGEX (of
# "ROW:NAME"), and there is some of it unless REGEX is empty; nothing that was reached there is stopped here.
reached_more() {
    local more
    brig exec a /probe >"$TT/probes"
    more=$(comm -13 <(reached "$T/default") <(reached "$TT/probes"))
    assert_eq "$(comm -23 <(reached "$T/default") <(reached "$TT/probes"))" "" "--lower $1 shuts"
    if [ -z "$2" ]; then
        assert_eq "$more" "" "--lower $1 opens"
    else
        [ -n "$more" ] || fail "--lower $1 opens nothing"
        assert_eq "$(grep -vE "^($2)$" <<<"$more")" "" "--lower $1 opens more than it should"
    fi
}
reached() { awk -F'\t' '$3 == "reached" { print $1 ":" $2 }' "$1" | sort; }

rlimits() { sed 1d "/proc/$(container_pid "${1:-a}")/limits" | sed 's/  \+/|/g' | cut -d'|' -f1-3; }

@test "every wall that --lower takes has a test here" {
    assert_eq "$(brig help walls --format json | jq -r '[.[] | select(.Lower != []) | .Wall] | sort | join(" ")')" "$WALLS"
    for wall in $WALLS; do
        grep -q "^@test \"$wall:" "$BATS_TEST_FILENAME" || fail "no test of $wall"
    done
    # The text for persons has the same.
    for lower in $(brig help walls --format json | jq -r '.[].Lower[]'); do
        run -0 brig help walls
        assert_line "^  $lower( |$)"
    done
}

@test "default: no wall is down, and exit 0 where the machine has all of them" {
    assert_eq "$(not_standing "$T/default.json")" ""
    brig run -d --net none --name a probe sleep 600
    run brig posture a
    if [ -z "${BRIG_TEST_ACCEPT:-}" ]; then
        assert_ok
        assert_line ': 20 of 20 walls stand$'
    else
        refute_line ' (down|unknown|lowered) '
    fi
    # With a network, as most are run.
    command -v pasta >/dev/null || return 0
    brig run -d --name b probe sleep 600
    brig posture --format json b >"$TT/b.json" || true
    assert_eq "$(not_standing "$TT/b.json")" ""
}

@test "events: a start tells what is lowered, and a default one that nothing is" {
    local id
    start seccomp=ptrace --lower nnp
    id=$(brig run -d --net none probe sleep 60)
    # By whole ids: a name is the start of many.
    run brig events --since 1m --until 0s --filter "container=$(container_get a '{{.Id}}')" --filter event=start \
        --format '{{json .Actor.Attributes}}'
    assert_line '"lower":"seccomp=ptrace,nnp"'
    run brig events --since 1m --until 0s --filter "container=$id" --filter event=start --format '{{json .Actor.Attributes}}'
    assert_line '"image":"probe"'
    refute_line lower
}

@test "user: the caller's id" {
    assert_eq "$(lowers_of user)" user=caller
    if [ "$MODE" = root ]; then
        run -125 brig run --rm --net none --lower user=caller probe true
        assert_line 'root itself is never in a container'
        return
    fi
    start user=caller
    posture_names user=caller
    reached_more user=caller ''
    # The caller's id is one of the map's, and it was not in a default one.
    awk -v id="$(id -u)" '$2 <= id && id < $2 + $3 { found = 1 } END { exit !found }' "/proc/$(container_pid a)/uid_map"
    brig run -d --net none --name b probe sleep 60
    awk -v id="$(id -u)" '$2 <= id && id < $2 + $3 { exit 1 }' "/proc/$(container_pid b)/uid_map"
}

@test "cgroupns: the host's, and only that" {
    start cgroupns
    posture_names cgroupns
    reached_more cgroupns ''
    # As root inside sees its place: from the host's root, not "/".
    assert_eq "$(brig exec a /bin/sh -c 'readlink /proc/self/ns/cgroup')" "$(readlink /proc/self/ns/cgroup)"
    brig run -d --net none --name b probe sleep 60
    [ "$(brig exec b /bin/sh -c 'readlink /proc/self/ns/cgroup')" != "$(readlink /proc/self/ns/cgroup)" ]
}

@test "net: whole and each part" {
    command -v pasta >/dev/null || skip "pasta is not installed"
    [ "$MODE" = root ] || [ -w /dev/net/tun ] || skip "/dev/net/tun cannot be opened"
    local lower port pid
    port=$(free_port)
    python3 -m http.server --bind 127.0.0.1 "$port" >/dev/null 2>&1 3>&- &
    pid=$!
    for lower in $(lowers_of net); do
        start "$lower" --net private
        posture_names "$lower"
        # The host's loopback lies behind the gateway's address, in reach only by its own name.
        run brig exec a /probe net connect 192.0.0.1 "$port"
        case $lower in
        net | net=host-loopback) assert_line '	reached	' ;;
        *) assert_line '	stopped	' ;;
        esac
    done
    kill "$pid"
}

@test "cgroup: whole and each part" {
    need_cgroup memory
    local lower
    for lower in $(lowers_of cgroup); do
        start "$lower" -m 64m --pids-limit 99 --cpus 0.5
        posture_names "$lower"
        reached_more "$lower" ''
        # The host's side: the limit of that name is not written, the others are.
        brig posture --format json a >"$TT/p.json" || true
        run jq -r '.Walls[] | select(.Wall == "cgroup") | .Evidence' "$TT/p.json"
        case $lower in
        cgroup)
            ! grep -q "$(container_get a '{{.Id}}')" "/proc/$(container_pid a)/cgroup" || fail "it has a cgroup of its own"
            continue
            ;;
        cgroup=memory) refute_line 'memory\.(max|limit_in_bytes)=67108864' ;;
        *) assert_line 'memory\.(max|limit_in_bytes)=67108864' ;;
        esac
        [ "$lower" = cgroup=pids ] && refute_line 'pids.max=99'
        [ "$lower" = cgroup=pids ] || assert_line 'pids.max=99'
        [ "$lower" = cgroup=cpu ] && refute_line '(cfs_quota_us|cpu.max)=50000'
        [ "$lower" = cgroup=cpu ] || assert_line '(cfs_quota_us|cpu.max)=50000'
        [ "$lower" != cgroup=swap ] || refute_line 'mem(sw|ory\.swap)'
    done
}

@test "mounts: each part" {
    local lower
    for lower in $(lowers_of mounts); do
        start "$lower"
        posture_names "$lower"
        case $lower in
        mounts=masks) reached_more "$lower" 'R26:(read|list):/proc/.*|R3:/proc/.*' ;;
        mounts=sys) reached_more "$lower" 'R26:(read|list):/sys/.*' ;;
        *) fail "no probe for $lower" ;;
        esac
    done
}

@test "rlimits: whole and each part" {
    local lower name
    declare -A names=([core]='Max core file size' [nofile]='Max open files' [nproc]='Max processes' [stack]='Max stack size'
        [memlock]='Max locked memory' [rtprio]='Max realtime priority' [nice]='Max nice priority')
    # The caller's own limits, all of them unlike those that a container gets.
    ulimit -c 4096 && ulimit -n 1000 && ulimit -s 4096 && ulimit -l 512
    brig run -d --net none --name b probe sleep 600
    rlimits b >"$TT/default"
    for lower in $(lowers_of rlimits); do
        start "$lower"
        posture_names "$lower"
        reached_more "$lower" ''
        rlimits >"$TT/limits"
        [ "$lower" != rlimits ] || continue
        name=${names[${lower#*=}]}
        [ -n "$name" ] || fail "no limit of the kernel known for $lower"
        # No other limit differs from those of a default container.
        assert_eq "$(diff "$TT/default" "$TT/limits" | grep '^>' | grep -v "^> $name")" "" "$lower"
        case $lower in *=core | *=stack | *=memlock)
            grep -q "^$name|$(awk -F'|' -v n="$name" '$1 == n { print $2 }' <(rlimits_of_self))|" "$TT/limits" ||
                fail "$lower: not the caller's" "$(cat "$TT/limits")"
            ;;
        esac
    done
}
rlimits_of_self() { sed 1d /proc/self/limits | sed 's/  \+/|/g' | cut -d'|' -f1-3; }

@test "lsm: whole" {
    start lsm
    posture_names lsm
    reached_more lsm ''
}

@test "nnp: whole, and the filter stands nevertheless, in exec as well" {
    start nnp
    posture_names nnp
    reached_more nnp ''
    assert_eq "$(awk '/^(NoNewPrivs|Seccomp|CapEff|CapAmb|CapInh):/ { printf "%s%s ", $1, $2 }' "/proc/$(container_pid a)/status")" \
        "$(awk '/^(CapInh|CapEff|CapAmb):/ { printf "%s%s ", $1, $2 }' <<<"$(brig exec a /bin/cat /proc/self/status)")NoNewPrivs:0 Seccomp:2 "
    run -0 brig exec a /probe status
    assert_line '^status	NoNewPrivs	fact	0'
    assert_line '^status	Seccomp	fact	2'
    # For a user of the image as well, who has no capability to make a filter with.
    start nnp -u app
    posture_names nnp
    run -0 brig exec a /probe status
    assert_line '^status	NoNewPrivs	fact	0'
    assert_line '^status	Seccomp	fact	2'
    assert_line '^status	CapEff	fact	0000000000000000'
}

@test "landlock: whole and each part" {
    local lower proc bind0 bind out
    for lower in $(lowers_of landlock); do
        start "$lower"
        posture_names "$lower"
        reached_more "$lower" ''
        proc=stopped bind=stopped bind0=stopped
        case $lower in
        landlock) proc=reached bind=reached bind0=reached ;;
        landlock=proc) proc=reached ;;
        landlock=bind) bind=reached bind0=reached ;;
        landlock=ephemeral) bind0=reached ;;
        # fs: what is mounted read-only stays so; that mounting is refused no more is in the next test.
        landlock=fs) ;;
        landlock=scope) ;; # attacks.bats, R17
        *) fail "no probe for $lower" ;;
        esac
        out=stopped
        ! brig exec a /bin/sh -c 'echo 1 2>/dev/null >/proc/self/oom_score_adj' 2>/dev/null || out=reached
        assert_eq "$lower: $out" "$lower: $proc" "a write to /proc"
        assert_eq "$(brig exec a /probe net bind tcp 4444 | cut -f3)" "$bind" "$lower: bind to a port"
        assert_eq "$(brig exec a /probe net bind tcp 0 | cut -f3)" "$bind0" "$lower: bind to any port"
    done
}

@test "landlock=fs and seccomp=mount open mounting together, each alone does not" {
    local how='/bin/mount -t tmpfs x /data && echo mounted'
    run brig run --rm --net none --cap-add SYS_ADMIN --lower seccomp=mount probe /bin/sh -c "$how"
    refute_line '^mounted'
    run brig run --rm --net none --cap-add SYS_ADMIN --lower landlock=fs probe /bin/sh -c "$how"
    refute_line '^mounted'
    run brig run --rm --net none --lower landlock=fs --lower seccomp=mount probe /bin/sh -c "$how"
    refute_line '^mounted'
    run brig run --rm --net none --cap-add SYS_ADMIN --lower landlock=fs --lower seccomp=mount probe /bin/sh -c "$how"
    assert_line '^mounted'
}

@test "seccomp: whole and each part" {
    local lower part
    # What each opens of the probes; "-" where this kernel refuses a container the same by itself (capabilities of the first
    # user namespace, families that it has no module for), so that the errno is the same with and without.
    declare -A opens=(
        [ptrace]='R23:(kcmp|process_vm_.*|ptrace_.*)' [userns]='R14:(clone|unshare)_user.*|R14:setns' [mount]='R25:.*'
        [io_uring]='R15:io_uring_.*' [bpf]='R27:bpf' [keyring]='R16:.*' [perf]='R27:perf_event_open' [userfaultfd]='R27:userfaultfd'
        [pidfd_getfd]='R24:pidfd_getfd.*' [netlink]='R28:netlink_.*' [vsock]='R28:vsock' [tty]='R11:ioctl_.*'
        [protocols]='R28:inet_(mptcp|udplite)' [personality]='R27:personality' [numa]='R27:(mbind|move_pages)' [time]='R31:.*'
        [handles]='R9:.*' [ldt]='R27:modify_ldt' [vmsplice]='R27:vmsplice' [quota]='R27:quotactl'
        [i386]='R15:i386_.*|R28:i386_.*' [packet]=- [alg]=- [raw]=- [families]=- [syslog]=- [fanotify]=- [hostname]=- [nodes]=-)
    for lower in $(lowers_of seccomp); do
        start "$lower"
        posture_names "$lower"
        if [ "$lower" = seccomp ]; then
            # The other walls refuse what is theirs: files, mounts, /proc.
            reached_more "$lower" 'R(9|11|14|15|16|23|24|25|27|28|31):.*'
            assert_eq "$(awk '/^Seccomp:/ { print $2 }' "/proc/$(container_pid a)/status")" 0
            continue
        fi
        part=${lower#*=}
        [ -n "${opens[$part]:-}" ] || fail "no probe for $lower"
        if [ "${opens[$part]}" = - ]; then
            # Kernels differ here; whatever opens is of these rows.
            brig exec a /probe >"$TT/probes"
            run comm -13 <(reached "$T/default") <(reached "$TT/probes")
            assert_eq "$(grep -vE '^(R27|R28|R26:syslog|R10|$)' <<<"$output")" "" "$lower"
        else
            reached_more "$lower" "${opens[$part]}"
        fi
        assert_eq "$(awk '/^Seccomp:/ { print $2 }' "/proc/$(container_pid a)/status")" 2
    done
}
