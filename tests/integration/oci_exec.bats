#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# brig-oci exec with all that it takes, and the commands beside the life cycle: ps, list, pause, resume, update, events.
# shellcheck disable=SC2016

load lib
load oci

setup_file() { oci_setup; }
teardown_file() { oci_teardown; }
setup() {
    TT=$(mktemp -d "$T/t-XXXXXX")
    chmod 0755 "$TT"
    export TT
}
teardown() {
    local id
    for id in $(ls "$STATES" 2>/dev/null); do oci delete -f "$id"; done
    oci_no_cgroups
}

# A running container $1; more arguments are jq expressions.
started() {
    local id=$1
    shift
    oci run -d -b "$(bundle "b-$id" '.process.args = ["/bin/sleep", "1000"]' "$@")" "$id" </dev/null >/dev/null 2>&1
}
pid_of() { oci state "$1" | jq .pid; }

@test "exec: environment, working directory, user, exit code; the namespaces are the container's" {
    started c
    local pid ns
    pid=$(pid_of c)
    run oci exec -e A=b -e PATH=/bin --cwd /etc c sh -c 'pwd; env | sort; exit 9'
    assert_exit 9
    assert_line '^/etc$'
    assert_line '^A=b$'
    assert_line '^PATH=/bin$'
    assert_line '^HOME=/root$'
    for ns in mnt pid uts ipc; do
        assert_eq "$(oci exec c readlink "/proc/self/ns/$ns")" "$(readlink "/proc/$pid/ns/$ns")"
    done
    # The process that joins is not its child there, and sees no process of the host.
    assert_eq "$(oci exec c sh -c 'ls -d /proc/[0-9]* | wc -l')" 4
    if [ "$MODE" = root ]; then
        assert_eq "$(oci exec -u 1000:5 -g 7 c id)" "$(printf 'uid=1000(app) gid=5(tty) groups=7')"
        assert_eq "$(oci exec -u 1000:5 c sh -c 'echo $HOME')" "$(awk -F: '$3 == 1000 { print $6 }' "$T/rootfs/etc/passwd")"
    fi
}

@test "exec: a program that is missing, one that may not run, a folder, a container that has ended" {
    started c
    run -127 oci exec c nope
    assert_line 'executable file not found in \$PATH'
    run oci exec c /etc
    assert_exit 126
    assert_line 'permission denied'
    run oci exec c
    assert_line 'args cannot be empty'
    run oci exec none true
    assert_exit 255
    assert_line 'does not exist'
    oci kill c KILL
    oci_await c stopped
    run oci exec c true
    assert_exit 255
    assert_line 'container is not running'
}

@test "exec: capabilities, no_new_privs and seccomp are the container's unless said otherwise" {
    started c '.process.noNewPrivileges = false' \
        '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 88}]}'
    local pid
    pid=$(pid_of c)
    assert_eq "$(oci exec c grep -E 'Cap(Bnd|Prm|Eff|Amb)' /proc/self/status)" "$(grep -E 'Cap(Bnd|Prm|Eff|Amb)' "/proc/$pid/status")"
    run oci exec c sh -c 'mkdir /tmp/x; grep -E "NoNewPrivs|Seccomp:" /proc/self/status'
    assert_line 'NoNewPrivs:.*0'
    assert_line 'Seccomp:.*2'
    assert_line "can't create directory"
    run oci exec --no-new-privs --cap CAP_NET_RAW c grep -E 'NoNewPrivs|CapEff' /proc/self/status
    assert_line 'NoNewPrivs:.*1'
    output=$((0x$(sed -n 's/^CapEff:[[:space:]]*//p' <<<"$output") >> 13 & 1))
    assert_eq "$output" 1
}

@test "exec --process: a whole process object; a bad one is named" {
    started c
    jq '.process | .args = ["/bin/sh", "-c", "echo $X; umask; ulimit -n; cat /proc/self/oom_score_adj"] | .env = ["X=y", "PATH=/bin"] | .user.umask = 63
        | .rlimits = [{type: "RLIMIT_NOFILE", soft: 77, hard: 88}] | .oomScoreAdj = 500 | .terminal = false' "$TT/b-c/config.json" >"$TT/p.json"
    run oci exec --process "$TT/p.json" c
    assert_ok
    assert_line '^y$'
    assert_line '^0077$'
    assert_line '^77$'
    assert_line '^500$'
    echo '{"args": 5, "cwd": "/"}' >"$TT/bad.json"
    run oci exec --process "$TT/bad.json" c
    assert_exit 255
    assert_line 'process.args'
}

@test "exec --detach --pid-file: comes back while the program runs" {
    started c
    oci exec -d --pid-file "$TT/pid" c sleep 500 </dev/null >/dev/null 2>&1
    local pid
    pid=$(cat "$TT/pid")
    assert_eq "$(tr '\0' ' ' <"/proc/$pid/cmdline")" "sleep 500 "
    assert_eq "$(readlink "/proc/$pid/ns/pid")" "$(readlink "/proc/$(pid_of c)/ns/pid")"
    # What cannot be written down has no process.
    run oci exec -d --pid-file "$TT/no/pid" c sleep 501
    [ "$status" != 0 ]
    assert_eq "$(oci exec c sh -c 'ps | grep -c "[s]leep 501"')" 0
}

@test "exec: a terminal, relayed or by console socket" {
    started c
    run script -qec "'$OCI' --root '$STATES' exec -t c sh -c 'tty; test -t 1 && echo yes'" /dev/null
    assert_ok
    assert_line '/dev/pts/'
    assert_line yes
    run oci exec -t -d c tty
    assert_line 'console socket'
    python3 - "$TT/sock" >"$TT/got" <<-'EOF' &
	import array, os, socket, sys
	s = socket.socket(socket.AF_UNIX)
	s.bind(sys.argv[1]); s.listen(1)
	c, _ = s.accept()
	data, anc, _, _ = c.recvmsg(100, socket.CMSG_SPACE(4))
	fd = array.array("i", anc[0][2])[0]
	print(data.decode(), flush=True)
	print(os.read(fd, 100).decode().strip(), flush=True)
	EOF
    wait_for 5 test -S "$TT/sock"
    oci exec -t -d --console-socket "$TT/sock" c sh -c 'echo word; sleep 1' </dev/null >/dev/null 2>&1
    wait_for 5 grep -q word "$TT/got"
    grep -q '^/dev/' "$TT/got"
}

@test "exec --preserve-fds: these and no other" {
    started c
    echo inside >"$TT/f"
    run bash -c "exec 3<'$TT/f' 8</dev/null 9</dev/null; '$OCI' --root '$STATES' exec --preserve-fds 1 c sh -c 'cat <&3; ls /proc/self/fd'"
    assert_ok
    assert_line '^inside$'
    refute_line '^[89]$'
    run oci exec --preserve-fds 99 c true
    assert_line 'not open'
}

@test "exec in a paused container is refused; pause and resume" {
    need_own_cgroup
    started c
    oci pause c
    assert_eq "$(oci_status c)" paused
    run oci exec c true
    assert_exit 255
    assert_line 'paused'
    run oci pause c
    [ "$status" != 0 ]
    oci resume c
    assert_eq "$(oci_status c)" running
    run oci resume c
    [ "$status" != 0 ]
    assert_line 'not paused'
    oci exec c true
}

@test "exec --cgroup: a folder below the container's own" {
    need_root
    started c
    local own sub
    own=$(grep -E '^[0-9]+:pids:|^0::' "/proc/$(pid_of c)/cgroup" | head -1)
    own=${own##*:}
    sub=$(find /sys/fs/cgroup -maxdepth 4 -type d -path "*pids*$own" -o -maxdepth 4 -type d -path "/sys/fs/cgroup$own" | head -1)
    [ -n "$sub" ]
    mkdir "$sub/deep"
    oci exec -d --pid-file "$TT/pid" --cgroup pids:deep c sleep 100 </dev/null >/dev/null 2>&1 ||
        oci exec -d --pid-file "$TT/pid" --cgroup deep c sleep 100 </dev/null >/dev/null 2>&1
    grep -q "$own/deep$" "/proc/$(cat "$TT/pid")/cgroup"
    run oci exec --cgroup ../.. c true
    [ "$status" != 0 ]
    run oci exec --cgroup nothing:deep c true
    assert_line 'no such controller'
}

@test "ps and list" {
    started c
    if [ -n "${BRIG_TEST_ACCEPT:-}" ]; then
        run oci ps c
        assert_line "container has no cgroup"
        [ "$status" != 0 ]
        skip "no cgroup that this user may use"
    fi
    started d
    assert_eq "$(oci ps -f json c)" "[$(pid_of c)]"
    run oci ps c
    assert_line 'sleep 1000'
    assert_eq "$(oci list -q)" "$(printf 'c\nd')"
    assert_eq "$(oci list -f json | jq -c 'map([.id, .status, .pid])')" "[[\"c\",\"running\",$(pid_of c)],[\"d\",\"running\",$(pid_of d)]]"
    run oci list
    assert_line "^c +$(pid_of c) +running"
    run oci list -f xml
    [ "$status" != 0 ]
}

@test "update: options and a resources object; what is wrong is named" {
    need_root
    need_file() { find /sys/fs/cgroup -path "*/${T##*/}/b-c/$1" | head -1; }
    started c
    oci update --pids-limit 77 --memory 64m c
    assert_eq "$(cat "$(need_file pids.max)")" 77
    [ ! -e "$(need_file memory.limit_in_bytes)" ] || assert_eq "$(cat "$(need_file memory.limit_in_bytes)")" 67108864
    echo '{"pids": {"limit": 66}}' | oci update -r - c
    assert_eq "$(cat "$(need_file pids.max)")" 66
    run oci update --pids-limit many c
    assert_line 'pids.limit'
    run oci update --cpuset-cpus 0-99999 c
    [ "$status" != 0 ]
}

@test "events --stats: one document with the figures" {
    need_own_cgroup
    started c
    run oci events --stats c
    assert_ok
    assert_eq "$(jq -c '[.type, .id, (.data.pids.current >= 1), (.data.memory.usage.usage > 0)]' <<<"$output")" '["stats","c",true,true]'
}

@test "the process that waits for start takes less than 1 MB and cannot be looked into" {
    local pid
    oci create -b "$(bundle c)" c </dev/null >/dev/null 2>&1
    pid=$(pid_of c)
    if [ "$MODE" = root ]; then
        [ "$(awk '/^Rss:/ { print $2 }' "/proc/$pid/smaps_rollup")" -lt 1024 ]
        # Not dumpable: its files in /proc are root's even where the container has other ids.
        assert_eq "$(stat -c %u "/proc/$pid/environ")" 0
    else
        run cat "/proc/$pid/environ"
        [ "$status" != 0 ]
    fi
}

@test "brig posture judges such a container" {
    started c
    run "$BRIG" posture --pid "$(pid_of c)"
    # The kernel's own record of it, not the plan's.
    assert_line "CapBnd $(awk '/^CapBnd/ { print $2 }' "/proc/$(pid_of c)/status" | sed 's/^0*//')"
    assert_line 'ns/pid [0-9]+, not the host'
}

@test "kill and delete --regex: each container whose id matches, and no other" {
    local id
    for id in web-1 web-2 db-1; do started $id; done
    run oci kill --regex '[' KILL
    assert_exit 1
    assert_line 'is no regular expression'
    run oci delete --regex '^web-'
    assert_exit 1
    assert_line 'web-1 that is not stopped'
    oci kill --regex '^web-' KILL
    oci_await web-1 stopped
    oci_await web-2 stopped
    assert_eq "$(oci_status db-1)" running
    oci delete --regex '^web-'
    assert_eq "$(ls "$STATES")" db-1
    oci delete --regex --force 'b-[0-9]$'
    assert_eq "$(ls "$STATES")" ""
    oci delete --regex nothing
}

@test "create and run --config: another file in place of the bundle's" {
    b=$(bundle b "$(runs 'echo of the bundle')")
    jq '.process.args[2] = "echo of the other"' "$b/config.json" >"$TT/other.json"
    cd "$TT"
    run oci run -b "$b" --config other.json one
    assert_eq "$output" "of the other"
    jq '.process.args = ["sleep", "1000"] | .hooks = {poststop: [{path: "/bin/sh", args: ["sh", "-c", "touch '"$TT"'/stopped"]}]}' "$b/config.json" >"$TT/other.json"
    oci create -b "$b" --config "$TT/other.json" two </dev/null >/dev/null
    rm "$TT/other.json"
    oci start two
    oci delete -f two
    # Its hooks were those of that file, which was kept.
    [ -e "$TT/stopped" ]
    run oci create -b "$b" --config "$TT/nope.json" three
    assert_exit 1
    assert_line "nope.json"
    run oci state three
    assert_exit 1
}

@test "--pidfd-socket of create, run and exec: a pidfd of the process" {
    cat >"$TT/receive.py" <<'EOF'
import array, os, re, socket, sys
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
s.listen(1)
open(sys.argv[1] + ".ready", "w").close()
c, _ = s.accept()
data, anc, _, _ = c.recvmsg(100, socket.CMSG_SPACE(4))
fd = array.array("i", anc[0][2])[0]
pid = re.search(r"^Pid:\s*(\d+)", open(f"/proc/self/fdinfo/{fd}").read(), re.M)[1]
open(sys.argv[1] + ".got", "w").write(data.decode() + " " + pid)
EOF
    receive() {
        rm -f "$TT/sock"*
        python3 "$TT/receive.py" "$TT/sock" 3>&- &
        receiver=$!
        wait_for 10 test -e "$TT/sock.ready"
    }
    got() {
        wait_for 10 process_is_gone "$receiver"
        cat "$TT/sock.got"
    }
    b=$(bundle b '.process.args = ["/bin/sleep", "1000"]')
    receive
    oci create -b "$b" --pidfd-socket "$TT/sock" one </dev/null >/dev/null
    assert_eq "$(got)" "pidfd $(pid_of one)"
    oci start one
    receive
    oci exec -d --pid-file "$TT/pid" --pidfd-socket "$TT/sock" one sleep 1000 </dev/null >/dev/null
    assert_eq "$(got)" "pidfd $(cat "$TT/pid")"
    oci delete -f one
    receive
    oci run -d -b "$b" --pidfd-socket "$TT/sock" two </dev/null >/dev/null
    assert_eq "$(got)" "pidfd $(pid_of two)"
    run oci create -b "$b" --pidfd-socket "$TT/nobody" three
    assert_exit 1
    assert_line 'pidfd-socket .*/nobody: No such file'
    run oci state three
    assert_exit 1
}
process_is_gone() { [ -z "$(process_start "$1")" ]; }

@test "update: what is not supported is named" {
    need_root
    started c
    run oci update --l3-cache-schema L3:0=f c
    assert_exit 1
    assert_line 'l3-cache-schema: linux.intelRdt is not supported'
    run oci update --mem-bw-schema MB:0=20 c
    assert_line 'mem-bw-schema: linux.intelRdt is not supported'
}
