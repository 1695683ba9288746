# SPDX-License-Identifier: Apache-2.0
# Output kept and shown: brig logs, wait, events, health.

load lib

setup_file() { brig_setup tiny; }
teardown_file() { brig_teardown; }
setup() { brig_begin; }
teardown() { brig_end; }

@test "logs: both streams, each to its own, byte for byte" {
    brig run --net none --name two tiny sh -c 'printf "a\377b\n\033[31m"; echo err >&2' >/dev/null 2>&1
    brig logs two >"$TT/out" 2>"$TT/err"
    printf 'a\377b\n\033[31m' | cmp - "$TT/out"
    assert_eq "$(cat "$TT/err")" err
}

@test "logs: tail, timestamps, and following to the end" {
    brig run -d --net none --name f tiny sh -c 'for i in 1 2 3 4 5; do echo line $i; sleep 0.2; done' >/dev/null
    run brig logs -f f
    assert_ok
    assert_eq "$output" "$(printf 'line %d\n' 1 2 3 4 5)"
    assert_eq "$(brig logs -n 2 f)" "$(printf 'line %d\n' 4 5)"
    run brig logs -t -n 1 f
    assert_line '^20[0-9-]*T[0-9:.]*Z line 5$'
    run brig logs --tail much f
    assert_exit 125
    assert_line 'invalid --tail much'
}

@test "wait prints the exit codes; events tell what happened" {
    brig run -d --net none --name w tiny sh -c 'exit 7' >/dev/null
    run brig wait w
    assert_ok
    assert_eq "$output" 7
    run brig events --since 1m --until 0s --filter container=w --format '{{.Action}}'
    assert_ok
    assert_line '^start$'
    assert_line '^die$'
    run brig events --filter nosuch=x --until 0s
    assert_exit 125
}

@test "1 MiB through run -i is unharmed" {
    head -c 1048576 /dev/urandom >"$TT/in"
    brig run -i --rm --net none tiny cat <"$TT/in" | cmp - "$TT/in"
}

@test "health: unhealthy after its retries, healthy after a success" {
    brig run -d --net none --name h --health-cmd 'test -e /tmp/ok' --health-interval 1s --health-retries 2 tiny sleep 60 >/dev/null
    is() { [ "$(container_get h '{{.State.Health.Status}}')" = "$1" ]; }
    is starting
    wait_for 20 is unhealthy
    brig exec h touch /tmp/ok
    wait_for 20 is healthy
}
