#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# brig-oci: narrow seccomp profiles and the propagation of the root, as the conformance programs of runtime-tools check them.

load lib
load oci
setup_file() {
    oci_setup
    # What busybox's sh, grep and ls need, and what a runtime may need right before the program; nothing newer than Linux 3.
    export NARROW='{"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 1, "architectures": ["SCMP_ARCH_X86_64"], "syscalls": [
        {"action": "SCMP_ACT_ALLOW", "names": ["access", "arch_prctl", "brk", "capset", "close", "dup2", "execve", "exit",
         "exit_group", "fcntl", "fork", "fstat", "getcwd", "getdents", "getdents64", "geteuid", "getpid", "getppid", "getuid",
         "getgid", "getegid", "ioctl", "lseek", "lstat", "mmap", "mprotect", "munmap", "newfstatat", "open", "openat", "pipe",
         "poll", "prlimit64", "read", "readlink", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sendfile",
         "set_robust_list", "set_tid_address", "setpgid", "stat", "umask", "uname", "vfork", "wait4", "write", "writev"]},
        {"action": "SCMP_ACT_ALLOW", "names": ["clone"], "args": [
         {"index": 0, "value": 2114060288, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}]}]}'
}
teardown_file() { oci_teardown; }
setup() {
    TT=$(mktemp -d "$T/t-XXXXXX")
    chmod 0755 "$TT"
    export TT
}
teardown() {
    local id
    [ -z "${agent:-}" ] || kill "$agent" 2>/dev/null || true
    for id in $(ls "$STATES" 2>/dev/null); do oci delete -f "$id" || true; done
    oci_no_cgroups
}

SHOW='grep -E "^(Cap|Seccomp:|NoNew|Uid)" /proc/self/status; mkdir /tmp/x'

@test "a profile of old calls only starts, with and without no_new_privs" {
    for nnp in true false; do
        # Without it a rootless filter needs CAP_SYS_ADMIN in its own user namespace, which the first process has.
        b=$(bundle "b-$nnp" ".process.noNewPrivileges = $nnp" '.linux.seccomp = (env.NARROW | fromjson)' "$(runs "$SHOW")")
        run oci run -b "$b" "one-$nnp"
        assert_line '^Seccomp:.2$'
        assert_line "^NoNewPrivs:.$([ $nnp = true ] && echo 1 || echo 0)\$"
        # the filter stands: mkdir is in no list
        assert_line "can't create directory '/tmp/x': Operation not permitted"
        # and what was lent to install it is gone
        for set in CapPrm CapEff CapBnd; do assert_line "^$set:.0000000020000420$"; done
        for set in CapInh CapAmb; do assert_line "^$set:.0000000000000000$"; done
    done
}

@test "a profile of old calls only starts for another user and for exec" {
    need_root
    b=$(bundle b '.process.noNewPrivileges = false | .process.user = {"uid": 1234, "gid": 5}' \
        '.process.capabilities = {"bounding": ["CAP_KILL"]}' '.linux.seccomp = (env.NARROW | fromjson)' "$(runs "$SHOW")")
    run oci run -b "$b" one
    assert_line '^Uid:.1234.1234.1234.1234$'
    assert_line '^Seccomp:.2$'
    assert_line '^CapBnd:.0000000000000020$'
    for set in CapPrm CapEff CapInh CapAmb; do assert_line "^$set:.0000000000000000$"; done
    b=$(bundle c '.process.noNewPrivileges = false' '.linux.seccomp = (env.NARROW | fromjson)' '.process.args = ["/bin/cat"]')
    mkfifo "$TT/in"
    oci create -b "$b" two <>"$TT/in"
    oci start two
    run oci exec two /bin/sh -c "$SHOW"
    assert_line '^Seccomp:.2$'
    assert_line '^CapPrm:.0000000020000420$'
    assert_line "can't create directory '/tmp/x': Operation not permitted"
}

# agent N: a listener of ours for N processes; the rules that send it calls, as a jq expression in NOTIFY.
agent() {
    python3 "$BATS_TEST_DIRNAME/oci_notify.py" "$TT/agent" "$TT" "$1" 3>&- &
    agent=$!
    wait_for 20 test -S "$TT/agent"
    export NOTIFY='{"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "'"$TT/agent"'", "listenerMetadata": "words of the caller",
        "syscalls": [{"action": "SCMP_ACT_NOTIFY", "names": ["mkdir", "mkdirat", "getppid", "rmdir"]}]}'
}
end_agent() { kill "$agent" && ! wait "$agent" 2>/dev/null; }

@test "SCMP_ACT_NOTIFY: the caller's agent gets the listener with the state, and what it answers is what the program sees" {
    local state pid
    agent 2
    b=$(bundle b '.linux.seccomp = (env.NOTIFY | fromjson)' '.annotations = {"a": "b"}' \
        "$(runs 'mkdir /tmp/x; echo $PPID; rmdir /tmp/nothing; read go')")
    mkfifo "$TT/in"
    oci run -d --pid-file "$TT/pid" -b "$b" one <>"$TT/in" >"$TT/out" 2>&1
    pid=$(cat "$TT/pid")
    wait_for 20 grep -q nothing "$TT/out"
    assert_eq "$(sed 's/^sh: //' "$TT/out")" "mkdir: can't create directory '/tmp/x': Numerical argument out of domain
4242
rmdir: '/tmp/nothing': Read-only file system"
    # config-linux.md, "The Container Process State"
    state=$TT/state.1
    assert_eq "$(jq -c '[.fds, .pid, .metadata, .state.id, .state.status, .state.pid, .state.bundle, .state.annotations.a]' "$state")" \
        "[[\"seccompFd\"],$pid,\"words of the caller\",\"one\",\"creating\",$pid,\"$b\",\"b\"]"
    assert_eq "$(jq -r .ociVersion "$state")" "$(jq -r .ociVersion "$b/config.json")"
    # The kernel names the asking process as the agent's pid namespace does; the shell asked itself for its parent.
    grep -q "^$pid 110$" "$TT/calls" || fail "who asked:" "$(cat "$TT/calls")"
    # A process that joins has a listener of its own, with its own pid.
    run oci exec --pid-file "$TT/pid2" one mkdir /tmp/y
    [ "$status" != 0 ]
    assert_line "can't create directory '/tmp/y': Numerical argument out of domain"
    assert_eq "$(jq -c '[.pid, .state.status, .state.pid]' "$TT/state.2")" "[$(cat "$TT/pid2"),\"running\",$pid]"
    end_agent
    # Without it nothing more that the profile holds for is let in, and the container goes on.
    run oci exec one true
    [ "$status" != 0 ]
    assert_line 'linux.seccomp.listenerPath'
    [ "$(oci_status one)" = running ]
    oci delete -f one
}

@test "SCMP_ACT_NOTIFY without an agent that listens fails the start, and leaves nothing" {
    agent 0
    end_agent
    b=$(bundle b '.linux.seccomp = (env.NOTIFY | fromjson)')
    run oci run -b "$b" one
    [ "$status" != 0 ]
    assert_line 'linux.seccomp.listenerPath.*Connection refused'
    b=$(bundle c '.linux.seccomp = (env.NOTIFY | fromjson | del(.listenerPath))')
    run oci run -b "$b" one
    [ "$status" != 0 ]
    assert_line 'linux.seccomp'
    assert_line 'listenerPath'
    assert_eq "$(ls "$STATES")" ""
}

# What Landlock refuses, what was declared, and whether it says so. /tmp is a folder of the host, mounted for writing.
TRY='echo a >/tmp/file && echo "in the volume"; echo b >/dev/shm/x && echo "in shared memory"; echo "to stdout" >/dev/stdout
    echo c >/dev/null && echo "to a device"; cat /tmp/file; mount -t tmpfs t /dev/shm 2>&1 && echo mounted; ls / >/dev/null && echo reads'

@test "oci_landlock in brig.conf: no mounts and devices, writing where it was declared, with and without no_new_privs" {
    local nnp state n=0
    mkdir "$TT/vol" "$TT/conf"
    chmod 0777 "$TT/vol"
    for state in off on; do
        echo "oci_landlock = $state" >"$TT/conf/brig.conf"
        for nnp in true false; do
            n=$((n + 1))
            b=$(bundle "b-$n" ".process.noNewPrivileges = $nnp" 'del(.linux.seccomp)' \
                '.mounts += [{"destination": "/tmp", "type": "bind", "source": (env.TT + "/vol"), "options": ["bind", "rw"]}]' \
                '.process.capabilities |= map_values(. + ["CAP_SYS_ADMIN"])' "$(runs "$TRY")")
            BRIG_CONFIG=$TT/conf run oci run -b "$b" "one-$n"
            for line in 'in the volume' 'in shared memory' 'to stdout' 'to a device' a reads; do assert_line "^$line\$"; done
            if [ $state = on ]; then
                assert_line '^mount: .*(Operation not permitted|permission denied)'
            else
                assert_line '^mounted$'
            fi
        done
    done
}

@test "oci_landlock: exec has it as well, signals stay inside, and a wrong value stops the start" {
    local victim
    mkdir "$TT/conf"
    echo 'oci_landlock = on' >"$TT/conf/brig.conf"
    mkfifo "$TT/in"
    b=$(bundle b '.process.args = ["/bin/cat"]')
    BRIG_CONFIG=$TT/conf oci run -d -b "$b" one <>"$TT/in" >"$TT/out" 2>&1
    # Whatever brig.conf says by now; CAP_SYS_ADMIN is the container's own or, as root, none that it could use.
    run oci exec --cap CAP_SYS_ADMIN one mount -t tmpfs t /dev/shm
    [ "$status" != 0 ]
    assert_line 'mount: .*(Operation not permitted|permission denied)'
    oci exec one kill -0 1
    oci delete -f one
    b=$(bundle c '.process.args = ["/bin/cat"]')
    oci run -d -b "$b" two <>"$TT/in" >"$TT/out" 2>&1
    oci exec --cap CAP_SYS_ADMIN two mount -t tmpfs t /dev/shm
    oci delete -f two
    echo 'oci_landlock = perhaps' >"$TT/conf/brig.conf"
    BRIG_CONFIG=$TT/conf run oci run -b "$b" three
    [ "$status" != 0 ]
    assert_line 'oci_landlock = perhaps: must be one of: off on'
    assert_eq "$(ls "$STATES")" ""
    [ "$MODE" = root ] || return 0
    # With the host's process ids, as root: only the scope is in between.
    sleep 100 3>&- &
    victim=$!
    b=$(bundle d '.linux.namespaces |= map(select(.type != "pid"))' "$(runs "kill -0 $victim && echo reached")" \
        '.process.capabilities |= map_values(. + ["CAP_KILL"])')
    run oci run -b "$b" four
    assert_line '^reached$'
    echo 'oci_landlock = on' >"$TT/conf/brig.conf"
    BRIG_CONFIG=$TT/conf run oci run -b "$b" five
    assert_line 'Operation not permitted'
    kill $victim
}

@test "the propagation of the root is what was asked for" {
    need_root
    for p in private slave shared unbindable rprivate rslave rshared runbindable; do
        b=$(bundle "b-$p" ".linux.rootfsPropagation = \"$p\"" "$(runs 'grep " / / " /proc/self/mountinfo || grep -m1 " / " /proc/self/mountinfo')")
        run oci run -b "$b" "one-$p"
        [ "$status" = 0 ]
        case $p in
        *shared) assert_line ' shared:' ;;
        *unbindable) assert_line ' unbindable ' ;;
        *private) ! grep -Eq ' (shared|master):| unbindable ' <<<"$output" ;;
        *slave) ! grep -Eq ' shared:| unbindable ' <<<"$output" ;;
        esac
    done
}
