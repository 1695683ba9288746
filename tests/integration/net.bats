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

@test "join: root's containers share a network, a user is told why not" {
    need_private
    cid=$(brig run -d tiny sleep 60)
    run brig run --rm --net "container:$cid" tiny /bin/sh -c 'cat /proc/net/dev'
    if [ "$MODE" = root ]; then
        [ "$status" = 0 ]
        [[ $output == *eth0:* ]]
    else
        [ "$status" = 125 ]
        [[ $output == *"only root"* ]]
    fi
    brig rm -f "$cid"
}

@test "join: why a user's cannot: the kernel lets no sibling into a network, only who stands above" {
    need_user
    local a
    unshare --user --map-root-user --net sleep 60 3>&- &
    a=$!
    wait_for 5 grep -q sleep "/proc/$a/comm"
    # The owner lacks the right in its own user namespace, a sibling has none in the other's.
    run nsenter --net="/proc/$a/ns/net" true
    [ "$status" != 0 ]
    # By an open descriptor: /proc would keep it away already.
    exec 9<"/proc/$a/ns/net"
    run unshare --user --map-root-user nsenter --net=/proc/self/fd/9 true
    exec 9<&-
    [ "$status" != 0 ]
    assert_line 'not permitted'
    # The control: inside of its user namespace, where another container's ids are not, it works.
    run nsenter --user="/proc/$a/ns/user" --net="/proc/$a/ns/net" --preserve-credentials true
    assert_ok
    kill "$a"
    # From a user namespace above both it works as well: what the comment in src/confine/net.c proposes.
    run unshare --user --map-root-user bash -c 'unshare --user --map-root-user --net sleep 5 & a=$!
        for _ in $(seq 50); do grep -q sleep /proc/$a/comm && break; sleep 0.1; done
        nsenter --net=/proc/$a/ns/net unshare --user --map-root-user readlink /proc/self/ns/net; readlink /proc/$a/ns/net; kill $a'
    assert_ok
    assert_eq "${lines[0]}" "${lines[1]}"
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
