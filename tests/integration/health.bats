# SPDX-License-Identifier: Apache-2.0
# Health checks: states, retries, the start period, time limits, and where a person sees them.

# shellcheck disable=SC2016
load lib

setup_file() { brig_setup tiny; }
teardown_file() { brig_teardown; }
setup() { brig_begin; }
teardown() { brig_end; }

health() { container_get "$1" '{{.State.Health.Status}}'; }
is() { [ "$(health "$1")" = "$2" ]; }
checks() { container_get "$1" '{{json .State.Health}}'; }
sleeper() { brig run -d --net none --health-interval 200ms "$@" tiny sleep 600 >/dev/null; }

@test "starting, healthy, unhealthy, healthy again: inspect, ps, filters and events say so" {
    # However slow the machine: until the first success no failure counts.
    sleeper --name h --health-retries 3 --health-start-period 60s --health-cmd 'cat /state; [ "$(cat /state)" = good ]'
    is h starting
    assert_eq "$(brig ps --filter health=starting --format '{{.Names}}')" h
    run brig ps --filter name=h --format '{{.Status}}'
    assert_line 'health: starting\)$'
    brig exec h sh -c 'echo good >/state'
    wait_for 10 is h healthy
    run brig ps --filter health=healthy --format '{{.Names}} {{.Status}}'
    assert_line '^h Up .*\(healthy\)$'
    assert_eq "$(brig ps -q --filter health=unhealthy)" ""
    brig exec h sh -c 'echo bad >/state'
    wait_for 10 is h unhealthy
    assert_eq "$(brig ps --filter health=unhealthy --format '{{.Names}}')" h
    run brig ps --filter name=h --format '{{.Status}}'
    assert_line '\(unhealthy\)$'
    [ "$(checks h | jq .FailingStreak)" -ge 3 ]
    assert_eq "$(checks h | jq -r '.Log[-1] | "\(.ExitCode) \(.Output)"')" "1 bad"
    brig exec h sh -c 'echo good >/state'
    wait_for 10 is h healthy
    assert_eq "$(checks h | jq .FailingStreak)" 0
    run brig events --since 1m --until 0s --filter container=h --format '{{.Action}}'
    assert_eq "$(grep health_status <<<"$output")" "health_status: healthy
health_status: unhealthy
health_status: healthy"
}

@test "retries: it is unhealthy after that many failures in a row, not before" {
    sleeper --name retried --health-interval 500ms --health-retries 4 --health-cmd 'exit 1'
    wait_for 10 is retried unhealthy
    local log
    log=$(checks retried)
    assert_eq "$(jq .FailingStreak <<<"$log")" 4
    assert_eq "$(jq '.Log | length' <<<"$log")" 4
}

@test "the start period: failures do not count in it, a success ends it" {
    sleeper --name h --health-retries 1 --health-start-period 3s --health-cmd 'test -e /ok'
    sleep 1.5
    is h starting || fail "$(checks h)"
    assert_eq "$(checks h | jq .FailingStreak)" 0
    [ "$(checks h | jq '.Log | length')" -ge 2 ]
    wait_for 10 is h unhealthy
    sleeper --name early --health-retries 1 --health-start-period 600s --health-cmd 'test -e /ok'
    brig exec early touch /ok
    wait_for 10 is early healthy
    brig exec early rm /ok
    wait_for 10 is early unhealthy
}

@test "a check that takes too long is killed, with what it started, and counts as failed" {
    sleeper --name h --health-timeout 300ms --health-retries 1 --health-cmd 'echo begun; exec sleep 4567'
    wait_for 10 is h unhealthy
    run jq -r '.Log[-1] | "\(.ExitCode) \(.Output)"' <<<"$(checks h)"
    assert_line '^124 killed: it took longer than 300 ms'
    brig stop -t 0 h >/dev/null
    wait_for 5 sh -c '! pgrep -fx "sleep 4567"'
}

@test "CMD of the image, and --no-healthcheck; what the check prints is kept in part" {
    make_image checked '{"Cmd": ["sleep", "600"], "Healthcheck": {"Test": ["CMD", "sh", "-c", "head -c 100000 /dev/zero | tr \"\\0\" y"], "Interval": 200000000}}'
    brig run -d --net none --name h checked >/dev/null
    wait_for 10 is h healthy
    local n
    n=$(checks h | jq '.Log[-1].Output | length')
    [ "$n" -gt 100 ] && [ "$n" -le 4096 ] || fail "$n bytes are kept"
    [ "$(checks h | jq '.Log | length')" -le 5 ]
    brig run -d --net none --name none --no-healthcheck checked >/dev/null
    sleep 0.5
    assert_eq "$(container_get none '{{json .State.Health}}')" null
    run brig ps --filter name=none --format '{{.Status}}'
    refute_line 'health'
    assert_eq "$(brig ps --filter health=none --format '{{.Names}}')" none
}

@test "a command that does not exist is a failed check with the reason" {
    make_image broken '{"Cmd": ["sleep", "600"], "Healthcheck": {"Test": ["CMD", "/no/such/check"], "Interval": 200000000, "Retries": 1}}'
    brig run -d --net none --name h broken >/dev/null
    wait_for 10 is h unhealthy
    run jq -r '.Log[-1].Output' <<<"$(checks h)"
    assert_line 'no such file'
}

@test "a restart begins with starting; a paused container is not checked" {
    sleeper --name r --health-retries 1 --health-cmd 'test -e /ok'
    brig exec r touch /ok
    wait_for 10 is r healthy
    brig restart -t 0 r >/dev/null
    wait_for 10 is r healthy
    run brig events --since 1m --until 0s --filter container=r --format '{{.Action}}'
    assert_eq "$(grep -c 'health_status: healthy' <<<"$output")" 2
    if brig pause r >/dev/null 2>&1; then
        sleep 1
        is r healthy
        brig unpause r >/dev/null
    fi
}

@test "a container in the foreground is checked, too" {
    "$BRIG" run --name h --net none --health-interval 200ms --health-cmd true tiny sleep 600 >/dev/null 2>&1 3>&- &
    local front=$!
    wait_for 10 is h healthy
    brig rm -f h >/dev/null
    wait "$front" || true
}

@test "an interval and retries that make no sense are refused" {
    local bad
    for bad in '--health-interval 1us' '--health-timeout -3s' '--health-retries -1' '--health-interval x' '--health-retries 2000000'; do
        # shellcheck disable=SC2086
        run brig run --rm --net none --health-cmd true $bad tiny true
        assert_exit 125
    done
    run brig run --rm --net none --no-healthcheck --health-cmd true tiny true
    assert_exit 125
}
