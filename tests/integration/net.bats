#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Networks from the command line. What is reached and what is refused is asserted in tests/unit/engine_net_up.c.

# shellcheck disable=SC2016
load lib
setup_file() { brig_setup tiny; }
teardown_file() { brig_teardown; }
setup() { brig_begin; }
teardown() { brig_end; }

need_private() {
    command -v pasta >/dev/null || skip "pasta is not installed"
    [ "$MODE" = root ] || [ -w /dev/net/tun ] || skip "/dev/net/tun cannot be opened"
}

@test "none: the loopback and nothing else" {
    run brig run --rm --net none tiny /bin/sh -c 'cat /proc/net/dev'
    [ "$status" = 0 ]
    [[ $output == *lo:* ]]
    [[ $output != *eth0:* ]]
}

@test "private: a published port answers on 127.0.0.1, and posture proves the wall" {
    need_private
    cid=$(brig run -d -p 80 tiny /bin/sh -c 'while :; do echo hello | nc -l -p 80; done')
    where=$(brig port "$cid" | sed -n 's/.* -> //p')
    [[ $where == 127.0.0.1:* ]]
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        answer=$(timeout 2 bash -c "exec 3<>/dev/tcp/${where/:/\/}; cat <&3" 2>/dev/null) && [ -n "$answer" ] && break
        sleep 0.2
    done
    [ "$answer" = hello ]
    run brig posture "$cid"
    grep -q 'net .*stands.*nftables table brig' <<<"$output"
    brig rm -f "$cid"
    run pgrep -f "^brig-pasta-${cid:0:12}"
    [ "$status" = 1 ]
}

@test "bad ports, hosts and resolvers are refused and nothing is left" {
    for bad in "-p 99999" "-p ::1:80:80" "-p 1-2:80" "--add-host nonsense" "--dns example" "-p 80/sctp"; do
        # shellcheck disable=SC2086
        run brig run --rm $bad tiny true
        [ "$status" = 125 ]
    done
    run brig run --rm --net none -p 80 tiny true
    [ "$status" = 125 ]
    [ -z "$(brig ps -aq)" ]
}

@test "join: containers share a network and nothing else" {
    need_private
    local a b
    a=$(brig run -d --expose 8080 tiny sleep 600)
    b=$(brig run -d --net "container:$a" tiny sleep 600)
    brig exec -d "$a" sh -c 'echo pong | nc -l -p 8080'
    wait_for 10 brig exec "$a" sh -c 'grep -q :1F90 /proc/net/tcp /proc/net/tcp6'
    assert_eq "$(brig exec "$b" nc 127.0.0.1 8080 </dev/null)" pong
    run brig posture "$b"
    assert_walls_stand
    # The ids of each are its own, and neither sees the other's processes.
    run comm -12 <(host_ids "$a") <(host_ids "$b")
    assert_eq "$output" ""
    assert_eq "$(brig exec "$b" sh -c 'ls -d /proc/[0-9]*' | wc -l)" 2
    # One that joined can be joined.
    run brig run --rm --net "container:$b" tiny cat /proc/net/dev
    assert_ok
    assert_line 'eth0:'
    brig rm -f "$a" "$b"
}
# The host ids that a container's maps name, one a line.
host_ids() {
    awk '{ for (i = 0; i < $3 && i < 5000; i++) print $2 + i }' "/proc/$(container_pid "$1")/uid_map" | sort
}

@test "join: what has no network of its own is not joined by a user" {
    need_user
    local n
    n=$(brig run -d --net none tiny sleep 600)
    run -125 brig run --rm --net "container:$n" tiny true
    assert_line 'was started with --net none'
    run -125 brig run --rm --net container:nobody tiny true
    brig rm -f "$n"
}

@test "private: root's containers need no /dev/net/tun that all may open" {
    need_root
    command -v pasta >/dev/null || skip "pasta is not installed"
    [ -c /dev/net/tun ] || skip "this kernel has no tun device"
    run unshare --mount --propagation private bash -c '
        mount -t tmpfs -o mode=0755 tun /dev/net && mknod -m 0600 /dev/net/tun c 10 200 &&
        "$BRIG" run --rm tiny cat /proc/net/dev && stat -c "still %a" /dev/net/tun'
    assert_ok
    assert_line ' eth0:'
    assert_line '^still 600$'
}

@test "private: a host without a resolver is said, in the foreground, in the background and at a start" {
    need_root
    need_private
    : >"$TT/resolv.conf"
    run unshare --mount --propagation private bash -c '
        mount --bind "$TT/resolv.conf" "$(realpath /etc/resolv.conf)" || exit 99
        "$BRIG" run --rm tiny true && echo
        "$BRIG" run -d --name quiet tiny sleep 60 && "$BRIG" stop -t 0 quiet && "$BRIG" start quiet'
    assert_ok
    assert_eq "$(grep -c '^brig: warning: the host names no resolver' <<<"$output")" 3 "$output"
    run brig run --rm tiny true
    refute_line warning
}

@test "private: a start that fails leaves no pasta, however far that was" {
    need_private
    local before
    before=$(pgrep -fc '^brig-pasta-' || true)
    for _ in $(seq 12); do run -127 brig run --rm tiny nosuch; done
    none_more() { [ "$(pgrep -fc '^brig-pasta-' || true)" -le "$before" ]; }
    wait_for 5 none_more
}
