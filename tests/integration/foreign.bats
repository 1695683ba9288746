#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# brig posture --pid: processes that brig did not start, from a plain one to containers of other engines, judged by the same
# walls. The other engines run from a bundle without a network, in a mount namespace of their own where they need one.

load lib
setup_file() { brig_setup tiny; }
teardown_file() { brig_teardown; }
setup() {
    brig_begin
    OTHERS=()
}
teardown() {
    local pid
    for pid in "${OTHERS[@]}"; do kill -9 "$pid" 2>/dev/null || true; done
    brig_end
}

# The root file system of the tiny image, in $TT/root.
root_of_tiny() {
    mkdir -p "$TT/root"
    local base
    base=$(test_image tiny)
    tar -C "$TT/root" --no-same-owner -xzf "$base/blobs/sha256/$(jq -r '.layers[0].digest[7:]' \
        "$base/blobs/sha256/$(jq -r '.manifests[0].digest[7:]' "$base/index.json")")" --exclude='dev/*'
}

# judge PID: $TT/j.json; the exit code of posture must be 1 exactly when a wall does not stand.
judge() {
    local code=0
    timeout 20 "$BRIG" posture --pid "$1" --format json >"$TT/j.json" || code=$?
    assert_eq "$(jq -r '.Pid' "$TT/j.json")" "$1"
    assert_eq "$(jq -r '.Walls | length' "$TT/j.json")" 20
    if [ "$(jq -r '[.Walls[] | select(.Verdict != "stands")] | length' "$TT/j.json")" = 0 ]; then
        assert_eq "$code" 0
    else
        assert_eq "$code" 1
    fi
    # Without a plan there is nothing lowered, and every verdict that is not "stands" says why or what.
    assert_eq "$(jq -r '.Walls[] | select(.Verdict == "lowered" or .Verdict == "absent") | .Wall' "$TT/j.json")" ""
    assert_eq "$(jq -r '.Walls[] | select(.Evidence == "") | .Wall' "$TT/j.json")" ""
    # The table says the same.
    run timeout 20 "$BRIG" posture --pid "$1"
    assert_eq "$status" "$code"
    assert_line "^[a-z]+ \(pid $1\): $(jq -r '[.Walls[] | select(.Verdict == "stands")] | length' "$TT/j.json") of 20 walls stand"
}
verdict() { jq -r --arg w "$1" '.Walls[] | select(.Wall == $w) | .Verdict' "$TT/j.json"; }
# all VERDICT WALL...
all() {
    local want=$1 wall
    shift
    for wall in "$@"; do
        [ "$(verdict "$wall")" = "$want" ] || fail "$wall is $(verdict "$wall"), not $want" \
            "$(jq -c --arg w "$wall" '.Walls[] | select(.Wall == $w)' "$TT/j.json")"
    done
}

# The deepest process below PID that runs `sleep`.
sleeper_below() { pgrep -P "$1" -x sleep || { local c; for c in $(pgrep -P "$1"); do sleeper_below "$c" && return; done; return 1; }; }

@test "a plain process: every namespace is the host's, nothing stands between it and the kernel" {
    sleep 60 3>&- &
    OTHERS+=($!)
    judge $!
    all down user pid ipc uts net mounts nnp seccomp
}

@test "no_new_privs alone stands alone" {
    setpriv --no-new-privs sleep 60 3>&- &
    OTHERS+=($!)
    wait_for 5 grep -q sleep "/proc/$!/comm"
    judge $!
    all stands nnp
    all down user pid ipc uts net mounts seccomp
}

@test "a process that is not there, a number that is none, containers beside --pid" {
    run "$BRIG" posture --pid 4194303
    assert_exit 125
    assert_line 'no process 4194303'
    for bad in 0 -1 x 99999999999; do
        run "$BRIG" posture --pid "$bad"
        assert_exit 125
    done
    run "$BRIG" posture --pid $$ a
    [ "$status" != 0 ]
}

@test "brig's own container, looked at as if it were a stranger's" {
    brig run -d --net none --name a tiny sleep 60
    judge "$(container_pid a)"
    all stands user pid ipc uts cgroupns net nnp seccomp caps
    # What the kernel tells nobody, and what only a record could: unknown, with the reason.
    all unknown keyring landlock image
    assert_eq "$(jq -r '.Walls[] | select(.Verdict == "unknown" and .Why == "") | .Wall' "$TT/j.json")" ""
}

@test "bwrap: namespaces stand, seccomp does not" {
    need_command bwrap
    root_of_tiny
    bwrap --unshare-all --bind "$TT/root" / --proc /proc --dev /dev sleep 60 3>&- &
    OTHERS+=($!)
    local pid
    wait_for 10 sleeper_below $!
    pid=$(sleeper_below $!)
    judge "$pid"
    all stands pid ipc uts net nnp
    all down seccomp
}

# oci ENGINE: runs the bundle of the tiny image by a runtime of this command line; posture of its process.
oci() {
    root_of_tiny
    (cd "$TT" && "$1" spec)
    jq '.process.args = ["sleep", "60"] | .process.terminal = false | .root.path = "root" | .root.readonly = true
        | del(.linux.resources) | .linux.cgroupsPath = ("brig-test-" + (now | tostring | gsub("\\."; "")))' \
        "$TT/config.json" >"$TT/config.new"
    mv "$TT/config.new" "$TT/config.json"
}

@test "runc: as its template has it, without a filter and with the host's ids" {
    need_root
    need_command runc
    oci runc
    cd "$TT"
    runc --root "$TT/runc" run -d --pid-file "$TT/pid" x >/dev/null 2>"$TT/err" 3>&- </dev/null || skip "runc does not run here: $(tail -1 "$TT/err")"
    judge "$(cat "$TT/pid")"
    runc --root "$TT/runc" delete -f x
    all stands pid ipc uts nnp net
    all down user seccomp
}

@test "podman as root: the host's ids, no no_new_privs, a filter; its limits" {
    need_root
    need_command podman
    root_of_tiny
    cat >"$TT/podman" <<-END
	umount /sys/fs/cgroup/unified 2>/dev/null
	podman() { command podman --root $TT/storage --runroot $TT/runroot --cgroup-manager cgroupfs "\$@" </dev/null 3>&-; }
	podman run -d --name foreign --cidfile $TT/cid --ulimit nofile=1024:1024 --ulimit nproc=1000:1000 --network none \
	    --security-opt label=disable --rootfs $TT/root sleep 60 >$TT/out 2>&1 || exit 3
	podman inspect foreign --format '{{.State.Pid}}' >$TT/pid
	while [ ! -e $TT/end ]; do sleep 0.1; done
	podman rm -f -t 0 foreign >/dev/null 2>&1
	umount -R $TT/storage 2>/dev/null
	true
	END
    timeout 120 unshare -m --propagation private bash "$TT/podman" 3>&- &
    local starter=$!
    wait_for 60 test -s "$TT/pid" || { kill "$starter" 2>/dev/null; skip "podman does not run here: $(tail -1 "$TT/out")"; }
    judge "$(cat "$TT/pid")"
    touch "$TT/end"
    wait "$starter"
    all stands pid ipc uts net seccomp devices fds
    all down user nnp caps
    # The same by name and in words.
    assert_line '^user +down'
    assert_line "why: root inside is root outside"
}

@test "crun: its template, without a filter and with the host's ids" {
    need_root
    need_command crun
    oci crun
    # On a hybrid cgroup host crun does not run; without the unified hierarchy it does.
    run unshare -m --propagation private bash -c 'umount /sys/fs/cgroup/unified 2>/dev/null
        cd "$TT" && crun --root "$TT/crun" run -d --pid-file "$TT/pid" x </dev/null 2>"$TT/err" 3>&- >/dev/null'
    [ "$status" = 0 ] || skip "crun does not run here: $(tail -1 "$TT/err")"
    judge "$(cat "$TT/pid")"
    unshare -m --propagation private bash -c 'umount /sys/fs/cgroup/unified 2>/dev/null; crun --root "$TT/crun" delete -f x'
    all stands pid ipc uts nnp net
    all down user seccomp
}
