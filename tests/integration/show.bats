#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# ps, inspect, port, rename, prune, system df, generate systemd.
# shellcheck disable=SC2016

load lib

setup_file() { brig_setup tiny; }
teardown_file() { brig_teardown; }
setup() { brig_begin; }
teardown() { brig_end; }

@test "ps shows the running ones, -a all, -l and -n the last" {
    local one two three
    one=$(brig run -d --net none --name one tiny sleep 300)
    two=$(brig create --net none --name two tiny true)
    three=$(brig create --net none --name three tiny sh -c 'exit 3')
    run brig start -a three
    assert_exit 3
    run -0 brig ps
    assert_line "^${one:0:12} +.*tiny.* +\"sleep 300\" .* Up .* one$"
    refute_line "${two:0:12}"
    run -0 brig ps -a
    assert_line "^${two:0:12} .* Created .* two$"
    assert_line "^${three:0:12} .* Exited \(3\) .* ago .* three$"
    run -0 brig ps -q
    assert_eq "$output" "${one:0:12}"
    run -0 brig ps -q --no-trunc
    assert_eq "$output" "$one"
    run -0 brig ps -l --format '{{.Names}}'
    assert_eq "$output" three
    run -0 brig ps -n 2 --format '{{.Names}}'
    assert_eq "$output" $'three\ntwo'
    run -0 brig ps -a --filter status=exited --format '{{.Names}}'
    assert_eq "$output" three
    run -0 brig ps --filter exited=3 -q
    assert_eq "$output" "${three:0:12}"
    run -0 brig ps -a --filter name=^/t --format '{{.Names}}:{{.State}}'
    assert_eq "$output" $'three:exited\ntwo:created'
    run -0 brig container ls -a --format json
    assert_eq "$(jq -r .Names <<<"$output")" $'three\ntwo\none'
}

@test "ps: labels, and templates over them" {
    brig create --net none --name l --label tier=front --label empty tiny true
    run -0 brig ps -a --filter label=tier=front --format '{{.Label "tier"}}|{{.Label "none"}}|{{.Labels}}'
    assert_eq "$output" 'front||org.brig.test=tiny,tier=front,empty='
    run -0 brig ps -a --format 'table {{.Names}}\t{{.Label "tier"}}'
    assert_eq "$output" $'NAMES   tier\nl       front'
}

@test "A21: what a container is called, and runs, puts no control characters on a terminal" {
    need_command script
    local evil=$'\e]52;c;ZXZpbA==\a\u009b31m\u202e'
    brig create --net none --name e --label "x=$evil" --hostname host tiny sh -c "echo $evil"
    local command
    for command in 'ps -a --no-trunc' "ps -a --format '{{.Command}} {{.Labels}}'" "ps -a --format '{{json .}}'" 'inspect e' \
        "inspect --format '{{.Config}}' e" "inspect --format '{{json .Config.Labels}}' e" \
        "inspect --format '{{join .Args \",\"}}' e"; do
        script -qec "'$BRIG' $command" /dev/null </dev/null | tr -d '\r' >"$TT/typescript"
        grep -q . "$TT/typescript"
        if LC_ALL=C grep -qP '[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80\xae' "$TT/typescript"; then
            fail "brig $command: $(od -c "$TT/typescript" | head -20)"
        fi
    done
    # into a pipe the value is the value
    assert_eq "$(brig inspect --format '{{index .Config.Labels "x"}}' e)" "$evil"
}

@test "inspect: docker's fields and brig's own" {
    local id
    id=$(brig run -d --net none --name web --label a=b -e KEY=value -w /tmp --memory 64m --stop-signal QUIT tiny sleep 300)
    run -0 brig inspect web
    jq -e --arg id "$id" '.[0] | .Id == $id and .Name == "/web" and .State.Running and .State.Pid > 0
        and .Config.Labels.a == "b" and (.Config.Env | index("KEY=value")) and .Config.WorkingDir == "/tmp"
        and .HostConfig.Memory == 67108864 and .HostConfig.NetworkMode == "none" and .State.Health == null
        and .Brig.Ids.Count > 0 and .Brig.Limits.Memory == 67108864 and .Path == "sleep" and .Args == ["300"]' <<<"$output"
    # the pid is the container's own
    local pid
    pid=$(brig inspect -f '{{.State.Pid}}' "${id:0:8}")
    grep -q sleep "/proc/$pid/cmdline"
    assert_eq "$(brig inspect -f '{{(index .Mounts 0).Source}}' web 2>/dev/null || echo none)" none
    run brig inspect -f '{{.Nope}}' web
    assert_exit 125
    assert_line 'no field .Nope'
    run -0 brig inspect --type image tiny
    jq -e '.[0].Id | startswith("sha256:")' <<<"$output"
    brig volume create box >/dev/null
    assert_eq "$(brig inspect -f '{{.Name}}' box)" box
    run brig inspect --type image box
    assert_exit 1
    brig volume rm box
    run brig inspect --type container tiny
    assert_exit 1
    run brig inspect --type planet web
    assert_exit 125
}

@test "port" {
    local port
    port=$(free_port)
    brig run -d --name web -p "$port:80" -p "127.0.0.1:$port:53/udp" tiny sleep 300
    run -0 brig port web
    assert_line "^80/tcp -> 127\.0\.0\.1:$port$"
    assert_line "^53/udp -> 127\.0\.0\.1:$port$"
    run -0 brig port web 80
    assert_line "^127\.0\.0\.1:$port$"
    run -0 brig port web 53/udp
    assert_eq "$output" "127.0.0.1:$port"
    run brig port web 81
    assert_exit 125
    assert_line '81/tcp of web is not published'
    run brig port web http
    assert_exit 125
    run -0 brig ps --format '{{.Ports}}'
    assert_line "127\.0\.0\.1:$port->80/tcp"
    assert_eq "$(brig inspect -f '{{(index .NetworkSettings.Ports "80/tcp" 0).HostPort}}' web)" "$port"
}

@test "rename, also while it runs" {
    brig run -d --net none --name old tiny sleep 300
    brig create --net none --name other tiny true
    run brig rename old other
    assert_exit 125
    run brig rename old 'no good'
    assert_exit 125
    run -0 brig rename old new
    assert_eq "$(brig ps --format '{{.Names}}')" new
    run brig inspect old
    assert_exit 1
    brig rename other old
}

@test "container prune removes what does not run, and asks before" {
    brig run -d --net none --name up tiny sleep 300
    brig create --net none --name kept --label keep=1 tiny true
    brig create --net none --name gone tiny true
    run brig container prune </dev/null
    assert_exit 1
    assert_eq "$(brig ps -aq | wc -l)" 3
    run -0 brig container prune -f --filter label=keep
    assert_eq "$(brig ps -a --format '{{.Names}}')" $'gone\nup'
    run -0 bash -c 'echo y | "$BRIG" container prune'
    assert_line 'Total reclaimed space: '
    assert_eq "$(brig ps -a --format '{{.Names}}')" up
}

@test "system df" {
    brig run -d --net none tiny sleep 300
    brig create --net none tiny true
    run -0 brig system df
    assert_line '^TYPE +TOTAL +ACTIVE +SIZE +RECLAIMABLE$'
    assert_line '^Images +1 +1 '
    assert_line '^Containers +2 +1 '
    run -0 brig system df --format '{{.Type}}={{.TotalCount}}'
    assert_line '^Local Volumes=0$'
}

# Until the next command has looked, a container whose monitor was killed is recorded as running.
runs_anew() {
    local state
    state=$(container_get "$1" '{{.State.Status}} {{.State.Pid}}')
    [ "${state% *}" = running ] && [ "${state#* }" != "$2" ]
}

@test "generate systemd writes a unit that systemd takes" {
    need_command systemd-analyze
    brig create --net none --name web --restart on-failure:3 --stop-timeout 7 tiny sh -c 'trap "exit 143" TERM; while :; do sleep 0.1; done'
    run -0 brig generate systemd web
    printf '%s\n' "$output" >"$TT/brig-web.service"
    # It does find what is wrong.
    sed 's/^ExecStart=.*/ExecStart=relative start/; s/^KillMode=.*/KillMod=mixed/' "$TT/brig-web.service" >"$TT/brig-bad.service"
    run systemd-analyze verify --man=no "$TT/brig-bad.service"
    assert_line "brig-bad.service.*(Unknown|not executable|not absolute)"
    run systemd-analyze verify --man=no "$TT/brig-web.service"
    refute_line "brig-web.service.*(Unknown|Failed|ignor|not executable)"
    grep -qx 'Type=exec' "$TT/brig-web.service"
    grep -qx 'TimeoutStopSec=22' "$TT/brig-web.service"
    grep -qx 'SuccessExitStatus=143' "$TT/brig-web.service"
    grep -qx 'Restart=on-abnormal' "$TT/brig-web.service"
    grep -qE "^ExecStart=\".*/brig\" start --attach [0-9a-f]{64}$" "$TT/brig-web.service"
    cd "$TT"
    run -0 brig generate systemd --files web
    assert_eq "$output" "$TT/brig-web.service"
    # what it starts and stops: the same commands, by hand
    local start stop
    start=$(sed -n 's/^ExecStart=//p' brig-web.service)
    stop=$(sed -n 's/^ExecStop=//p' brig-web.service)
    bash -c "$start" >out 2>&1 &
    local front=$!
    wait_for 10 container_running web
    bash -c "$stop"
    wait "$front" && code=0 || code=$?
    cat out
    assert_eq "$code" 143
    # Killed with the container, as systemd sees it on-abnormal, it starts again by the same line; stopped again by the other.
    bash -c "exec $start" >out 2>&1 &
    front=$!
    wait_for 10 container_running web
    local killed
    killed=$(container_pid web)
    kill -9 "$front"
    wait "$front" || true
    bash -c "$start" >out 2>&1 &
    front=$!
    wait_for 10 runs_anew web "$killed"
    bash -c "$stop"
    wait "$front" && code=0 || code=$?
    assert_eq "$code" 143
    run brig generate systemd nobody
    assert_exit 125
    brig create --rm --net none --name r tiny true
    run brig generate systemd r
    assert_exit 125
    assert_line '\(--rm\)'
}
