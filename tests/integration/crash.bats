# SPDX-License-Identifier: Apache-2.0
# kill -9 at any step of start, stop and rm: the next command shows the truth and repairs, and nothing is left. The steps are
# system calls: a first run is traced, then strace kills at chosen ones of them, and after each the state is looked at.
# BRIG_CRASH_STEPS (default 12) is how many steps of each command are tried, spread evenly; "all" tries each.

load lib

setup_file() {
    brig_setup tiny
    MARK=$((700000 + BASHPID))
    export MARK
    STRACE_WORKS=
    if command -v strace >/dev/null && strace -f -qq -o "$T/try" "$BRIG" run --rm --net none tiny true; then
        STRACE_WORKS=1
    fi
    export STRACE_WORKS
}
teardown_file() { brig_teardown; }
setup() { brig_begin; }
teardown() { brig_end; }

need_strace() { [ -n "$STRACE_WORKS" ] || skip "needs strace, and to be allowed to trace"; }

# steps COMMAND...: traces a run and prints "NAME N" lines: the N-th call of NAME by one of the processes.
steps() {
    # A detached container lives on under strace: let go after a while.
    timeout -s INT -k 2 6 strace -f -qq -o "$TT/steps" -e signal=none "$@" >/dev/null 2>&1 3>&- <&- || true
    awk '{ sub(/\(.*/, "", $2); if ($2 ~ /^[a-z_0-9]+$/ && $2 !~ /^(exit|exit_group|rt_sigreturn)$/) {
        n = ++seen[$1 " " $2]; key = $2 " " n; if (!(key in told)) { told[key] = 1; print key } } }' "$TT/steps" >"$TT/all"
    local want=${BRIG_CRASH_STEPS:-12} have
    have=$(wc -l <"$TT/all")
    [ "$want" != all ] && [ "$want" -lt "$have" ] || want=$have
    awk -v want="$want" -v have="$have" 'int(NR * want / have) != int((NR - 1) * want / have)' "$TT/all"
}

# Kills at one step. What lives on after it (a container that was started) is let go after a while.
killed_at() {
    local call=$1 n=$2
    shift 2
    timeout -s INT -k 2 4 strace -f -qq -o /dev/null -e signal=none -e "inject=$call:signal=KILL:when=$n" "$@" \
        >/dev/null 2>&1 || true
}

marked() { pgrep -f "sleep $MARK" || true; }

# What the next commands say and do after a crash at WHERE.
truth() {
    local where=$1 id status pid
    run brig ps -a --no-trunc --format '{{.ID}}'
    [ "$status" = 0 ] || fail "after $where: brig ps fails" "$output"
    for id in $(container_ids); do
        # A folder is a container that every command knows, or was just repaired away.
        if grep -q "$id" <<<"$output"; then
            status=$(container_get "$id" '{{.State.Status}}') || continue
            pid=$(container_pid "$id")
            if [ "$status" = running ]; then
                [ -d "/proc/$pid" ] || fail "after $where: $id is said to run, but its process $pid is gone"
            else
                [ -z "$(marked)" ] || wait_for 5 test -z "$(marked)" || fail "after $where: $id is $status, but a process lives"
            fi
        fi
    done
    remove_all || fail "after $where: brig rm -f fails"
    wait_for 5 nothing_marked || fail "after $where: a process is left: $(marked)"
    assert_eq "$(container_ids)" "" "after $where: folders of containers are left"
    assert_eq "$(ls "$BRIG_DATA/ids" 2>/dev/null)" "" "after $where: id ranges are left"
    assert_eq "$(ls "$BRIG_DATA/names" 2>/dev/null)" "" "after $where: names are left"
    assert_eq "$(find "$BRIG_RUNTIME" -mindepth 1 -maxdepth 1 -regextype egrep -regex '.*/[0-9a-f]{64}')" "" \
        "after $where: folders below run are left"
    assert_eq "$(grep -F "$BRIG_DATA" /proc/self/mountinfo || true)" "" "after $where: mounts are left"
}
nothing_marked() { [ -z "$(marked)" ]; }

@test "a start that is killed at any step leaves nothing that is not repaired" {
    need_strace
    local call n
    steps "$BRIG" run -d --net none --name first tiny sleep "$MARK" >"$TT/chosen"
    brig rm -f first >/dev/null
    [ -s "$TT/chosen" ]
    while read -r call n; do
        killed_at "$call" "$n" "$BRIG" run -d --net none --name crash tiny sleep "$MARK" 3>&- <&-
        truth "start, $call $n"
    done <"$TT/chosen"
    # Everything still works, with the same name.
    run brig run --rm --net none --name crash tiny echo fine
    assert_ok
    assert_line '^fine$'
}

@test "a stop that is killed at any step can be done again" {
    need_strace
    local call n
    brig run -d --net none --name crash tiny sleep "$MARK" >/dev/null
    steps "$BRIG" stop -t 0 crash >"$TT/chosen"
    brig rm -f crash >/dev/null
    while read -r call n; do
        brig run -d --net none --name crash tiny sleep "$MARK" >/dev/null
        killed_at "$call" "$n" "$BRIG" stop -t 0 crash 3>&- <&-
        run brig stop -t 0 crash
        assert_ok
        assert_eq "$(container_get crash '{{.State.Running}}')" false "after stop, $call $n"
        truth "stop, $call $n"
    done <"$TT/chosen"
}

@test "an rm that is killed at any step can be done again" {
    need_strace
    local call n
    brig run -d --net none --name crash tiny sleep "$MARK" >/dev/null
    steps "$BRIG" rm -f crash >"$TT/chosen"
    while read -r call n; do
        brig run -d --net none --name crash tiny sleep "$MARK" >/dev/null
        killed_at "$call" "$n" "$BRIG" rm -f crash 3>&- <&-
        truth "rm, $call $n"
    done <"$TT/chosen"
}

@test "a monitor that is killed takes its container along, and the next command says so" {
    local cid pid monitor
    cid=$(brig run -d --net none tiny sleep "$MARK")
    pid=$(container_pid "$cid")
    monitor=$(awk '/^PPid:/ { print $2 }' "/proc/$pid/status")
    kill -9 "$monitor"
    wait_for 5 nothing_marked
    assert_eq "$(container_get "$cid" '{{.State.Running}}')" false
    run brig ps -q
    assert_eq "$output" ""
    brig start "$cid" >/dev/null
    assert_eq "$(container_get "$cid" '{{.State.Running}}')" true
    truth "kill of the monitor"
}

@test "a hundred containers start at once and stop at once" {
    local i n=100 ids
    for i in $(seq $n); do
        brig run -d --net none --name "many$i" tiny sleep "$MARK" >/dev/null 2>"$TT/err$i" 3>&- &
    done
    wait
    ids=$(brig ps -q --no-trunc)
    [ "$(wc -l <<<"$ids")" = $n ] || fail "$(wc -l <<<"$ids") of $n run" "$(cat "$TT"/err* | sort | uniq -c | head)"
    assert_eq "$(marked | wc -l)" $n
    # Each has ids of its own.
    assert_eq "$(for i in $ids; do head -1 "/proc/$(container_pid "$i")/uid_map" | awk '{ print $2 }'; done | sort -u | wc -l)" $n
    for i in $ids; do
        brig stop -t 5 "$i" >/dev/null 2>&1 3>&- &
    done
    wait
    assert_eq "$(brig ps -q)" ""
    assert_eq "$(brig ps -aq | wc -l)" $n
    truth "a hundred"
}
