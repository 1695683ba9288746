# SPDX-License-Identifier: Apache-2.0
# Joining a container's streams: attach, several at once, stdin, signals, slow readers; and pipes through run -i.

# shellcheck disable=SC2016

load lib

setup_file() { brig_setup tiny; }
teardown_file() { brig_teardown; }
setup() { brig_begin; }
teardown() { brig_end; }

is_state() { [ "$(container_get "$1" '{{.State.Status}} {{.State.ExitCode}}')" = "$2" ]; }

@test "1 GiB through run -i is unharmed" {
    # No two lines are the same, and none is kept in a file.
    stream() { seq 100000000 250000000 2>/dev/null | head -c 1073741824; }
    local want got
    want=$(stream | sha256sum)
    got=$(stream | BRIG_TIMEOUT=300 brig run -i --rm --net none tiny cat | sha256sum)
    assert_eq "$got" "$want"
}

@test "run -i: the end of input reaches the program, its own end reaches the pipe" {
    run sh -c "printf 'a\nb' | '$BRIG' run -i --rm --net none tiny sh -c 'wc -c; echo done'"
    assert_ok
    assert_eq "$output" $'3\ndone'
    # A program that reads nothing is not waited for.
    run sh -c "yes | timeout 20 '$BRIG' run -i --rm --net none tiny sh -c 'exit 4'"
    assert_exit 4
    # A reader that goes: the program is told, as in any pipeline.
    run sh -c "timeout 20 '$BRIG' run --rm --net none tiny sh -c 'yes; echo \$? >&2' 2>'$TT/err' | head -1"
    assert_eq "$output" y
}

@test "attach: what is written from now on, both streams apart, the exit code" {
    brig run -d -i --name out --net none tiny sh -c 'echo before; read go; echo to-out; echo to-err >&2; exit 6' >/dev/null
    wait_for 5 sh -c "'$BRIG' logs out | grep -q before"
    local code=0
    echo go | brig attach out >"$TT/out" 2>"$TT/err" || code=$?
    assert_eq "$code" 6
    assert_eq "$(cat "$TT/out")" to-out
    assert_eq "$(cat "$TT/err")" to-err
}

@test "attach: stdin of -d -i; its end is the program's end of file" {
    brig run -d -i --name in --net none tiny sh -c 'cat; echo eof' >/dev/null
    printf 'one\ntwo' | brig attach in >"$TT/out"
    assert_eq "$(cat "$TT/out")" $'one\ntwoeof'
    wait_for 5 is_state in "exited 0"
}

@test "attach --no-stdin only watches" {
    brig run -d -i --name in --net none tiny sh -c 'read line; echo "got $line"' >/dev/null
    brig attach --no-stdin in <<<wrong >"$TT/watched" 3>&- &
    local watcher=$!
    wait_for 5 test -e "$TT/watched"
    sleep 0.5
    container_running in
    echo right | brig attach in >/dev/null
    wait $watcher
    assert_eq "$(cat "$TT/watched")" "got right"
}

@test "several at once see the same, and one that leaves disturbs nobody" {
    local i pids=()
    brig run -d -i --name many --net none tiny sh -c 'read go; for i in 1 2 3 4 5 6 7 8; do echo line $i; sleep 0.1; done; exit 2' >/dev/null
    for i in 1 2 3 4 5; do
        brig attach --no-stdin many >"$TT/out$i" 2>&1 3>&- &
        pids+=($!)
    done
    timeout 30 "$BRIG" attach --no-stdin --sig-proxy=false many >"$TT/gone" 2>&1 3>&- &
    local gone=$!
    sleep 0.7
    echo go | brig attach many >"$TT/out0" || assert_eq $? 2
    kill -9 $gone 2>/dev/null || true
    for i in "${pids[@]}"; do
        local code=0
        wait "$i" || code=$?
        assert_eq "$code" 2
    done
    for i in 0 1 2 3 4 5; do
        assert_eq "$(cat "$TT/out$i")" "$(printf 'line %d\n' 1 2 3 4 5 6 7 8)" "client $i"
    done
}

@test "a reader that is slow does not stop the container for more than a few seconds, nor the others" {
    # 4 MiB to somebody who reads nothing: more than every buffer on the way.
    brig run -d -i --name slow --net none tiny sh -c 'read go; head -c 4194304 /dev/zero | tr "\0" x; echo; echo end; sleep 600' >/dev/null
    # Its output is a pipe that nobody reads from.
    mkfifo "$TT/stuck"
    exec 7<>"$TT/stuck"
    "$BRIG" attach --no-stdin --sig-proxy=false slow >&7 2>"$TT/slow.err" 3>&- &
    local stuck=$!
    brig attach --no-stdin slow >"$TT/fast" 2>/dev/null 3>&- &
    local fast=$!
    sleep 0.5
    brig exec slow true
    brig attach slow >/dev/null 2>&1 <<<go 3>&- &
    wait_for 20 sh -c "tail -c 4 '$TT/fast' | grep -q end"
    assert_eq "$(head -1 "$TT/fast" | wc -c)" 4194305
    assert_eq "$(brig logs -n 1 slow)" end
    exec 7>&-
    kill $stuck 2>/dev/null || true
    brig rm -f slow >/dev/null
    wait $fast 2>/dev/null || true
}

@test "signals are passed on to the program; with --sig-proxy=false they only end the attach" {
    local sig='trap "echo usr1" USR1; trap "echo term; exit 3" TERM; echo ready; while :; do sleep 0.1; done'
    brig run -d --name sig --net none tiny sh -c "$sig" >/dev/null
    wait_for 5 sh -c "'$BRIG' logs sig | grep -q ready"
    "$BRIG" attach --sig-proxy=false sig >"$TT/quiet" 2>&1 3>&- &
    local quiet=$!
    "$BRIG" attach sig >"$TT/passing" 2>&1 3>&- &
    local passing=$!
    sleep 0.5
    kill -TERM $quiet
    wait $quiet || true
    container_running sig
    kill -USR1 $passing
    wait_for 5 grep -q usr1 "$TT/passing"
    local code=0
    kill -TERM $passing
    wait $passing || code=$?
    assert_eq "$code" 3
    wait_for 5 is_state sig "exited 3"
    assert_eq "$(grep -c usr1 "$TT/quiet")" 0
}

@test "run in the foreground passes signals on, unless --sig-proxy=false" {
    "$BRIG" run --name fg --net none tiny sh -c 'trap "exit 5" TERM; echo ready; while :; do sleep 0.1; done' >"$TT/out" 3>&- &
    local pid=$! code=0
    wait_for 5 grep -q ready "$TT/out"
    kill -TERM $pid
    wait $pid || code=$?
    assert_eq "$code" 5
    is_state fg "exited 5"
}

@test "attach to what does not run, is paused, or has a terminal" {
    brig create --name not --net none tiny true >/dev/null
    run brig attach not
    assert_exit 125
    assert_line 'not running'
    run brig attach nosuch
    assert_exit 125
    brig run -dit --name term --net none tiny sh >/dev/null
    run brig attach term </dev/null
    assert_exit 125
    assert_line 'TTY'
    if brig pause term >/dev/null 2>&1; then
        run brig attach --no-stdin term
        assert_exit 125
        assert_line 'paused'
        brig unpause term >/dev/null
    fi
}
