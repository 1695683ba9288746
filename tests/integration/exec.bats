# SPDX-License-Identifier: Apache-2.0
# Commands in a running container, and who answers the system calls that its filter refuses them.

# shellcheck disable=SC2016

load lib

setup_file() { brig_setup tiny; }
teardown_file() { brig_teardown; }
setup() {
    brig_begin
    brig run -d --net none --name host tiny sleep 600 >/dev/null
}
teardown() { brig_end; }

# The events of refused calls of a program, one line each: "CALL".
refused() { brig events --since 1h --until 0s --filter container=host --filter event=refused --format '{{.Actor.Attributes.call}} {{.Actor.Attributes.program}}'; }

@test "exec: streams, exit code, environment, user, folder" {
    run brig exec -e A=b -w /tmp -u 65534 host sh -c 'echo $A $(pwd) $(id -u); exit 9'
    assert_exit 9
    assert_eq "$output" "b /tmp 65534"
    brig exec host sh -c 'echo out; echo err >&2' >"$TT/out" 2>"$TT/err"
    assert_eq "$(cat "$TT/out") $(cat "$TT/err")" "out err"
    assert_eq "$(echo typed | brig exec -i host cat)" typed
    run -127 brig exec host nosuch
    assert_exit 127
    run brig exec host /etc/passwd
    assert_exit 126
}

@test "exec -d: goes on when brig has gone, with nothing to read and nobody to write to" {
    brig exec -d host sh -c 'echo to nobody; echo nor here >&2; cat; echo $? >/cat; sleep 0.5; echo to nobody again && echo alive >/late'
    wait_for 5 brig exec host test -e /late
    assert_eq "$(brig exec host cat /late)" alive
    assert_eq "$(brig exec host cat /cat)" 0
    run brig exec -dt host sh
    assert_exit 125
    assert_line 'hint: exec -d without -t'
}

@test "exec -d: refused calls get EPERM and are told, as everywhere" {
    # What a person waits for, first: this is what it is compared with.
    run brig exec host mount -t tmpfs none /mnt
    assert_line 'Operation not permitted|permission denied'
    brig exec -d host sh -c 'mount -t tmpfs none /mnt 2>/said; sleep 1; umount /tmp 2>>/said; echo done >/end'
    wait_for 5 brig exec host test -e /end
    run brig exec host cat /said
    refute_line 'not implemented'
    assert_eq "$(grep -c 'Operation not permitted\|permission denied' <<<"$output")" 2 "$output"
    run refused
    assert_eq "$(grep -c '^mount mount' <<<"$output")" 2 "$output"
    assert_line '^umount2? '
}

@test "exec -d: more commands than the monitor answers for are warned of, and their places are given back" {
    local i
    for i in $(seq 16); do brig exec -d host sleep 300 2>"$TT/err$i"; done
    assert_eq "$(cat "$TT"/err*)" ""
    run brig exec -d host sh -c 'mount -t tmpfs none /mnt 2>/said; echo done >/end'
    assert_ok
    assert_line 'warning: .*answers for 16 commands already'
    wait_for 5 brig exec host test -e /end
    brig exec host sh -c 'for p in /proc/[0-9]*; do [ "$(cat $p/comm)" != sleep ] || [ $p = /proc/1 ] || kill ${p#/proc/}; done'
    wait_for 5 sh -c "[ -z \"\$('$BRIG' exec -d host sleep 1 2>&1)\" ]"
}

@test "a container in the foreground answers for exec -d as well" {
    "$BRIG" run --net none --name fg tiny sleep 600 >"$TT/out" 2>&1 3>&- &
    wait_for 5 container_running fg
    brig exec -d fg sh -c 'mount -t tmpfs none /mnt 2>/said; echo done >/end'
    wait_for 5 brig exec fg test -e /end
    run brig exec fg cat /said
    assert_line 'Operation not permitted|permission denied'
}
