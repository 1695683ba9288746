#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# cp, diff and the size of the writable layer: of running and of stopped containers, against a hostile one (C11, C12).
# shellcheck disable=SC2016,SC2030,SC2031,SC2154

load lib

setup_file() { brig_setup tiny; }
teardown_file() { brig_teardown; }
setup() { brig_begin; }
teardown() { brig_end; }

in_container() { brig exec "$1" sh -c "$2"; }

# One that runs and one that ended, both with the same files.
both() {
    local script='cd /data; mkdir -p d/sub; echo one >d/f; echo two >d/sub/g; ln -s /data/d/f abs; chmod 0750 d/sub; echo x >top'
    up=$(brig run -d --net none tiny sh -c "$script; touch /tmp/ready; sleep 300")
    wait_for 10 brig exec "$up" test -e /tmp/ready
    down=$(brig create --net none tiny sh -c "$script")
    brig start -a "$down"
}

@test "cp out: files, folders and contents" {
    both
    local c
    for c in "$up" "$down"; do
        rm -rf "$TT/o" && mkdir "$TT/o"
        brig cp "$c:/data/d/f" "$TT/o/name"
        assert_eq "$(cat "$TT/o/name")" one
        brig cp "$c:data/d/f" "$TT/o"
        assert_eq "$(cat "$TT/o/f")" one
        brig cp "$c:/data/d" "$TT/o/new"
        assert_eq "$(cat "$TT/o/new/sub/g")" two
        assert_eq "$(stat -c %a "$TT/o/new/sub")" 750
        brig cp "$c:/data/d" "$TT/o"
        assert_eq "$(cat "$TT/o/d/sub/g")" two
        brig cp "$c:/data/d/." "$TT/o"
        assert_eq "$(cat "$TT/o/sub/g")" two
        # owned by who called
        assert_eq "$(stat -c %u "$TT/o/new/sub/g")" "$(id -u)"
        # a link as itself, or followed inside the container
        brig cp "$c:/data/abs" "$TT/o/link"
        assert_eq "$(readlink "$TT/o/link")" /data/d/f
        brig cp -L "$c:/data/abs" "$TT/o/followed"
        assert_eq "$(cat "$TT/o/followed")" one
    done
}

@test "cp in: files, folders and contents" {
    both
    mkdir -p "$TT/src/deep"
    echo data >"$TT/src/f"
    echo more >"$TT/src/deep/g"
    chmod 0700 "$TT/src/deep"
    brig cp "$TT/src" "$up:/new"
    assert_eq "$(in_container "$up" 'cat /new/deep/g; stat -c "%a %u:%g" /new/deep')" $'more\n700 0:0'
    brig cp "$TT/src" "$up:/data/d"
    assert_eq "$(in_container "$up" 'cat /data/d/src/f')" data
    brig cp "$TT/src/." "$up:/data/d"
    assert_eq "$(in_container "$up" 'cat /data/d/f /data/d/deep/g')" $'data\nmore'
    # an absolute link of the container's own works, and is kept
    in_container "$up" 'mkdir /data/real; ln -s /data/real /data/run'
    brig cp "$TT/src/f" "$up:/data/run/"
    assert_eq "$(in_container "$up" 'cat /data/real/f; readlink /data/run')" $'data\n/data/real'

    brig cp "$TT/src" "$down:/new"
    brig cp "$TT/src/f" "$down:/data/d/sub"
    mkdir "$TT/back"
    brig cp "$down:/new/." "$TT/back"
    brig cp "$down:/data/d/sub/f" "$TT/back/f2"
    assert_eq "$(cat "$TT/back/deep/g" "$TT/back/f2")" $'more\ndata'
    # what was copied in is there at the next start
    down=$(brig create --net none tiny cat /given)
    brig cp "$TT/src/f" "$down:/given"
    assert_eq "$(brig start -a "$down")" data
}

@test "cp of tar streams" {
    both
    local c
    for c in "$up" "$down"; do
        rm -rf "$TT/t" && mkdir "$TT/t"
        brig cp "$c:/data/d" - | tar -x -C "$TT/t"
        assert_eq "$(cat "$TT/t/d/sub/g")" two
        tar -c -C "$TT/t" d | brig cp - "$c:/top-dir" && fail "unpacked into a folder that does not exist"
        tar -c -C "$TT/t" d | brig cp - "$c:/tmp"
        brig cp "$c:/tmp/d/f" - | tar -xO
        assert_eq "$(brig cp "$c:/tmp/d/f" - | tar -xO)" one
    done
    # a hostile archive stays inside the folder, and inside the container
    mkdir -p "$TT/evil/a"
    ln -s /etc "$TT/evil/l"
    tar -cf "$TT/evil.tar" -C "$TT/evil" l
    mkdir "$TT/evil2" "$TT/evil2/l"
    echo pwned >"$TT/evil2/l/passwd"
    tar -rf "$TT/evil.tar" -C "$TT/evil2" l/passwd
    run brig cp - "$up:/tmp" <"$TT/evil.tar"
    [ "$status" != 0 ]
    refute_line pwned
    [ "$(in_container "$up" 'cat /etc/passwd')" != pwned ]
    run brig cp - "$up:/tmp" </dev/null
    run bash -c 'head -c 5000 /dev/urandom | "$BRIG" cp - "$1:/tmp"' x "$up"
    assert_exit 125
}

@test "a large file arrives whole" {
    both
    head -c 20000000 /dev/urandom >"$TT/big"
    brig cp "$TT/big" "$up:/data/big"
    assert_eq "$(in_container "$up" 'sha256sum </data/big')" "$(sha256sum <"$TT/big")"
    brig cp "$up:/data/big" "$TT/big2"
    cmp "$TT/big" "$TT/big2"
}

@test "cp: what cannot be says why" {
    both
    echo x >"$TT/f"
    mkdir "$TT/dir"
    run brig cp "$up:/nope" "$TT/x"
    assert_exit 125
    assert_line 'nope: No such file'
    refute_file "$TT/x"
    run brig cp "$TT/nope" "$up:/x"
    assert_exit 125
    run brig cp "$TT/f" "$up:/none/x"
    assert_exit 125
    run brig cp "$TT/f" "$up:/none/"
    assert_exit 125
    run brig cp "$TT/dir" "$up:/data/top"
    assert_exit 125
    assert_line 'cannot be copied onto it'
    run brig cp "$up:/data/d" "$TT/f"
    assert_exit 125
    assert_eq "$(cat "$TT/f")" x
    run brig cp "$up:/data/d/f" "$down:/x"
    assert_exit 125
    assert_line 'from one container to another'
    ro=$(brig create --read-only --net none tiny true)
    run brig cp "$TT/f" "$ro:/x"
    assert_exit 125
    assert_line 'Read-only'
}

@test "cp out never gives set-user-id programs, sockets or devices" {
    up=$(brig run -d --net none tiny sh -c 'mkdir /data/d; cp /bin/busybox /data/d/su; chmod 06755 /data/d/su; mkfifo /data/d/p; touch /tmp/ready; sleep 300')
    wait_for 10 brig exec "$up" test -e /tmp/ready
    brig cp "$up:/data/d" "$TT/d"
    assert_eq "$(stat -c %a "$TT/d/su")" 755
    [ -p "$TT/d/p" ]
    run brig cp "$up:/dev" "$TT/dev"
    assert_ok
    assert_line 'left out'
    [ -z "$(find "$TT/dev" -type b -o -type c)" ]
}

@test "C11: a container that swaps folders and links while files are copied" {
    canary_make "$TT/canary"
    up=$(brig run -d --net none tiny sh -c '
        cd /data; mkdir -p flip/dir aside; echo mine >flip/dir/f; ln -s /../../../../../../../../../../../../../'"$TT"'/canary aside/link
        touch /tmp/ready
        while :; do
            mv flip/dir aside/dir; mv aside/link flip/dir; mv flip/dir aside/link; mv aside/dir flip/dir
        done')
    wait_for 10 brig exec "$up" test -e /tmp/ready
    echo payload >"$TT/payload"
    local i got=0
    for i in $(seq 60); do
        # Either may fail when it comes in between; neither may touch the canary or bring its bytes.
        brig cp "$TT/payload" "$up:/data/flip/dir/decoy" 2>/dev/null && got=$((got + 1))
        brig cp "$up:/data/flip/dir" "$TT/out-$i" 2>/dev/null || true
        brig cp "$up:/data/flip/dir/secret" "$TT/secret-$i" 2>/dev/null || true
    done
    [ $got -gt 0 ] # the copies did go through
    canary_check
    run ! grep -rlF "$(canary_nonce)" "$TT"/out-* "$TT"/secret-* 2>/dev/null
}

@test "C11: links of a stopped container lead nowhere outside" {
    canary_make "$TT/canary"
    down=$(brig create --net none tiny sh -c "mkdir -p /data/a; cd /data/a; ln -s ../../../../../../../../../..$TT/canary rel
        ln -s $TT/canary abs; ln -s /proc/self/root$TT/canary proc")
    brig start -a "$down"
    local l
    echo payload >"$TT/payload"
    for l in rel abs proc; do
        run brig cp "$down:/data/a/$l/secret" "$TT/stolen"
        assert_exit 125
        run brig cp -L "$down:/data/a/$l" "$TT/stolen"
        assert_exit 125
        run brig cp "$TT/payload" "$down:/data/a/$l/decoy"
        assert_exit 125
    done
    refute_file "$TT/stolen"
    canary_check
}

@test "names with control characters are copied and shown escaped" {
    up=$(brig run -d --net none tiny sh -c 'mkdir /data/srv; cd /data/srv; echo x >"$(printf "a\033[31m\nb")"; touch /tmp/ready; sleep 300')
    wait_for 10 brig exec "$up" test -e /tmp/ready
    run brig diff "$up"
    assert_ok
    case $output in *$'\e'*) fail "a control character in: $output" ;; esac
    assert_line '^A /data/srv/a\\x1b\[31m\\x0ab$'
    brig cp "$up:/data/srv" "$TT/srv"
    assert_file "$TT/srv/"$'a\e[31m\nb'
}

@test "diff: added, changed, deleted" {
    down=$(brig create --net none tiny sh -c 'echo >>/etc/passwd; mkdir /data/new; echo x >/data/new/f; rm -r /etc/group')
    run -0 brig diff "$down"
    assert_eq "$output" ''
    brig start -a "$down"
    run -0 brig diff "$down"
    assert_line '^C /etc$'
    assert_line '^C /etc/passwd$'
    assert_line '^D /etc/group$'
    assert_line '^A /data/new$'
    assert_line '^A /data/new/f$'
    refute_line '/proc|/dev/|resolv'
    run -0 brig diff --format json "$down"
    jq -se 'map(select(.Kind == "A" and .Path == "/data/new/f")) | length == 1' <<<"$output"
    # sorted, parents first
    run -0 brig diff "$down"
    assert_eq "$(cut -c3- <<<"$output")" "$(cut -c3- <<<"$output" | LC_ALL=C sort)"
}

@test "the size of the writable layer" {
    down=$(brig create --net none tiny sh -c 'head -c 3000000 /dev/zero >/data/big')
    brig start -a "$down"
    local size
    size=$(brig inspect --size --format '{{.SizeRw}}' "$down")
    [ "$size" -ge 3000000 ] && [ "$size" -lt 3300000 ]
    run -0 brig ps -as --format '{{.ID}} {{.Size}}'
    assert_line "^${down:0:12} 3\.[0-9]+MB \(virtual [0-9.]+MB\)$"
    run -0 brig ps -as
    assert_line 'SIZE'
}
