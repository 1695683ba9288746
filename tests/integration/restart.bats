# SPDX-License-Identifier: Apache-2.0
# Restart policies: who starts a container again, how often, how soon, and what keeps it down.

load lib

setup_file() { brig_setup tiny; }
teardown_file() { brig_teardown; }
setup() { brig_begin; }
teardown() { brig_end; }

# state NAME: "STATUS RESTARTS EXITCODE"
state() { container_get "$1" '{{.State.Status}} {{.RestartCount}} {{.State.ExitCode}}'; }
# shellcheck disable=SC2053 # a pattern on purpose
is_state() { [[ "$(state "$1")" == $2 ]]; }
await_state() {
    wait_for "${3:-10}" is_state "$1" "$2" || fail "$1 is $(state "$1") $(container_get "$1" '{{.State.Error}}'), not $2"
}
# Each run adds a line to the container's log.
runs() { brig logs "$1" | grep -c '^run$'; }

# Fails N times, then stays: the runs are counted in the writable layer.
fails_first() { echo "echo run; n=\$(cat /n 2>/dev/null || echo 0); echo \$((n + 1)) >/n; [ \$n -ge $1 ] || exit 3; exec sleep 600"; }

@test "--restart no: one run" {
    brig run -d --net none --restart no --name one tiny sh -c 'echo run; exit 3' >/dev/null
    await_state one "exited 0 3"
    sleep 0.4
    assert_eq "$(state one)" "exited 0 3"
    assert_eq "$(runs one)" 1
}

@test "--restart on-failure:2: three runs, the last exit code; none after success" {
    brig run -d --net none --restart on-failure:2 --name two tiny sh -c 'echo run; exit 3' >/dev/null
    brig run -d --net none --restart on-failure:2 --name fine tiny sh -c 'echo run; exit 0' >/dev/null
    await_state two "exited 2 3"
    sleep 0.9
    assert_eq "$(state two)" "exited 2 3"
    assert_eq "$(runs two)" 3
    assert_eq "$(state fine)" "exited 0 0"
    assert_eq "$(runs fine)" 1
    # A person's start counts from zero.
    brig start two >/dev/null
    await_state two "exited 2 3"
    assert_eq "$(runs two)" 6
}

@test "in the foreground: the same, with all output and the last exit code" {
    run brig run --net none --restart on-failure:2 --name fg tiny sh -c 'echo run; exit 3'
    assert_exit 3
    assert_eq "$output" $'run\nrun\nrun'
    assert_eq "$(state fg)" "exited 2 3"
    if command -v pasta >/dev/null; then
        run brig run --restart on-failure:2 --name fgnet tiny sh -c 'echo run; exit 4'
        assert_exit 4
        assert_eq "$output" $'run\nrun\nrun'
    fi
}

@test "--restart always and unless-stopped: again after success, until somebody stops it" {
    local policy
    for policy in always unless-stopped; do
        brig run -d --net none --restart $policy --name $policy tiny sh -c 'echo run; exit 0' >/dev/null
        await_state $policy "* [2-9] 0"
        brig stop $policy >/dev/null
        is_state $policy "exited * 0" || fail "$(state $policy)"
        # As docker counts: a restart that still waited for its time is one, too.
        local before count
        count=$(container_get $policy '{{.RestartCount}}')
        [ "$(runs $policy)" = "$count" ] || assert_eq "$(runs $policy)" $((count + 1))
        before=$(state $policy)
        sleep 1
        assert_eq "$(state $policy)" "$before"
    done
}

@test "the delay doubles from 100 ms" {
    brig run -d --net none --restart on-failure:4 --name slow tiny sh -c 'echo run; exit 1' >/dev/null
    await_state slow "exited 4 1"
    brig logs -t slow | python3 -c '
import sys, datetime
at = [datetime.datetime.fromisoformat(l.split()[0][:26]) for l in sys.stdin]
gaps = [(b - a).total_seconds() for a, b in zip(at, at[1:])]
print(gaps)
sys.exit(0 if len(gaps) == 4 and all(g >= 0.1 * 2 ** i for i, g in enumerate(gaps)) and gaps[3] < 5 else 1)'
}

@test "stop in a restart delay ends it at once, and it does not start any more" {
    brig run -d --net none --restart always --name late tiny sh -c "$(fails_first 5)" >/dev/null
    await_state late "restarting 5 3"
    # 3.2 s of delay.
    local begun=$SECONDS
    brig stop late >/dev/null
    [ $((SECONDS - begun)) -lt 3 ]
    assert_eq "$(state late)" "exited 5 3"
    sleep 4
    assert_eq "$(state late)" "exited 5 3"
    assert_eq "$(runs late)" 5
}

@test "rm -f in a restart delay" {
    brig run -d --net none --restart always --name late tiny sh -c "$(fails_first 5)" >/dev/null
    await_state late "restarting 5 3"
    local begun=$SECONDS
    brig rm -f late >/dev/null
    [ $((SECONDS - begun)) -lt 3 ]
    run brig inspect late
    assert_exit 1
}

@test "brig restart in a restart delay starts it at once; of a running one too" {
    brig run -d --net none --restart always --name late tiny sh -c "$(fails_first 5)" >/dev/null
    await_state late "restarting 5 3"
    brig restart late >/dev/null
    await_state late "running 0 0" 2
    assert_eq "$(runs late)" 6
    local pid
    pid=$(container_pid late)
    brig restart -t 0 late >/dev/null
    await_state late "running 0 0" 2
    [ "$(container_pid late)" != "$pid" ]
    assert_eq "$(runs late)" 7
}

@test "a stop at the very moment of the restart is not lost" {
    local i
    for i in 1 2 3 4 5 6; do
        brig run -d --net none --restart always --name race tiny sh -c "$(fails_first 1)" >/dev/null
        wait_for 5 is_state race "restarting 1 3" || is_state race "running 1 0"
        sleep "0.0$((i + 3))"
        BRIG_TIMEOUT=20 brig stop -t 1 race >/dev/null
        is_state race "exited *" || fail "$(state race)"
        brig rm race >/dev/null
    done
}

counts() { [ "$(brig exec "$1" cat /n)" = "$2" ]; }

@test "a restarted container can be entered and stands behind all walls" {
    brig run -d --net none --restart always --name again tiny sh -c "$(fails_first 2)" >/dev/null
    await_state again "running 2 0"
    # It counts before it stays; the state says running a moment before that.
    wait_for 10 counts again 3
    run brig posture again
    assert_walls_stand
    brig kill -s TERM again >/dev/null
}

# Answers once a run, then for ever.
SERVER="echo run; n=\$(cat /n 2>/dev/null || echo 0); echo \$((n + 1)) >/n
    while echo pong | nc -l -p 80; do [ \$n -ge 2 ] || exit 1; done"
served() { python3 -c '
import socket, sys
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 5)
s.settimeout(5)
print(s.recv(100).decode().strip())' "$1"; }
# Where pasta listens but nobody inside does yet, the connection is closed at once.
serves() { [ "$(served "$1")" = pong ]; }

@test "published ports stay the same over restarts" {
    need_command pasta
    local port
    brig run -d -p 80 --restart always --name web tiny sh -c "$SERVER" >/dev/null
    port=$(brig port web 80 | head -1 | sed 's/.*://')
    wait_for 5 serves "$port" || fail "no answer"
    await_state web "running 1 0"
    wait_for 5 serves "$port" || fail "no answer after the first restart" "$(brig logs web)"
    await_state web "running 2 0"
    wait_for 5 serves "$port" || fail "no answer after the second restart" "$(brig logs web)"
    assert_eq "$(state web)" "running 2 0"
    assert_eq "$(brig port web 80 | head -1 | sed 's/.*://')" "$port"
    # pasta is one and the same.
    assert_eq "$(pgrep -fc "brig-pasta-$(container_get web '{{.Id}}' | cut -c1-12)")" 1
}

@test "root's ports below 1024 stay over restarts, without root" {
    need_root
    need_command pasta
    local port
    for port in 801 802 803 804; do
        ! brig run -d -p $port:80 --restart always --name low tiny sh -c "$SERVER" >/dev/null || break
        brig rm -f low >/dev/null
    done
    wait_for 5 serves "$port" || fail "no answer"
    await_state low "running 1 0"
    wait_for 5 serves "$port" || fail "no answer after the restart" "$(container_get low '{{.State.Error}}')"
    await_state low "running 2 0"
    wait_for 5 serves "$port" || fail "no answer after the second restart" "$(container_get low '{{.State.Error}}')"
    # The parent of the restarted container is nobody with rights.
    run grep -E '^(Uid|CapEff)' "/proc/$(awk '/^PPid:/ { print $2 }' "/proc/$(container_pid low)/status")/status"
    refute_line '^Uid:.0'
    assert_line '^CapEff:.0000000000000000$'
}

@test "a restarted container is in the other one's network again" {
    need_command pasta
    [ "$MODE" = root ] || [ -w /dev/net/tun ] || skip "/dev/net/tun cannot be opened"
    brig run -d --expose 81 --name first tiny sleep 600 >/dev/null
    brig run -d --net container:first --restart always --name second tiny sh -c "$(fails_first 2)" >/dev/null
    await_state second "running 2 0"
    assert_eq "$(readlink "/proc/$(container_pid second)/ns/net")" "$(readlink "/proc/$(container_pid first)/ns/net")"
    brig exec -d first sh -c 'echo pong | nc -l -p 81'
    wait_for 5 brig exec first sh -c 'grep -q :0051 /proc/net/tcp /proc/net/tcp6'
    assert_eq "$(brig exec second nc 127.0.0.1 81 </dev/null)" pong
    run brig posture second
    assert_walls_stand
    # In the foreground as well.
    run brig run --net container:first --restart on-failure:1 tiny sh -c 'echo run; exit 3'
    assert_exit 3
    assert_eq "$output" $'run\nrun'
}

@test "stop, wait and rm while others kill and start the same container: none hangs, and it ends up down" {
    local front waits i
    brig create --net none --name busy tiny sh -c 'trap "exit 143" TERM; while :; do sleep 0.05; done' >/dev/null
    for i in 1 2 3 4 5 6 7 8; do
        "$BRIG" start --attach busy >/dev/null 2>&1 &
        front=$!
        wait_for 10 container_running busy
        kill -9 "$front"
        wait "$front" 2>/dev/null || true
        # The dead run is still on record when these begin, in any order.
        "$BRIG" start --attach busy >/dev/null 2>&1 &
        front=$!
        timeout 30 "$BRIG" wait busy >/dev/null &
        waits=$!
        timeout 30 "$BRIG" stop --time 2 busy >/dev/null
        # A start that came after the stop is a new life: it is stopped like any other.
        local end=$((SECONDS + 30))
        while kill -0 "$front" 2>/dev/null && [ $SECONDS -lt $end ]; do
            timeout 30 "$BRIG" stop --time 2 busy >/dev/null
        done
        wait "$front" 2>/dev/null || true
        wait "$waits"
        ! container_running busy || fail "busy is still up"
    done
    "$BRIG" start --attach busy >/dev/null 2>&1 &
    front=$!
    wait_for 10 container_running busy
    kill -9 "$front"
    wait "$front" 2>/dev/null || true
    "$BRIG" start --attach busy >/dev/null 2>&1 &
    front=$!
    timeout 40 "$BRIG" rm -f busy >/dev/null
    wait "$front" 2>/dev/null || true
    run brig inspect busy
    assert_exit 1
}
