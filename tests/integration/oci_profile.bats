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
