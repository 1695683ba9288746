# SPDX-License-Identifier: Apache-2.0
# Attacks from inside a running container: the R rows of the catalogue. Each row is tried from where the attacker stands,
# as root and as a user inside, with default flags, and must be stopped; the same program outside of any container is
# the positive control: there it must get through, or the test would prove nothing.

load lib

setup_file() {
    brig_setup tiny
    PROBE=$TEST_BIN/probe
    image_layout "$T/layout" probe '{"Env":["PATH=/bin:/usr/bin"],"Cmd":["/probe"],"WorkingDir":"/"}' \
        "f|probe|0755|0|0|@$PROBE" "f|suid|4755|0|0|@$PROBE" 'd|data|1777'
    brig load -q -i "$T/layout"
    host_values >"$T/host-values"
    (cd / && "$PROBE") >"$T/host" 2>/dev/null
    brig run --rm --net none probe /probe >"$T/root"
    brig run --rm --net none -u app probe /probe >"$T/app"
    export PROBE
}
teardown_file() { brig_teardown; }
setup() { brig_begin; }
teardown() { brig_end; }

# What an attack would change on the host.
host_values() {
    local f
    for f in /proc/sys/kernel/{core_pattern,modprobe,poweroff_cmd,hostname,randomize_va_space,kptr_restrict} \
        /proc/sys/kernel/{dmesg_restrict,core_uses_pid} /proc/sys/vm/{panic_on_oom,overcommit_memory} \
        /proc/sys/fs/{protected_symlinks,suid_dumpable} /proc/sys/net/ipv4/ip_forward /sys/kernel/uevent_helper \
        /sys/kernel/mm/transparent_hugepage/enabled /sys/fs/cgroup/*/release_agent /sys/fs/cgroup/release_agent; do
        [ ! -r "$f" ] || echo "$f $(cat "$f" 2>/dev/null)"
    done
    sha256sum "$BRIG"
    hostname
}

# The digests of everything that is the engine.
own_programs() {
    local dir
    dir=$(dirname "$BRIG")
    find "$dir" "$dir/../libexec/brig" -maxdepth 1 -type f -name 'brig*' -exec sha256sum {} + 2>/dev/null | sort
}

probe() { brig run --rm --net none probe /probe "$@"; }

# row ID [EXCEPT]: everything of the row is stopped inside, as root and as a user there, but names that match EXCEPT; as
# root, at least one of the same got through outside.
row() {
    local who bad
    for who in root app; do
        grep -q "^$1	" "$T/$who" || fail "the probe in the container ($who) says nothing about $1:" "$(cat "$T/$who")"
        bad=$(awk -F'\t' -v id="$1" -v but="^(${2:-none})$" '$1 == id && $3 == "reached" && $2 !~ but' "$T/$who")
        [ -z "$bad" ] || fail "reached inside ($who):" "$bad"
    done
    [ "$MODE" = user ] || control "$1"
    assert_eq "$(host_values)" "$(cat "$T/host-values")" "values of the host changed"
}
control() {
    awk -F'\t' -v id="$1" '$1 == id && $3 == "reached" { found = 1 } END { exit !found }' "$T/host" ||
        fail "the same probes reach nothing outside either: no control" "$(grep "^$1	" "$T/host")"
}
fact() { awk -F'\t' -v id="$2" -v name="$3" '$1 == id && $2 == name { sub(/ $/, "", $4); print $4 }' "$1"; }

@test "what every program needs is there" {
    for who in root app; do
        assert_eq "$(awk -F'\t' '$1 == "needed" && $3 != "reached"' "$T/$who")" "" "$who"
    done
}

@test "R1 R12 what enters cannot be traced, read or robbed, nor its program opened" {
    local before cid pid
    before=$(own_programs)
    cid=$(brig run -d --net none probe /bin/sh -c 'while [ ! -e /data/end ]; do /probe watch 1; done')
    for _ in $(seq 20); do
        brig exec "$cid" /bin/true
    done
    brig exec "$cid" /bin/touch /data/end
    brig wait "$cid"
    run brig logs "$cid"
    assert_line '^R12	mem	stopped'
    assert_line '^R12	descriptors	stopped'
    assert_line '^R12	traced	stopped'
    assert_line '^R1	exe_write	stopped'
    [ "$(awk -F'\t' '$2 == "seen" { n += $4 } END { print n }' <<<"$output")" -gt 20 ] || fail "the attacker saw nothing enter" "$output"
    refute_line '	reached	'
    assert_eq "$(own_programs)" "$before"
    # Control: the same attack on a process that does not defend itself.
    sleep 20 3>&- &
    pid=$!
    run "$PROBE" watch 0.2 "$pid"
    kill "$pid"
    assert_line '^R12	mem	reached'
    assert_line '^R1	exe_read	reached'
}

@test "R1 an entrypoint that is /proc/self/exe gives no hold on the engine's program" {
    local before
    before=$(own_programs)
    # The name leads to whatever program does the exec: a copy of the engine's, or nothing. It may not be writable.
    make_image selfexe '{"Entrypoint":["/proc/self/exe"],"Cmd":["--version"]}'
    run brig run --rm --net none selfexe
    make_image script '{"Entrypoint":["/run-me"]}' 'f|run-me|0755|0|0|=#!/proc/self/exe\n'
    run brig run --rm --net none script
    [ "$status" != 0 ]
    cid=$(brig run -d --net none probe /probe watch 4)
    for _ in $(seq 10); do brig exec "$cid" /proc/self/exe --help >/dev/null || true; done
    brig wait "$cid"
    run brig logs "$cid"
    assert_line '^R1	exe_write	stopped'
    assert_eq "$(own_programs)" "$before"
}

@test "R2 no descriptor of the caller is inside, nor a way by one" {
    for who in root app; do
        assert_eq "$(awk -F'\t' '$1 == "R2" && $2 == "descriptor" { print $3 }' "$T/$who")" stopped "$who"
    done
    canary_make
    # Twenty open descriptors of the caller, one of them a folder of the host.
    run bash -c 'for i in $(seq 10 29); do eval "exec $i<$2"; done; "$1" run --rm --net none probe /probe R2' - \
        "$BRIG" "$CANARY"
    assert_ok
    assert_line '^R2	descriptor	stopped'
    # Control: without an engine they are seen.
    run bash -c 'exec 10<"$2"; "$1" R2' - "$PROBE" "$CANARY"
    assert_line '^R2	descriptor	reached'
}

@test "R2 a working directory through a descriptor stays inside" {
    canary_make
    local n
    for n in 3 4 5 6 7 8 9 10 12 14 16 20; do
        run bash -c 'exec 20<"$3"; "$1" run --rm --net none -w "/proc/self/fd/$2" probe /probe path /../../../../../../../"$3"/secret
            "$1" run --rm --net none -w "/proc/self/fd/$2" probe /bin/cat "../../../../../../../../$3/secret"' - "$BRIG" "$n" "$CANARY"
        refute_line "$(canary_nonce)"
        refute_line '	reached	'
        refute_line 'unreachable'
    done
    cid=$(brig run -d --net none probe sleep 60)
    for n in 3 5 7 8 10 20; do
        run bash -c 'exec 20<"$3"; "$1" exec -w "/proc/self/fd/$2" "$4" /bin/cat "../../../../../../../$3/secret"' - \
            "$BRIG" "$n" "$CANARY" "$cid"
        refute_line "$(canary_nonce)"
    done
    run brig exec -w /proc/1/cwd "$cid" /probe path "$CANARY/secret"
    refute_line '	reached	'
    canary_check
}

@test "R3 masks are the null device or empty, also when the image brings its own /dev/null" {
    row R3
    make_image devnull '{"Cmd":["/probe","R3"]}' "f|probe|0755|0|0|@$PROBE" 'd|dev' 'l|dev/null|/proc/sys/kernel/core_pattern'
    run brig run --rm --net none devnull
    assert_ok
    refute_line '	reached	'
    run brig run --rm --net none devnull /probe R8
    refute_line '	reached	'
    assert_eq "$(host_values)" "$(cat "$T/host-values")"
}

@test "R4 the terminal is a terminal of the container, also when the image brings links" {
    canary_make
    make_image devpts '{}' "f|probe|0755|0|0|@$PROBE" 'd|dev' "l|dev/pts|$CANARY" "l|dev/console|$CANARY/secret" \
        'l|dev/ptmx|/proc/sysrq-trigger' "l|dev/tty|$CANARY/decoy"
    for image in tiny devpts; do
        run "$REPO_TESTS/attacks/terminal.py" X "$BRIG" run --rm --net none -t "$image" /bin/stat -L -c '%n %F %t' /dev/console \
            /proc/self/fd/0
        assert_ok
        assert_line '^/dev/console character special file 88'
        assert_line '^/proc/self/fd/0 character special file 88'
    done
    canary_check
}

@test "R5 writes into /proc are not led astray by what the image has there" {
    canary_make
    make_image proclink '{}' "l|proc|$CANARY"
    make_image proclink2 '{}' 'l|proc|/p' 'd|p'
    make_image procfile '{}' 'f|proc|0644|0|0|=x'
    make_image procdir '{}' 'd|proc/self/attr' 'f|proc/self/attr/exec|0666|0|0|=' 'l|proc/sys|/etc' 'd|proc/1'
    for image in proclink proclink2 procfile procdir; do
        run brig run --rm --net none "$image" /bin/cat /proc/self/status
        # Either the start is refused with the name of the thing, or /proc is the real one.
        if [ "$status" = 0 ]; then
            assert_line '^NoNewPrivs:	1'
            run brig run --rm --net none "$image" /bin/stat -f -c %T /proc
            assert_line '^proc$'
        else
            assert_exit 125
            assert_line '/proc'
        fi
    done
    canary_check
    assert_eq "$(host_values)" "$(cat "$T/host-values")"
}

@test "R5 every file below /proc that a start writes is opened through a descriptor" {
    need_command strace
    strace -f -qq -o "$TT/trace" -e trace=openat,openat2,open "$BRIG" run --rm --net none tiny true || skip "strace cannot trace here"
    # After the first clone3 in which namespaces are made, nothing opens an absolute /proc path for writing.
    run grep -E 'open(at|at2)?\((AT_FDCWD, )?"/proc/(self|thread-self|sys|[0-9]+/attr)[^"]*", .*O_(WRONLY|RDWR)' "$TT/trace"
    assert_eq "$output" ""
}

@test "R6 a mount target that is swapped for a link is never followed out of the root" {
    canary_make
    mkdir -p "$TT/vol/x/y"
    ln -s "../../../../../../../../../../$CANARY" "$TT/vol/z"
    chmod -R a+rwX "$TT/vol"
    local cid i
    cid=$(brig run -d --net none -v "$TT/vol:/vol" probe /probe swap /vol/x /vol/z 60)
    for _ in $(seq 20); do
        run brig run --rm --net none -v "$TT/vol:/vol" --tmpfs /vol/x/y probe /bin/sh -c \
            'echo inside > /vol/x/y/mark; grep " /vol/x" /proc/self/mountinfo'
        # A refusal is fine; a mount anywhere else is not.
        [ "$status" != 0 ] || assert_line ' /vol/x/y '
        refute_file "$CANARY/y"
        refute_file "$CANARY/mark"
    done
    brig rm -f "$cid" >/dev/null
    canary_check
}

@test "R7 cgroup release_agent is out of reach" { row R7; }
@test "R8 kernel settings that run programs are out of reach" { row R8; }
@test "R9 files by handle are refused" { row R9; }
@test "R10 devices cannot be made or opened" { row R10; }

@test "R8 no file of /proc or /sys can be opened for writing, and only listed ones say something" {
    run brig run --rm --net none probe /probe walk
    assert_ok
    [ "$(awk -F'\t' '$2 == "files" { print $4 }' <<<"$output")" -gt 50 ] || fail "hardly any file seen" "$output"
    assert_eq "$(awk -F'\t' '$4 == "write"' <<<"$output")" ""
    # A file that a newer kernel adds must be looked at before it is put here.
    local extra
    extra=$(awk -F'\t' '$1 == "A15" && $4 == "read" { print $2 }' <<<"$output" |
        grep -vE '^/proc/(cgroups|cpuinfo|filesystems|loadavg|meminfo|stat|swaps|uptime|version|vmstat)$' |
        grep -vE '^/proc/(pressure|sysvipc|sys)/' || true)
    assert_eq "$extra" ""
}

@test "R11 nothing is pushed into the operator's terminal" {
    # As a user the container gets the caller's terminal here: no -t. TIOCSTI would type into the operator's shell.
    run "$REPO_TESTS/attacks/terminal.py" X "$BRIG" run --rm --net none -i probe /probe tty X
    assert_line '^R11	tiocsti_0_0	stopped'
    assert_line '^pushed: 0$'
    refute_line '	reached	'
    run "$REPO_TESTS/attacks/terminal.py" X "$BRIG" run --rm --net none -it probe /probe tty X
    assert_line '^pushed: 0$'
    refute_line '	reached	'
    row R11
    if [ "$(cat /proc/sys/dev/tty/legacy_tiocsti 2>/dev/null || echo 1)" = 1 ]; then
        # Control: without an engine it works, in both encodings, for the descriptors that are the terminal.
        run "$REPO_TESTS/attacks/terminal.py" X "$PROBE" tty X
        refute_line '^pushed: 0$'
    fi
}

@test "R13 a set-uid program raises nothing" {
    row R13
    row A18
    for how in run exec; do
        if [ $how = run ]; then
            run brig run --rm --net none -u app probe /suid status
        else
            cid=$(brig run -d --net none -u app probe sleep 60)
            run brig exec "$cid" /suid status
        fi
        assert_line '^status	Uid	fact	1000 1000 1000 1000'
        assert_line '^status	NoNewPrivs	fact	1'
        assert_line '^status	CapEff	fact	0000000000000000'
    done
    if [ "$MODE" = root ]; then
        # Control: outside, the same bit works.
        install -m 4755 "$PROBE" "$TT/suid"
        run setpriv --reuid 65534 --regid 65534 --clear-groups "$TT/suid" status
        rm "$TT/suid"
        assert_line '^status	Uid	fact	65534 0 0 0'
    fi
}

@test "R14 no new namespaces, by any call" { row R14; }
@test "R15 other doors into the kernel are shut" { row R15; }
@test "R16 kernel keyrings are out of reach" { row R16; }

@test "R17 abstract sockets of the host are out of reach" {
    local name=brig-test-$RANDOM-$BASHPID
    "$REPO_TESTS/attacks/listen.py" "$TT/ready" abstract "$name" 3>&- &
    local pid=$!
    wait_for 10 test -e "$TT/ready"
    run brig run --rm --net none probe /probe net abstract "$name"
    assert_line '	stopped	ECONNREFUSED'
    # The host's network namespace, named: Landlock keeps its sockets apart.
    run brig run --rm --net host probe /probe net abstract "$name"
    assert_line '	stopped	EPERM'
    assert_eq "$(wc -l <"$TT/ready")" 0
    # Control: with the scope lowered too it is reached.
    run brig run --rm --net host --lower landlock=scope probe /probe net abstract "$name"
    assert_line '	reached	ok'
    assert_eq "$(wc -l <"$TT/ready")" 1
    kill "$pid"
}

@test "R18 no group of the caller reaches inside" {
    assert_eq "$(fact "$T/root" status Groups)" ""
    assert_eq "$(fact "$T/app" status Groups)" "1001"
    if [ "$MODE" = root ]; then
        run setpriv --groups 4,27,100 "$BRIG" run --rm --net none probe /probe status
        assert_line '^status	Groups	fact	$'
        run setpriv --groups 4,27,100 "$PROBE" status
        assert_line '^status	Groups	fact	4 27 100 ?$'
    fi
}

@test "R19 capabilities are as planned in all five sets, in run, exec and health checks" {
    local cid set
    for set in CapInh CapAmb; do
        assert_eq "$(fact "$T/root" status $set)" 0000000000000000
        assert_eq "$(fact "$T/app" status $set)" 0000000000000000
    done
    assert_eq "$(fact "$T/root" status CapBnd)" "$(fact "$T/root" status CapPrm)"
    assert_eq "$(fact "$T/app" status CapEff)" 0000000000000000
    assert_eq "$(fact "$T/app" status CapPrm)" 0000000000000000
    assert_eq "$(fact "$T/app" status CapBnd)" 0000000000000000
    cid=$(brig run -d --net none --health-cmd '/probe status > /data/health; true' --health-interval 1s probe sleep 60)
    run brig exec "$cid" /probe status
    assert_line "^status	CapEff	fact	$(fact "$T/root" status CapEff)"
    assert_line "^status	CapBnd	fact	$(fact "$T/root" status CapBnd)"
    assert_line "^status	CapInh	fact	0000000000000000"
    assert_line "^status	CapAmb	fact	0000000000000000"
    assert_line "^status	Seccomp	fact	2"
    wait_for 10 brig exec "$cid" /bin/grep -q Seccomp_filters /data/health
    run brig exec "$cid" /bin/cat /data/health
    assert_line "^status	CapEff	fact	$(fact "$T/root" status CapEff)"
    assert_line "^status	CapInh	fact	0000000000000000"
    assert_line "^status	Seccomp	fact	2"
    assert_line "^status	NoNewPrivs	fact	1"
}

@test "R20 a user that is no user is refused, never root" {
    local u
    for u in 4294967295 4294967296 -1 0x0 ' 0' '1: ' ':0x1' 99999999999999999999 '0;id' nosuch 'app:nosuch'; do
        run brig run --rm --net none -u "$u" probe /probe status
        [ "$status" = 125 ] || fail "user '$u': exit $status" "$output"
        refute_line '^status	Uid'
    done
    # Names that are numbers count as numbers, whatever the image's passwd says of them.
    make_image passwd '{"Cmd":["/probe","status"]}' "f|probe|0755|0|0|@$PROBE" \
        'f|etc/passwd|0644|0|0|=1000:x:0:0::/:/bin/sh\n4294967296:x:0:0::/:/bin/sh\n-1:x:0:0::/:/bin/sh\nbig:x:4294967296:0::/:/x\nneg:x:-1:0::/:/x\n'
    run brig run --rm --net none -u 1000 passwd
    assert_line '^status	Uid	fact	1000 1000 1000 1000'
    for u in 4294967296 -1 big neg; do
        run brig run --rm --net none -u "$u" passwd
        assert_exit 125
    done
}

@test "R20 a passwd that is a link, a FIFO, a device or endless is no trap" {
    canary_make
    echo 'app:x:0:0::/:/bin/sh' >"$CANARY/passwd"
    # shellcheck disable=SC2034 # canary_check reads it
    CANARY_WAS=$(canary_state)
    make_image pw1 '{}' "l|etc/passwd|../../../../../../..$CANARY/passwd"
    make_image pw2 '{}' 'p|etc/passwd'
    make_image pw3 '{}' 'l|etc/passwd|/dev/zero'
    make_image pw4 '{}' 'd|etc/passwd'
    make_image pw5 '{}' 'f|etc/passwd|0644|0|0|050000000'
    make_image pw6 '{}' 'l|etc|/proc/self/root/etc'
    local image
    for image in pw1 pw2 pw3 pw4 pw5 pw6; do
        BRIG_TIMEOUT=20 run brig run --rm --net none -u app "$image" /bin/id
        [ "$status" = 125 ] || fail "$image: exit $status" "$output"
        # A number needs no passwd.
        BRIG_TIMEOUT=20 run brig run --rm --net none -u 1000 "$image" /bin/grep Uid /proc/self/status
        [ "$status" = 125 ] || assert_line '^Uid:	1000	'
    done
    canary_check
}

@test "R21 nothing is made outside for a working directory, volume or mount that is a link" {
    canary_make
    local out="../../../../../../../../$CANARY"
    make_image wd '{"WorkingDir":"/a/made"}' "l|a|$out"
    make_image wdabs '{"WorkingDir":"/a/made"}' "l|a|$CANARY"
    make_image vol '{"Volumes":{"/a/made":{}}}' "l|a|$out"
    for image in wd wdabs vol; do
        run brig run --rm --net none "$image" /bin/true
    done
    run brig run --rm --net none --tmpfs /a/tmp wd /bin/true
    run brig run --rm --net none -v "$TT:/a/bind" wd /bin/true
    run brig run --rm --net none -w /a/other wd /bin/true
    canary_check
}

@test "R22 the engine runs and loads nothing of the image" {
    # Whatever of these ran, inside or outside, leaves a mark; the command itself does not use them.
    local trip='#!/bin/busybox sh\necho tripped $0 >> /data/tripped\n' names=() n cid
    for n in ps tar xz gzip nsenter id cp sh ldconfig pasta newuidmap stty clear; do
        names+=("f|bin/$n|0755|0|0|=$trip")
    done
    make_image trap '{"Env":["PATH=/bin","LD_PRELOAD=/lib/trap.so","LD_LIBRARY_PATH=/lib","GCONV_PATH=/lib"]}' 'd|data|1777' \
        "${names[@]}" 'f|lib/trap.so|0755|0|0|=not a library' 'f|lib/libnss_files.so.2|0755|0|0|=not a library' \
        'f|etc/nsswitch.conf|0644|0|0|=passwd: trap\n'
    cid=$(brig run -d --net none trap /bin/busybox sleep 60)
    echo hello >"$TT/file"
    brig cp "$TT/file" "$cid:/data/file"
    brig cp "$cid:/data/file" "$TT/back"
    assert_eq "$(cat "$TT/back")" hello
    brig top "$cid" >/dev/null
    brig stats --no-stream "$cid" >/dev/null
    brig diff "$cid" >/dev/null
    brig logs "$cid"
    brig posture "$cid" >/dev/null || true
    brig exec "$cid" /bin/busybox true
    run brig exec "$cid" /bin/busybox cat /data/tripped
    [ "$status" != 0 ] || fail "ran: $output"
    # Control: the traps do work.
    brig exec "$cid" /bin/ps || true
    run brig exec "$cid" /bin/busybox cat /data/tripped
    assert_line '^tripped /bin/ps'
    # The host's loader never saw the image's LD_PRELOAD.
    if strace -f -qq -o "$TT/trace" -e trace=openat,open,execve "$BRIG" run --rm --net none trap /bin/busybox true; then
        run grep -F trap.so "$TT/trace"
        refute_line 'open'
    fi
}

@test "R23 processes outside do not exist inside" {
    row R23
    sleep 60 3>&- &
    local pid=$!
    run probe other pid "$pid"
    refute_line '	reached	'
    assert_line '^R23	signal	stopped	ESRCH'
    run "$PROBE" other pid "$pid"
    assert_line '^R23	signal	reached'
    kill "$pid"
}

@test "R24 descriptors and namespaces of others cannot be taken" { row R24; }
@test "R25 nothing can be mounted or unmounted" { row R25; }
@test "R26 the host does not show" { row R26; }
@test "R27 rare system calls are refused" { row R27; }
@test "R28 only plain sockets can be made" { row R28; }

@test "R29 shared memory, /tmp and IPC of host and neighbours are not shared" {
    canary_make "/dev/shm/brig-test-$BASHPID"
    local shmid cid
    run probe path "$CANARY/secret"
    refute_line '	reached	'
    rm -r "$CANARY"
    shmid=$(ipcmk -M 4096 | grep -oE '[0-9]+$')
    run probe other shm "$shmid"
    assert_line '	stopped	'
    run "$PROBE" other shm "$shmid"
    ipcrm -m "$shmid"
    assert_line '	reached	'
    cid=$(brig run -d --net none probe /bin/sh -c 'echo a > /dev/shm/neighbour; echo a > /tmp/neighbour; sleep 60')
    wait_for 10 brig exec "$cid" /bin/ls /tmp/neighbour
    run probe path /dev/shm/neighbour /tmp/neighbour
    refute_line '	reached	'
}

@test "R30 the cgroup cannot be written from inside" { row R30; }
@test "R31 the clock cannot be set" { row R31; }

@test "R32 the root has no way out" {
    canary_make "$T/way-out"
    run probe path "$CANARY/secret"
    refute_line '	reached	'
    run brig run --rm --net none -u app probe /probe path "$CANARY/secret"
    refute_line '	reached	'
    assert_eq "$(awk -F'\t' '$1 == "R32" && $2 == "root_parent" { print $3 }' "$T/root")" stopped
    # Control: a plain chroot has one, for root.
    if [ "$MODE" = root ]; then
        mkdir -p "$TT/jail/tmp"
        cp "$PROBE" "$TT/jail/probe"
        run chroot "$TT/jail" /probe path "$CANARY/secret"
        assert_line '^R32	chroot:.*	reached'
    fi
    canary_check
    rm -r "$CANARY"
}

@test "R33 R34 a recorded process that is another one now is not touched" {
    local cid other state
    cid=$(brig run -d --net none probe sleep 60)
    state=$(echo "$BRIG_DATA"/containers/*"$cid"*/state.json)
    sleep 60 3>&- &
    other=$!
    brig kill "$cid" >/dev/null
    wait_for 10 bash -c "! '$BRIG' inspect --format '{{.State.Running}}' '$cid' | grep -q true"
    # As if the pid had been given to another process since.
    jq --argjson pid "$other" '.status = "running" | .pid = $pid' "$state" >"$state.new" && mv "$state.new" "$state"
    run brig exec "$cid" /bin/true
    [ "$status" != 0 ]
    run brig stop -t 1 "$cid"
    run brig kill "$cid"
    kill -0 "$other" || fail "a process that only had the recorded number was killed"
    assert_eq "$(container_get "$cid" '{{.State.Running}}')" false
    brig rm -f "$cid" >/dev/null
    kill -0 "$other"
    kill "$other"
}

@test "A07 an image whose /dev, or a folder in it, is a link leads nowhere" {
    canary_make
    local what
    make_image dev-dev '{}' "l|dev|$CANARY"
    for what in shm pts mqueue; do
        make_image "dev-$what" '{}' 'd|dev' "l|dev/$what|$CANARY"
    done
    for what in dev shm pts mqueue; do
        # Refused by name, or the container has a /dev of its own and nothing of the canary.
        run brig run --rm --net none "dev-$what" /bin/sh -c 'ls -A /dev/ /dev/shm; echo x >/dev/shm/mark; stat -c %t,%T /dev/null'
        if [ "$status" = 0 ]; then
            assert_line '^1,3$'
            refute_line '^(secret|decoy)$'
        else
            assert_exit 125
            assert_line '/dev'
        fi
        refute_file "$CANARY/mark"
    done
    canary_check
}

@test "A29 what a container does to a file of its image, no other container and no store sees" {
    local a b before
    before=$(find "$BRIG_DATA" -path '*/objects/*' -type f -exec sha256sum {} + | sort)
    [ -n "$before" ] || fail "no objects found: no control"
    a=$(brig run -d --net none probe sleep 60)
    b=$(brig run -d --net none probe sleep 60)
    brig exec "$b" /bin/sha256sum /suid >"$TT/before"
    run brig exec "$a" /bin/sh -c 'echo changed >>/suid; sha256sum /suid; cp /data/no /suid; : >/suid; wc -c </suid'
    # The control: it did change its own.
    assert_line '^0$'
    brig exec "$b" /bin/sha256sum /suid >"$TT/after"
    assert_eq "$(cat "$TT/after")" "$(cat "$TT/before")"
    assert_eq "$(find "$BRIG_DATA" -path '*/objects/*' -type f -exec sha256sum {} + | sort)" "$before"
    assert_eq "$(brig run --rm --net none probe /bin/sha256sum /suid)" "$(cat "$TT/before")"
    # The calls of that class do not reach the kernel, or have nothing to work on: R27 (vmsplice), R28 (AF_ALG).
}

@test "A21 text from a container cannot drive the operator's terminal" {
    local esc=$'\e' cid
    make_image escape "$(jq -cn '{Labels: {("k\u001b[31m"): "v\u001b]52;c;aGk=\u0007"}, Cmd: ["/bin/echo", "\u001b[2Jx\u009b5n\u202e"]}')"
    cid=$(brig run -d --net none --label $'x=\e]0;title\a' escape)
    brig wait "$cid" >/dev/null
    for what in "ps -a --no-trunc" "images" "history escape" "inspect $cid" "port $cid" "events --since 1h --until 0s"; do
        # shellcheck disable=SC2086 # words on purpose
        run "$REPO_TESTS/attacks/terminal.py" X "$BRIG" $what
        assert_ok
        ! LC_ALL=C grep -qP '[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]' <<<"$output" || fail "brig $what lets control bytes through"
    done
    run -127 "$REPO_TESTS/attacks/terminal.py" X "$BRIG" run --rm --net none escape "/nosuch${esc}[31m"
    ! LC_ALL=C grep -qP '[\x00-\x08\x0b-\x1f\x7f]' <<<"$output" || fail "an error message lets control bytes through"
}

@test "A36 no two containers share a host id, and none has the caller's" {
    local a b c all=()
    a=$(brig run -d --net none probe sleep 60)
    b=$(brig run -d --net none probe sleep 60)
    c=$(brig run -d --net none -u app tiny sleep 60)
    for cid in "$a" "$b" "$c"; do
        local pid map
        pid=$(container_pid "$cid")
        for map in uid gid; do
            while read -r _ out count; do
                all+=("$map $out $((out + count - 1)) $cid")
                if [ "$map" = uid ] && [ "$(id -u)" -ge "$out" ] && [ "$(id -u)" -lt $((out + count)) ]; then
                    fail "the caller's id is mapped: $(cat "/proc/$pid/uid_map")"
                fi
            done <"/proc/$pid/${map}_map"
        done
        # Every process of the container and its monitor: none has an id of the caller when root calls.
        if [ "$MODE" = root ]; then
            assert_eq "$(awk '/^Uid:/ { print ($2 > 0 && $3 > 0 && $4 > 0) }' "/proc/$pid/status")" 1
        fi
    done
    printf '%s\n' "${all[@]}" | sort -k1,1 -k2,2n | awk '
        $1 == kind && $4 != cid && $2 <= last { print "shared: " $0 " and " before; bad = 1 }
        { if ($1 != kind || $3 > last) { last = $3; cid = $4; before = $0 } kind = $1 }
        END { exit bad }' || fail "${all[@]}"
    [ ${#all[@]} -ge 6 ]
}

@test "A36 no mount hears of the host's" {
    for who in root app; do
        assert_eq "$(awk -F'\t' '$2 == "mount_propagation" { print $3 }' "$T/$who")" stopped
    done
    # Control.
    if [ "$MODE" = root ]; then
        run unshare --mount --propagation shared "$PROBE" R13
        assert_line '^A36	mount_propagation	reached'
    fi
}

@test "B21 environment and labels of an image take nothing from the host" {
    SECRET=nonce-$RANDOM
    export SECRET
    local env
    for env in SECRET '*' 'S*'; do
        # Either the image is refused, and the message says why, or the word does nothing.
        run make_image envs "$(jq -cn --arg e "$env" '{Env: [$e, "GOOD=1"]}')"
        if [ "$status" = 0 ]; then
            run brig run --rm --net none envs /bin/env
            assert_line '^GOOD=1$'
            refute_line "$SECRET"
        else
            assert_line 'Env'
        fi
        rm -rf "$TT/layout-envs"
    done
    make_image labels '{"Labels":{"io.containers.capabilities":"SYS_ADMIN","io.podman.annotations.privileged":"TRUE",
        "run":"podman run --privileged IMAGE","org.criu.config":"/x"}}' "f|probe|0755|0|0|@$PROBE"
    run brig run --rm --net none labels /probe status
    assert_line "^status	CapEff	fact	$(fact "$T/root" status CapEff)"
    # Asked for by name it is passed.
    run brig run --rm --net none -e SECRET tiny /bin/env
    assert_line "^SECRET=$SECRET$"
}
