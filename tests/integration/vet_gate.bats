#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The policy of what may be in an image: asked before the first byte runs, answered once, waived by name and recorded.

load lib

setup_file() {
    brig_setup tiny
    make_hostile
}
make_hostile() {
    TT=$T
    cp "$TEST_BIN/probe" "$T/plain"
    make_image mariadb '{"Cmd":["true"],"Env":["PATH=/bin"]}' "f|usr/sbin/sshd|0755|0|0|@$T/plain"
}
teardown_file() { brig_teardown; }
setup() { brig_begin; }
teardown() {
    rm -rf "$BRIG_CONFIG/vet.json" "$BRIG_CONFIG/vet.rules.d" "$BRIG_DATA/verdicts"
    brig_end
}

# policy JSON: from now on that one; without, none.
policy() { install -m 0600 /dev/stdin "$BRIG_CONFIG/vet.json" <<<"$1"; }
run_it() { run brig run --rm --net none "$@"; }
verdicts() { find "$BRIG_DATA/verdicts" -name '*.json' 2>/dev/null | sort | xargs -r stat -c '%n %i'; }

@test "without a policy nobody is asked; with one, a database with an SSH server does not run, and the reason is told" {
    run_it mariadb echo ran
    assert_ok
    assert_line '^ran$'
    assert_eq "$(verdicts)" ""
    policy '{}'
    run_it mariadb echo ran
    assert_exit 125
    assert_line 'the policy of vet refuses it: an SSH server in what claims to be a database .*\(/usr/sbin/sshd\) \(V1-ssh-server\)'
    assert_line '--lower vet=V1-ssh-server'
    refute_line '^ran$'
    run brig create --net none mariadb true
    assert_exit 125
    assert_eq "$(brig ps -aq)" ""
    grep -q '"Action":"vet_refuse".*V1-ssh-server' "$BRIG_DATA/events"
    run_it tiny echo ran
    assert_ok
    assert_line '^ran$'
}

@test "a container that was made before is asked again when it is started" {
    brig create --name early --net none mariadb true >/dev/null
    policy '{}'
    run brig start early
    assert_exit 1
    assert_line 'the policy of vet refuses it'
    rm "$BRIG_CONFIG/vet.json"
    run brig start early
    assert_ok
}

@test "--lower vet=RULE lets that rule pass and no other, is told, recorded and shown" {
    policy '{"forbidden":["V1-cron"]}'
    run_it --lower vet=V1-ssh-server mariadb echo ran
    assert_exit 125
    run_it --lower vet=V1-ssh-server --lower vet=V1-cron mariadb echo ran
    assert_ok
    assert_line '^ran$'
    assert_line 'warning: the policy of vet refuses this image, and --lower vet lets it run'
    grep -q '"Action":"vet_waive".*V1-ssh-server' "$BRIG_DATA/events"
    grep -q '"Action":"start".*"lower":"vet=V1-ssh-server,vet=V1-cron"' "$BRIG_DATA/events"
    brig create --name shown --net none --lower vet mariadb true >/dev/null 2>&1
    assert_eq "$(brig inspect shown | jq -c '[.. | objects | .Lowered? // empty] | first')" '["vet"]'
    run_it --lower 'vet=a b' mariadb true
    assert_exit 125
    assert_line 'letters, digits and dashes'
}

@test "exceptions have a reason, fit rule, image and path, and end" {
    policy '{"exceptions":[{"rule":"V1-ssh-*","image":"localhost/maria*","path":"/usr/sbin/*","reason":"known","expires":"2199-12-31"}]}'
    run_it mariadb echo ran
    assert_ok
    policy '{"exceptions":[{"rule":"V1-ssh-*","image":"localhost/other*","reason":"known"}]}'
    run_it mariadb true
    assert_exit 125
    policy '{"exceptions":[{"rule":"V1-ssh-*","path":"usr/bin/*","reason":"known"}]}'
    run_it mariadb true
    assert_exit 125
    policy '{"exceptions":[{"rule":"V1-ssh-*","reason":"known","expires":"2020-01-31"}]}'
    run_it mariadb true
    assert_exit 125
    # An answer that rests on an exception ends with it, though nothing else has changed.
    policy '{"exceptions":[{"rule":"*","reason":"known","expires":"2199-12-31"}]}'
    run_it mariadb true
    assert_ok
    local file
    file=$(find "$BRIG_DATA/verdicts" -name '*.json' | head -1)
    jq -e '.until > 0 and .refused == false' "$file"
    jq '.until = 1000' "$file" >"$TT/old" && cat "$TT/old" >"$file"
    run_it mariadb true
    assert_ok
    jq -e '.until > 1000' "$file"
}

@test "the answer is kept, until policy, rules or image are others; a name is part of the question" {
    policy '{"fail_on":"never"}'
    run_it mariadb true
    assert_ok
    local before
    before=$(verdicts)
    [ -n "$before" ]
    run_it mariadb true
    assert_ok
    assert_eq "$(verdicts)" "$before"
    # Other rules are another question.
    mkdir "$BRIG_CONFIG/vet.rules.d"
    printf 'claim database\n\tcovers ssh-server\n' >"$BRIG_CONFIG/vet.rules.d/x.rules"
    run_it mariadb true
    assert_ok
    [ "$(verdicts)" != "$before" ]
    rm -r "$BRIG_CONFIG/vet.rules.d"
    policy '{"fail_on":"high"}'
    run_it mariadb true
    assert_exit 125
    brig tag mariadb openssh-server
    run_it openssh-server true
    assert_ok
    run_it mariadb true
    assert_exit 125
    brig rmi openssh-server >/dev/null
}

@test "a policy that is wrong, or that others may write, lets nothing run; what is required has to be so" {
    policy '{"fail_onn":"high"}'
    run_it tiny true
    assert_exit 125
    assert_line 'fail_onn: means nothing'
    policy '{"exceptions":[{"rule":"V1-x"}]}'
    run_it tiny true
    assert_exit 125
    assert_line 'exceptions\[0\]: no reason'
    policy '{}'
    chmod 0666 "$BRIG_CONFIG/vet.json"
    run_it tiny true
    assert_exit 125
    assert_line 'can be written by others'
    policy '{"fail_on":"never","required":["non-root"]}'
    run_it tiny true
    assert_exit 125
    assert_line 'wants a user that is not root \(required-non-root\)'
    run brig vet -q --policy "$BRIG_CONFIG/vet.json" tiny
    assert_exit 1
    policy '{"fail_on":"never"}'
    run brig vet -q --policy "$BRIG_CONFIG/vet.json" mariadb
    assert_exit 0
}

@test "a folder of --rootfs is asked at each start, unless the policy says otherwise" {
    local root=$TT/db
    mkdir -p "$root/bin" "$root/usr/sbin" "$root/etc" "$root/proc" "$root/dev" "$root/tmp"
    cp "$(command -v busybox)" "$root/bin/busybox"
    # A user's own folder belongs to nobody inside, so that mount points have to be there.
    touch "$root/etc/hosts" "$root/etc/hostname" "$root/etc/resolv.conf"
    mkdir -p "$root/sys" "$root/run" "$root/var/tmp"
    echo 'root:x:0:0::/root:/bin/sh' >"$root/etc/passwd"
    chmod -R a+rX "$TT"
    run brig run --rm --net none --rootfs "$root" /bin/busybox echo ran
    assert_ok
    policy '{"fail_on":"critical"}'
    run brig run --rm --net none --rootfs "$root" /bin/busybox echo ran
    assert_ok
    # Somebody puts a second root account in: what was clean is asked again.
    brig create --name folder --net none --rootfs "$root" /bin/busybox echo ran >/dev/null
    policy '{"forbidden":["V2-uid-0"]}'
    echo 'sync2:x:0:0::/root:/bin/sh' >>"$root/etc/passwd"
    run brig start folder
    assert_exit 1
    assert_line 'the policy of vet refuses it: .*\(/etc/passwd\) \(.*V2-uid-0'
    grep '"Action":"vet_refuse"' "$BRIG_DATA/events" | tail -1 | grep -qF "\"rootfs\":\"$root\""
    run brig run --rm --net none --lower vet --rootfs "$root" /bin/busybox echo ran
    assert_ok
    assert_line 'refuses this folder, and --lower vet lets it run'
    policy '{"forbidden":["V2-uid-0"],"exceptions":[{"rule":"V2-*","image":"'"$root"'","reason":"known"}]}'
    run brig run --rm --net none --rootfs "$root" /bin/busybox echo ran
    assert_ok
    policy '{"forbidden":["V2-uid-0"],"rootfs":"skip"}'
    run brig run --rm --net none --rootfs "$root" /bin/busybox echo ran
    assert_ok
    policy '{"rootfs":"sometimes"}'
    run brig run --rm --net none --rootfs "$root" /bin/busybox echo ran
    assert_exit 125
    brig rm folder >/dev/null
    assert_eq "$(verdicts)" ""
}

@test "a known answer starts no look" {
    need_command strace
    policy '{"fail_on":"never"}'
    run_it tiny true
    assert_ok
    strace -f -qq -e trace=execve -o "$TT/calls" "$BRIG" run --rm --net none tiny true || skip "strace cannot trace here"
    grep -q execve "$TT/calls"
    run ! grep brig-vet "$TT/calls"
    # The trace can see one: another policy is another question.
    policy '{"fail_on":"critical"}'
    strace -f -qq -e trace=execve -o "$TT/calls" "$BRIG" run --rm --net none tiny true
    grep -q brig-vet "$TT/calls"
}

@test "answers go with their image, not before its last container" {
    policy '{"fail_on":"never"}'
    make_image gone '{"Cmd":["true"],"Env":["PATH=/bin"]}' "f|etc/x|0644|0|0|=x"
    brig create --name holds --net none gone true >/dev/null
    run_it tiny true
    local id
    id=$(brig inspect gone | jq -r '.[0].Id | ltrimstr("sha256:")')
    [[ $(verdicts) == *"/$id-"* ]]
    brig image prune >/dev/null
    [[ $(verdicts) == *"/$id-"* ]]
    brig rm holds >/dev/null
    brig rmi gone >/dev/null
    brig image prune >/dev/null
    [[ $(verdicts) != *"/$id-"* ]]
    [ -n "$(verdicts)" ]
}
