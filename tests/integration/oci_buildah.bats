#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# brig-oci as the runtime of buildah's RUN steps, as root and as an ordinary user.
# shellcheck disable=SC2016,SC2030,SC2031

load lib
load oci_callers

setup_file() {
    command -v buildah >/dev/null || return 0
    oci_setup
    mkdir -m 0700 "$T/xdg"
    # What buildah asks for by default is above this machine's limits where root has no CAP_SYS_RESOURCE.
    cat >"$T/containers.conf" <<-EOF
	[containers]
	default_ulimits = ["nofile=1024:1024", "nproc=2048:2048"]
	EOF
    # Says that it was called, and by which command.
    printf '#!/bin/sh\necho "$@" >>%s\nexec %s "$@"\n' "$T/calls" "$OCI" >"$T/runtime"
    chmod 0755 "$T/runtime"
    ISOLATION=oci
    [ "$MODE" = root ] || ISOLATION=rootless
    export ISOLATION
    mkdir "$T/base"
    cp "$(tiny_layer)" "$T/base/layer.tar.gz"
    printf 'FROM scratch\nADD layer.tar.gz /\nCMD ["/bin/sh"]\n' >"$T/base/Dockerfile"
    buildah build --network none -t localhost/tiny "$T/base" >"$T/base.log" 2>&1 || {
        cat "$T/base.log" >&2
        return 1
    }
}

teardown_file() {
    [ -n "${T:-}" ] || return 0
    buildah rm -a >/dev/null 2>&1 || true
    [ "$MODE" = root ] || buildah unshare rm -rf "$T/storage" 2>/dev/null || true
    umount -l "$T/storage/overlay" 2>/dev/null || true
    rm -rf "$T"
}

setup() {
    command -v buildah >/dev/null || skip "buildah is not installed"
    rm -f "$T/calls"
}

buildah() {
    CONTAINERS_CONF=$T/containers.conf XDG_RUNTIME_DIR=$T/xdg BUILDAH_ISOLATION=$ISOLATION BUILDAH_RUNTIME=$T/runtime \
        timeout --foreground -k 5 60 buildah --root "$T/storage" --runroot "$T/run" "$@"
}

# called N COMMAND: the runtime was asked that often.
called() { assert_eq "$(grep -cE "(^| )$2( |$)" "$T/calls")" "$1" "calls of $2"; }

@test "RUN steps: users, what one leaves for the next, and walls" {
    mkdir "$T/one"
    cat >"$T/one/Dockerfile" <<-'EOF'
	FROM localhost/tiny
	RUN id -u && echo built > /made && grep -E '^(Seccomp|NoNewPrivs):' /proc/self/status && echo "pid $$"
	USER 1000
	RUN test "$(id -u)" = 1000 && ! touch /etc/no 2>/dev/null && cat /made && mkdir /tmp/mine
	EOF
    run buildah build --network none -t localhost/one "$T/one"
    assert_ok
    assert_line '^0$'
    assert_line '^Seccomp:.*2'
    assert_line '^pid 1$'
    assert_line '^built$'
    called 2 create
    called 2 start
    called 2 delete
    # What was written is in the image.
    local c
    c=$(buildah from localhost/one)
    run buildah run "$c" -- sh -c 'cat /made; stat -c %u /tmp/mine; id -u'
    assert_ok
    assert_eq "$output" $'built\n1000\n1000'
    buildah rm "$c"
}

@test "a RUN step that fails fails the build, with its exit code; nothing of it is left" {
    mkdir "$T/two"
    printf 'FROM localhost/tiny\nRUN exit 7\nRUN touch /never\n' >"$T/two/Dockerfile"
    run buildah build --network none -t localhost/two "$T/two"
    assert_exit 7
    called 1 start
    run buildah inspect --type image localhost/two
    [ "$status" != 0 ]
    printf 'FROM localhost/tiny\nRUN ["/nope"]\n' >"$T/two/Dockerfile"
    run buildah build --network none -t localhost/two "$T/two"
    [ "$status" != 0 ]
    assert_line 'no such file or directory'
    [ -z "$(find /sys/fs/cgroup -maxdepth 3 -name 'buildah-*' -type d)" ] || fail "cgroups are left"
}

@test "buildah run: a volume, standard input, a terminal" {
    local c
    c=$(buildah from localhost/tiny)
    mkdir -p "$T/vol"
    echo word >"$T/vol/file"
    run buildah run -v "$T/vol:/vol:ro" "$c" -- sh -c 'cat /vol/file; touch /vol/no 2>&1'
    [ "$status" != 0 ]
    assert_line '^word$'
    assert_line 'Read-only file system'
    assert_eq "$(echo bytes | buildah run "$c" -- cat)" bytes
    run on_terminal "$(declare -f buildah); buildah run -t $c -- sh -c 'tty; echo yes'"
    assert_ok
    assert_line '/dev/'
    assert_line yes
    buildah rm "$c"
}
