#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The store while many pull, run and remove at once, and after any process of a pull was killed at any step, against a real registry.
# BRIG_CRASH_STEPS (default 12) is how many steps are tried, spread evenly over the system calls of all processes of the pull.

load lib
load registry

setup_file() {
    local i
    brig_setup tiny
    certs_make "$T/certs"
    export REGISTRY_AUTH_FILE=$T/auth.json
    registry_start "$T/certs"
    export REGISTRY
    brig login -u alice --password-stdin "$REGISTRY" <<<secret
    # Images that share a layer and have one of their own.
    base=$(test_image tiny)
    gzip -dc "$base/blobs/sha256/$(jq -r '.layers[0].digest[7:]' \
        "$base/blobs/sha256/$(jq -r '.manifests[0].digest[7:]' "$base/index.json")")" >"$T/base.tar"
    for i in 1 2 3; do
        mkdir "$T/root$i"
        head -c 300000 /dev/urandom >"$T/root$i/bytes"
        echo "$i" >"$T/root$i/which"
        tar -C "$T/root$i" --owner=0 --group=0 -cf "$T/$i.tar" .
        "$REPO_TESTS/images/oci-layout" "$T/layout$i" app:latest '{"Cmd":["cat","/which"],"Env":["PATH=/bin"]}' "$T/base.tar" "$T/$i.tar"
        brig image copy -q "oci:$T/layout$i" "$REGISTRY/team/app:$i"
        brig trust pin "$REGISTRY/team/app:$i@$(jq -r '.manifests[0].digest' "$T/layout$i/index.json")" >/dev/null 2>&1 || true
    done
}
teardown_file() {
    servers_stop "$T/certs"
    brig_teardown
}
setup() { brig_begin; }
teardown() { brig_end; }

no_leftovers() { [ -z "$(ls -A "$BRIG_DATA/loading" 2>/dev/null)" ]; }
whole() {
    run brig image verify --deep --all
    assert_ok
    brig system df >/dev/null
}

@test "I12: pulls, runs and removals of the same and of different images at once leave whole images only" {
    local pids=() i bad=0
    for _ in 1 2 3 4; do
        for i in 1 2 3; do
            timeout 120 "$BRIG" pull -q "$REGISTRY/team/app:$i" >>"$TT/out" 2>&1 3>&- &
            pids+=($!)
        done
    done
    for i in "${pids[@]}"; do wait "$i" || bad=1; done
    [ "$bad" = 0 ] || fail "a pull failed" "$(cat "$TT/out")"
    whole
    # Removal and cleaning beside pulls: a pull wins or loses, the store stays whole.
    pids=()
    for _ in 1 2 3; do
        for i in 1 2 3; do
            timeout 120 "$BRIG" pull -q "$REGISTRY/team/app:$i" >>"$TT/out2" 2>&1 3>&- &
            pids+=($!)
            timeout 120 "$BRIG" rmi -f "$REGISTRY/team/app:$i" >/dev/null 2>&1 3>&- &
            pids+=($!)
            timeout 120 "$BRIG" image prune -f >/dev/null 2>&1 3>&- &
            pids+=($!)
        done
    done
    for i in "${pids[@]}"; do wait "$i" || true; done
    whole
    for i in 1 2 3; do
        run brig pull -q "$REGISTRY/team/app:$i"
        assert_ok
    done
    whole
    no_leftovers || fail "a folder is left in loading"
    # What a container uses stays, whoever cleans up.
    run brig create --net none --name pulls$$ "$REGISTRY/team/app:1"
    if [ "$status" = 0 ]; then
        brig rmi -f "$REGISTRY/team/app:1" >/dev/null 2>&1 || true
        brig image prune -a -f >/dev/null
        run brig start -a pulls$$
        assert_line '^1$'
        brig rm -f pulls$$ >/dev/null
    else
        fail "it does not run" "$output"
    fi
    brig image prune -a -f >/dev/null
}

@test "I12: a pull, killed at any step, is repaired by the next one" {
    local process call want have ended killat=$TEST_BIN/killat
    "$killat" -c "$BRIG" pull -q "$REGISTRY/team/app:1" >"$TT/counted" 2>&1 3>&- || skip "needs to be allowed to trace: $(head -1 "$TT/counted")"
    brig rmi -f "$REGISTRY/team/app:1" >/dev/null
    awk '{ for (i = 1; i <= $2; i++) print $1, i }' "$TT/counted" >"$TT/all"
    want=${BRIG_CRASH_STEPS:-12} have=$(wc -l <"$TT/all")
    [ "$have" -gt 200 ] || fail "only $have calls were seen"
    [ "$want" != all ] || want=$have
    awk -v want="$want" -v have="$have" 'int(NR * want / have) != int((NR - 1) * want / have)' "$TT/all" >"$TT/steps"
    while read -r process call; do
        ended=0
        "$killat" "$process" "$call" "$BRIG" pull -q "$REGISTRY/team/app:1" >"$TT/step" 2>&1 3>&- </dev/null || ended=$?
        [ "$ended" != 3 ] || fail "the pull hangs: $process at $call" "$(cat "$TT/step")"
        # Whatever is listed is whole, and the next pull makes the rest.
        whole
        run brig pull -q "$REGISTRY/team/app:1"
        assert_ok
        no_leftovers || fail "left after $process at $call: $(ls "$BRIG_DATA/loading")"
        whole
        brig rmi -f "$REGISTRY/team/app:1" >/dev/null
    done <"$TT/steps"
}

@test "I12: a disk that is full at any point of a pull leaves what can be verified, or nothing, and the next one needs no help" {
    need_root
    local disk=$TT/disk left free
    truncate -s 24M "$TT/disk.img"
    mkfs.ext4 -q -F -b 1024 "$TT/disk.img"
    mkdir "$disk"
    mount -o loop "$TT/disk.img" "$disk" || skip "no loop device"
    (
        export BRIG_DATA=$disk/data BRIG_RUNTIME=$TT/run
        full=0 went=0
        for left in 16 400 1000 1600 2000 2400 2600 2800 3000 3400 8000; do
            free=$(df -k --output=avail "$disk" | tail -1)
            fallocate -l $((free - left))K "$disk/fill"
            if brig pull -q "$REGISTRY/team/app:1" >"$TT/out" 2>&1; then
                went=$((went + 1))
            else
                full=$((full + 1))
                grep -q 'No space left' "$TT/out" || fail "with $left KB" "$(cat "$TT/out")"
            fi
            brig image verify -q --deep --all || fail "with $left KB: verify while it is full"
            rm "$disk/fill"
            brig pull -q "$REGISTRY/team/app:1" >/dev/null || fail "with $left KB: pull"
            brig image verify -q --deep --all || fail "with $left KB: verify"
            brig rmi -f "$REGISTRY/team/app:1" >/dev/null || fail "with $left KB: rmi"
            brig image prune -f >/dev/null
            assert_eq "$(find "$disk/data/objects" "$disk/data/layers" "$disk/data/trees" "$disk/data/loading" -mindepth 1)" ""
        done
        [ $full -gt 1 ] && [ $went -gt 1 ] || fail "full $full times, went $went times"
    )
    umount "$disk"
}
