# SPDX-License-Identifier: Apache-2.0
# kill -9 at any step of a container's life: the next command shows the truth and repairs, and nothing is left. The steps
# are system calls: a first run is traced and counts those of each process of brig (front, keeper, mover, helpers, the
# container's own before it executes its program, pasta), then each is killed before a chosen one of its calls.
# BRIG_CRASH_STEPS (default 12) is how many steps of each command are tried, spread evenly; "all" tries each.

load lib

setup_file() {
    brig_setup tiny
    MARK=$((700000 + BASHPID))
    NAME=crash$MARK
    KILLAT=$TEST_BIN/killat
    CAN_TRACE=
    ! "$KILLAT" -c "$BRIG" run --rm --net none tiny true >"$T/try" 2>&1 || CAN_TRACE=1
    export MARK NAME KILLAT CAN_TRACE
    # What is made once and stays (trees, folders, the log of events) is there before the first look.
    brig run -d --net none --name "$NAME" -v /data tiny true >/dev/null
    brig rm -f -v "$NAME" >/dev/null
    brig volume ls >/dev/null
    brig ps -a >/dev/null
}
teardown_file() { brig_teardown; }
setup() { brig_begin; }
teardown() { brig_end; }

need_trace() { [ -n "$CAN_TRACE" ] || skip "needs to be allowed to trace: $(head -1 "$T/try")"; }

# steps PROGRAM ARGUMENT...: "PROCESS CALL" lines, the chosen ones.
steps() {
    "$KILLAT" -c "$@" >"$TT/counted" 3>&- || fail "cannot count the calls of $*" "$(cat "$TT/counted")"
    awk '{ for (i = 1; i <= $2; i++) print $1, i }' "$TT/counted" >"$TT/all"
    local want=${BRIG_CRASH_STEPS:-12} have
    have=$(wc -l <"$TT/all")
    [ "$want" != all ] && [ "$want" -lt "$have" ] || want=$have
    [ "$have" -gt 20 ] || fail "only $have calls were seen"
    awk -v want="$want" -v have="$have" 'int(NR * want / have) != int((NR - 1) * want / have)' "$TT/all"
}

# killed_at PROCESS CALL PROGRAM ARGUMENT...: $STEP says what was killed. A command that hangs because one of its processes died fails.
killed_at() {
    local ended=0
    STEP=$("$KILLAT" "$@" 3>&-) || ended=$?
    STEP="brig $4, ${STEP:-process $1 at call $2 (not reached)}"
    [ "$ended" != 3 ] || fail "$STEP: the command hangs"
    [ "$ended" = 0 ] || [ "$ended" = 4 ] || fail "$STEP: killat failed with $ended"
}

# What brig keeps of containers, before a step and after it was repaired. The store of images is not looked into.
files_now() {
    find "$BRIG_DATA" "$BRIG_RUNTIME" -regextype egrep -regex "($BRIG_DATA/(objects|trees|layers|blobs|events\.d)|$BRIG_RUNTIME/seen)/.*" -prune -o -print 2>/dev/null |
        sort
}

ids_now() { { ls "$BRIG_DATA/containers" "$BRIG_RUNTIME" 2>/dev/null || true; } | grep -xE '[0-9a-f]{64}' | sort -u || true; }

# Processes of this test: fronts and the container have the mark in their command line, a monitor the id, pasta its start.
processes_of() {
    local id pattern="[b]rig .*$MARK|sleep $MARK"
    for id in $1; do pattern+="|brig-monitor $id|__after $id|__health $id|__usage $id|pasta.*${id:0:12}"; done
    pgrep -f -a "$pattern" || true
}
no_processes_of() { [ -z "$(processes_of "$1")" ]; }

cgroups_of() {
    local id expr=()
    for id in $1; do expr+=(-o -name "*$id*"); done
    [ ${#expr[@]} = 0 ] || find /sys/fs/cgroup -type d \( "${expr[@]:1}" \) 2>/dev/null
}

# What brig says of a container is what the kernel says.
is_true() {
    local state pid
    read -r state pid < <(container_get "$1" '{{.State.Status}} {{.State.Pid}}') || return 0
    case $state in
    running) [ -d "/proc/$pid" ] && ! grep -q '^State:.Z' "/proc/$pid/status" ;;
    restarting | removing) return 1 ;;
    *) [ "$pid" = 0 ] && [ -z "$(cgroups_of "$1")" ] && no_processes_of "$1" ;;
    esac
}

# What the next commands say and do after a crash. Says what is wrong.
truth() {
    local ids id output files
    ids=$(ids_now)
    output=$(brig ps -a --no-trunc --format '{{.ID}}' 2>&1) || echo "brig ps fails: $output"
    for id in $ids; do
        ! grep -q "$id" <<<"$output" || wait_for 3 is_true "$id" ||
            echo "wrong is: $(container_get "$id" '{{.State.Status}} {{.State.Pid}} {{.State.Error}}')" \
                "$(processes_of "$id")" "$(cgroups_of "$id")"
    done
    { remove_all && brig volume ls; } >"$TT/output" 2>&1 || echo "brig rm -f, or volume ls, fails: $(cat "$TT/output")"
    wait_for 5 no_processes_of "$ids" || echo "processes are left: $(processes_of "$ids")"
    id=$(cgroups_of "$ids")
    [ -z "$id" ] || echo "cgroups are left: $id"
    files=$(files_now)
    [ "$files" = "$FILES" ] || echo "files that are left, or gone: $(diff <(echo "$FILES") <(echo "$files") | grep '^[<>]')"
    ! grep -F "$T" /proc/self/mountinfo || echo "mounts are left"
}

# crash COMMAND BEFORE...: kills `brig COMMAND` (words) at each chosen step, BEFORE making what it needs.
crash() {
    local cmd
    read -ra cmd <<<"$1"
    shift
    kill_each "$BRIG" "${cmd[@]}" -- "$@"
}
# kill_each PROGRAM ARGUMENT... -- BEFORE...
kill_each() {
    local process call wrong cmd=() bad=
    while [ "$1" != -- ]; do
        cmd+=("$1")
        shift
    done
    shift
    FILES=$(files_now)
    "$@"
    steps "${cmd[@]}" >"$TT/chosen"
    remove_all
    while read -r process call; do
        "$@"
        killed_at "$process" "$call" "${cmd[@]}"
        wrong=$(truth)
        [ -n "$wrong" ] || continue
        bad+="after $STEP: $wrong"$'\n'
        FILES=$(files_now)
        [ "$(grep -c '^after' <<<"$bad")" -lt 5 ] || break
    done <"$TT/chosen" 3>&-
    [ -z "$bad" ] || fail "$bad"
    # Everything still works, with the same name.
    run brig run --rm --net none --name "$NAME" tiny echo fine
    assert_ok
    assert_line '^fine$'
}
running() { brig run -d --net none --name "$NAME" tiny sleep "$MARK" >/dev/null; }
ended() { brig run --net none --name "$NAME" tiny true >/dev/null; }
created() { brig create --net none --name "$NAME" tiny sleep "$MARK" >/dev/null; }

@test "run -d, killed at any step" {
    need_trace
    crash "run -d --net none --name $NAME tiny sleep $MARK" :
}

@test "run in the foreground, killed at any step" {
    need_trace
    crash "run --net none --name $NAME tiny true" :
}

@test "run --rm with a volume, killed at any step" {
    need_trace
    crash "run --rm --net none -v /data --name $NAME tiny true" :
}

@test "the end of a detached container and its restart, killed at any step" {
    need_trace
    crash "run -d --net none --restart on-failure:1 --name $NAME tiny false" :
}

@test "start, killed at any step" {
    need_trace
    crash "start $NAME" created
}

# The trees that were made for a user's containers, but not what is left of one that was not made whole.
no_slots() {
    local slots
    for slots in "$BRIG_DATA"/trees/*/slots; do
        find "$slots" -mindepth 1 -maxdepth 1 -name '[0-9]*' -exec unshare --user --map-root-user --map-auto rm -rf {} +
    done
}

@test "the first start of an image, which makes its tree for a user's ids, killed at any step" {
    need_trace
    need_user
    need_kernel 6.16
    crash "run -d --net none --name $NAME tiny sleep $MARK" no_slots
    # The last start of crash() had the same ids, and swept.
    assert_eq "$(find "$BRIG_DATA"/trees/*/slots -maxdepth 1 -name '.tmp*')" ""
}

@test "stop, killed at any step, can be done again" {
    need_trace
    crash "stop -t 0 $NAME" running
}

@test "rm -f, killed at any step, can be done again" {
    need_trace
    crash "rm -f $NAME" running
}

@test "a life from start to rm, any process of it killed at any step" {
    need_trace
    kill_each /bin/sh -c "'$BRIG' run -d --net none --name $NAME tiny sleep $MARK && '$BRIG' stop -t 0 $NAME &&
        '$BRIG' start $NAME && '$BRIG' rm -f $NAME" -- :
}

@test "rm of one that ended, killed at any step, can be done again" {
    need_trace
    crash "rm $NAME" ended
}

@test "run with a private network, killed at any step" {
    need_trace
    need_command pasta
    crash "run -d -p $(free_port):80 --name $NAME tiny sleep $MARK" :
}

@test "a monitor that is killed takes its container along, and the next command says so" {
    local cid pid monitor
    FILES=$(files_now)
    cid=$(brig run -d --net none tiny sleep "$MARK")
    pid=$(container_pid "$cid")
    monitor=$(awk '/^PPid:/ { print $2 }' "/proc/$pid/status")
    kill -9 "$monitor"
    wait_for 5 no_processes_of "$cid"
    assert_eq "$(container_get "$cid" '{{.State.Running}}')" false
    run brig ps -q
    assert_eq "$output" ""
    brig start "$cid" >/dev/null
    assert_eq "$(container_get "$cid" '{{.State.Running}}')" true
    assert_eq "$(truth)" ""
}

@test "rm -f of a container whose monitor hangs" {
    [ "${BRIG_CRASH_STEPS:-}" = all ] || skip "takes 35 s: BRIG_CRASH_STEPS=all"
    local pid monitor id
    FILES=$(files_now)
    running
    id=$(container_get "$NAME" '{{.Id}}')
    pid=$(container_pid "$NAME")
    monitor=$(awk '/^PPid:/ { print $2 }' "/proc/$pid/status")
    kill -STOP "$monitor"
    brig rm -f "$NAME" >/dev/null
    wait_for 5 no_processes_of "$id"
    assert_eq "$(truth)" ""
}

@test "a hundred containers start at once and stop at once" {
    local i n=100 ids jobs=()
    FILES=$(files_now)
    for i in $(seq $n); do
        brig run -d --net none --name "many$i" tiny sleep "$MARK" >/dev/null 2>"$TT/err$i" 3>&- &
        jobs+=($!)
    done
    wait "${jobs[@]}" || true
    jobs=()
    ids=$(brig ps -q --no-trunc)
    [ "$(wc -l <<<"$ids")" = $n ] || fail "$(wc -l <<<"$ids") of $n run" "$(cat "$TT"/err* | sort | uniq -c | head)"
    assert_eq "$(pgrep -fxc "sleep $MARK")" $n
    # Each has ids of its own: no range overlaps another one's.
    for i in $ids; do awk '{ print $2, $2 + $3 }' "/proc/$(container_pid "$i")/uid_map"; done | sort -n >"$TT/ranges"
    [ "$(wc -l <"$TT/ranges")" -ge $n ]
    awk '$1 < end { exit 1 } { end = $2 }' "$TT/ranges" || fail "two containers share host ids" "$(cat "$TT/ranges")"
    for i in $ids; do
        brig stop -t 5 "$i" >/dev/null 2>&1 3>&- &
        jobs+=($!)
    done
    wait "${jobs[@]}" || true
    assert_eq "$(brig ps -q)" ""
    assert_eq "$(brig ps -aq | wc -l)" $n
    assert_eq "$(truth)" ""
}
