# SPDX-License-Identifier: Apache-2.0
# The system call and Landlock walls as a person meets them: the errno census inside a default container, what each
# --lower opens and what it leaves shut, and the record of refused calls.

load lib

setup_file() {
    brig_setup tiny
    make_image census '{"Cmd":["/census"]}' "f|census|0755|0|0|@$TEST_BIN/census" \
        "f|table|0644|0|0|@$REPO_TESTS/attacks/census.x86_64" 'd|data|1777' ||
        return 1
}
teardown_file() { brig_teardown; }
setup() { brig_begin; }
teardown() { brig_end; }

inside() { brig run --rm --net none "$@"; }

@test "the census inside a container equals the table" {
    run -0 inside census /census -d /table
    run -0 inside -u 1000 census /census -d /table
}

@test "lowering a part of seccomp opens that part only" {
    run -1 inside --lower seccomp=ptrace census /census -d /table
    assert_eq "$(grep -c '^x86-64 ' <<<"$output")" "$(grep -cE ' (ptrace|process_vm_readv|process_vm_writev|kcmp) ' <<<"$output")" \
        "$output"
    grep -q ' ptrace ' <<<"$output"
    # A mask that opens nothing of what was not named: the table still holds for the rest.
    run -1 inside --lower seccomp=bpf census /census -d /table
    assert_eq "$(grep -vc ' bpf ' <<<"$output")" 0 "$output"
}

@test "an unknown part of a wall is refused with those that there are" {
    run -125 inside --lower seccomp=nosuch tiny true
    [[ $output == *nosuch* && $output == *ptrace* ]]
    run -125 inside --lower landlock=nosuch tiny true
    [[ $output == *nosuch* && $output == *ephemeral* ]]
}

@test "a rare call is refused and recorded, a common one refused in silence" {
    local id
    id=$(brig run -d --net none tiny sh -c 'mount -t tmpfs x /mnt; hostname other; sleep 30')
    refused() { grep -h '"refused"' "$BRIG_DATA/containers/$id"/events*; }
    wait_for 10 refused
    run -0 refused
    [[ $output == *'"call":"mount"'* && $output == *'"program":"mount"'* ]]
    [[ $output != *sethostname* ]]
}

@test "writing: the layer and declared places, nothing else" {
    mkdir -m 0777 "$TT/shared"
    run -0 inside -v "$TT/shared:/shared" -v "$TT/shared:/fixed:ro" tiny sh -c '
        touch /etc/a /tmp/b /run/c /dev/shm/d /shared/e && echo declared
        mkdir /new && touch /new/a && echo new
        touch /fixed/f 2>/dev/null || echo no fixed
        echo 1 2>/dev/null >/proc/self/oom_score_adj || echo no proc
        echo x >/dev/null && echo x >/dev/stdout && echo devices'
    assert_eq "${lines[*]}" "declared new no fixed no proc x devices"
    [ -e "$TT/shared/e" ]
    [ ! -e "$TT/shared/f" ]
    run -0 inside --read-only tiny sh -c 'touch /tmp/a && echo tmp; touch /etc/a 2>/dev/null || echo no etc'
    assert_eq "${lines[*]}" "tmp no etc"
    run -0 inside --lower landlock=proc tiny sh -c 'echo 1 >/proc/self/oom_score_adj && echo proc'
}

@test "posture names the part of a wall that was lowered" {
    local id
    id=$(brig run -d --net none --lower landlock=ephemeral --lower seccomp=ptrace tiny sleep 30)
    run -1 brig posture "$id"
    assert_eq "$(grep -c lowered <<<"$(awk '$2 == "lowered"' <<<"$output")")" 2 "$output"
    [[ $output == *ephemeral* && $output == *ptrace* ]]
    run -1 brig posture --format json "$id"
}

@test "a process of exec stands behind the same walls and can signal the first one" {
    local id
    id=$(brig run -d --net none census sleep 30)
    run -0 brig exec "$id" /census -d /table
    run -0 brig exec "$id" kill -0 1
    run -0 brig exec "$id" sh -c 'echo 1 2>/dev/null >/proc/self/oom_score_adj || echo no proc'
    assert_eq "$output" "no proc"
}
