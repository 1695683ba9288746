#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# brig-oci by itself: the operations and the configuration of runtime-spec 1.2 and 1.3.

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
    for id in $(ls "$STATES" 2>/dev/null); do oci delete -f "$id" || true; done
    # Nothing of a test's containers may be left in any hierarchy.
    oci_no_cgroups
}

@test "the state machine: created, running, stopped, gone, and its errors" {
    b=$(bundle b "$(runs 'echo up >/dev/null; exec sleep 30')")
    oci create -b "$b" --pid-file "$TT/pid" one </dev/null
    [ "$(oci_status one)" = created ]
    [ "$(cat "$TT/pid")" = "$(oci state one | jq .pid)" ]
    [ "$(oci state one | jq -r .bundle)" = "$b" ]
    run oci create -b "$b" one
    assert_exit 1
    assert_line 'exists'
    oci start one
    [ "$(oci_status one)" = running ]
    run oci start one
    assert_exit 1
    assert_line 'cannot start a container that is running'
    run oci delete one
    assert_exit 1
    assert_line 'not stopped: running'
    oci kill one KILL
    oci_await one stopped
    run oci kill one TERM
    assert_exit 1
    assert_line 'container not running'
    oci delete one
    run oci state one
    assert_exit 1
    assert_line 'container "one" does not exist'
    run oci delete one
    assert_exit 1
    oci delete --force one
}

@test "run: exit codes, output, nothing left" {
    b=$(bundle b "$(runs 'echo out; echo err >&2; exit 7')")
    run --separate-stderr oci run -b "$b" one
    [ "$status" = 7 ]
    [ "$output" = out ]
    [ "$stderr" = err ]
    [ -z "$(ls "$STATES")" ]
    b=$(bundle s "$(runs 'exec sleep 30')")
    oci run -b "$b" two </dev/null 3>&- &
    for _ in $(seq 50); do [ "$(oci_status two 2>/dev/null)" != running ] || break; sleep 0.1; done
    oci kill two KILL
    status=0
    wait $! || status=$?
    [ "$status" = 137 ]
}

@test "a configuration with megabytes of annotations, and one that changes after create: what create read counts" {
    b=$(bundle big "$(runs 'exec sleep 30')" '.annotations = ([range(1000) | {"org.example.\(.)": ("x" * 4096)}] | add)')
    oci create -b "$b" one </dev/null 3>&-
    jq '.process.env = ["CHANGED=1"]' "$b/config.json" >"$TT/new"
    cp "$TT/new" "$b/config.json"
    oci start one
    assert_eq "$(oci state one | jq '.annotations | length')" 1000
    run oci exec one env
    [ "$status" = 0 ]
    [[ $output != *CHANGED* ]]
    oci delete -f one
    [ -z "$(ls "$STATES")" ]
}

@test "a program that is not there or may not run fails create with the words that callers know, and leaves nothing" {
    b=$(bundle b '.process.args = ["nosuch"]')
    run oci create -b "$b" one
    [ "$status" != 0 ]
    assert_line 'executable file not found in \$PATH'
    b=$(bundle c '.process.args = ["/etc/passwd"]')
    run oci create -b "$b" two
    [ "$status" != 0 ]
    assert_line 'permission denied'
    [ -z "$(ls "$STATES")" ]
}

@test "bad configurations: one error with the JSON path, and nothing is made" {
    local name
    try() {
        name=$1
        b=$(bundle "$name" "$2")
        run oci create -b "$b" "$name"
        [ "$status" != 0 ]
        assert_line "$3"
        [ -z "$(ls "$STATES" 2>/dev/null)" ]
    }
    try v '.ociVersion = "2.0.0"' 'config.json: ociVersion: .*not supported'
    try noroot 'del(.root)' 'config.json: root: is missing'
    try ns '.linux.namespaces += [{"type": "nosuch"}]' 'linux.namespaces\[[0-9]+\].type: "nosuch"'
    try twice '.linux.namespaces += [{"type": "pid"}]' 'stands there twice'
    try uid '.process.user.uid = -1' 'process.user.uid: -1 is outside'
    try cwd '.process.cwd = "rel"' 'process.cwd: .*absolute'
    try env '.process.env += ["NOVALUE"]' 'process.env\[[0-9]+\]: is not NAME=VALUE'
    try opt '.mounts += [{"destination": "/x", "type": "tmpfs", "source": "tmpfs", "options": ["nosuchoption"]}]' \
        'mounts\[[0-9]+\].*nosuchoption'
    try dev '.linux.devices = [{"path": "/dev/x", "type": "q"}]' 'linux.devices\[0\].type'
    try prop '.linux.rootfsPropagation = "sideways"' 'linux.rootfsPropagation'
    try sec '.linux.seccomp = {"defaultAction": "SCMP_ACT_NO"}' 'linux.seccomp.defaultAction'
    mkdir "$TT/dup"
    echo '{"ociVersion": "1.0.0", "ociVersion": "1.0.0"}' >"$TT/dup/config.json"
    run oci create -b "$TT/dup" dup
    assert_line 'config.json:1:.*duplicate'
    run oci create -b "$TT/nosuch" x
    assert_line 'bundle .*/nosuch: No such file'
    run oci create -b "$TT/dup" a/b
    assert_line 'invalid container id'
}

@test "hooks: all six, in order, each with the state; a failing one stops the start" {
    cat >"$TT/hook" <<EOF
#!/bin/sh
read -r state
echo "\$1 \$(echo "\$state" | sed 's/.*"status":"\([a-z]*\)".*/\1/')" >>"$TT/log"
EOF
    chmod 0755 "$TT/hook"
    : >"$TT/log"
    b=$(bundle b "$(runs 'exit 0')" "$(for h in prestart createRuntime poststart poststop; do
        printf '.hooks.%s = [{"path": "%s/hook", "args": ["hook", "%s"], "env": ["PATH=/bin:/usr/bin"]}] | ' "$h" "$TT" "$h"
    done) ." '.hooks.createContainer = [{"path": "/bin/true"}]' '.hooks.startContainer = [{"path": "/bin/true"}]')
    oci run -b "$b" one
    [ "$(cat "$TT/log")" = "prestart creating
createRuntime creating
poststart running
poststop stopped" ]
    b=$(bundle bad '.hooks.createRuntime = [{"path": "/bin/false"}]')
    run oci create -b "$b" two
    [ "$status" != 0 ]
    assert_line 'createRuntime hook #0.*exit status 1'
    b=$(bundle slow '.hooks.createRuntime = [{"path": "/bin/sleep", "args": ["sleep", "60"], "timeout": 1}]')
    run oci create -b "$b" three
    assert_line 'did not end within 1 s'
    [ -z "$(ls "$STATES")" ]
}

@test "hooks inside are told the pid as the host numbers it" {
    cp -a "$T/rootfs" "$TT/root"
    b=$(bundle b ".root.path = \"$TT/root\" | .root.readonly = false" \
        '.hooks.startContainer = [{"path": "/bin/sh", "args": ["sh", "-c", "cat >/told"]}]' \
        '.process.user = {"uid": 0, "gid": 0} | .process.capabilities |= map_values(. + ["CAP_DAC_OVERRIDE"])' "$(runs 'exec sleep 30')")
    oci create -b "$b" one </dev/null >/dev/null
    pid=$(oci state one | jq .pid)
    oci start one
    [ "$(jq .pid "$TT/root/told")" = "$pid" ]
}

@test "mounts: options, recursive ones, tmpcopyup, files, a target that is a link stays inside" {
    mkdir -p "$TT/src/sub"
    echo data >"$TT/src/file"
    cp -a "$T/rootfs" "$TT/root"
    ln -s /../../../../etc "$TT/root/link"
    mkdir "$TT/root/copied"
    echo image >"$TT/root/copied/f"
    b=$(bundle b ".root.path = \"$TT/root\" | .root.readonly = false" "$(runs 'cat /ro/file; echo x 2>/dev/null >/ro/new && echo WROTE
        cat /copied/f; echo y >/copied/f && cat /copied/f
        grep -c " /link " /proc/self/mountinfo; cat /one; grep " /ro " /proc/self/mountinfo')" \
        ".mounts += [{\"destination\": \"/ro\", \"source\": \"$TT/src\", \"options\": [\"rbind\", \"rro\", \"nosuid\", \"nodev\"]},
            {\"destination\": \"/copied\", \"type\": \"tmpfs\", \"source\": \"tmpfs\", \"options\": [\"tmpcopyup\"]},
            {\"destination\": \"/link\", \"type\": \"tmpfs\", \"source\": \"tmpfs\"},
            {\"destination\": \"/one\", \"type\": \"bind\", \"source\": \"$TT/src/file\", \"options\": [\"bind\"]}]")
    run oci run -b "$b" one
    assert_ok
    [ "${lines[0]}" = data ]
    [ "${lines[1]}" = image ]
    [ "${lines[2]}" = y ]
    [ "${lines[3]}" = 0 ]
    [ "${lines[4]}" = data ]
    assert_line ' /ro ro,nosuid,nodev'
    # The link led to the container's own /etc.
    [ "$(cat "$TT/root/copied/f")" = image ]
    [ ! -e "$TT/src/new" ]
}

@test "nothing is mounted over files of /proc" {
    b=$(bundle b '.mounts += [{"destination": "/proc/self/attr", "type": "tmpfs", "source": "tmpfs"}]')
    run oci create -b "$b" one
    [ "$status" != 0 ]
    assert_line 'inside /proc'
}

@test "process: user, groups, umask, rlimits, oom score, capabilities, no_new_privs, environment" {
    local ids='.process.user.umask = 63'
    [ "$MODE" != root ] || ids='.process.user = {"uid": 5, "gid": 6, "additionalGids": [7, 8], "umask": 63}'
    b=$(bundle b "$ids" "$(runs 'id -u; id -g; id -G; umask; ulimit -n; cat /proc/self/oom_score_adj; grep -E "^(NoNewPrivs|CapBnd)" /proc/self/status; echo $V')" \
        '.process.rlimits = [{"type": "RLIMIT_NOFILE", "soft": 99, "hard": 100}] | .process.oomScoreAdj = 500 | .process.env += ["V=w"]' \
        '.process.capabilities.bounding = ["CAP_KILL"]')
    run oci run -b "$b" one
    assert_ok
    if [ "$MODE" = root ]; then
        [ "${lines[0]} ${lines[1]}" = "5 6" ]
        [ "${lines[2]}" = "6 7 8" ]
    fi
    [ "${lines[3]}" = 0077 ]
    [ "${lines[4]}" = 99 ]
    [ "${lines[5]}" = 500 ]
    assert_line '^NoNewPrivs:.1$'
    assert_line '^CapBnd:.0000000000000020$'
    [ "${lines[-1]}" = w ]
}

@test "namespaces: new ones, by path, time offsets, hostname and domain name" {
    b=$(bundle b '.hostname = "hh" | .domainname = "dd" | .linux.namespaces += [{"type": "time"}]' \
        '.linux.timeOffsets = {"boottime": {"secs": 1000000, "nanosecs": 0}}' \
        "$(runs 'hostname; cat /proc/sys/kernel/domainname; cut -d. -f1 /proc/uptime; exec sleep 30')")
    oci create -b "$b" one >"$TT/out" </dev/null
    pid=$(oci state one | jq .pid)
    oci start one
    for _ in $(seq 50); do [ "$(wc -l <"$TT/out")" = 3 ] && break || sleep 0.1; done
    [ "$(sed -n 1p "$TT/out")" = hh ]
    [ "$(sed -n 2p "$TT/out")" = dd ]
    [ "$(sed -n 3p "$TT/out")" -gt 1000000 ]
    [ "$(readlink "/proc/$pid/ns/uts")" != "$(readlink /proc/self/ns/uts)" ]
    # The second one shares its uts and ipc namespaces.
    if [ "$MODE" = root ]; then
        c=$(bundle c ".linux.namespaces |= map(if .type == \"uts\" or .type == \"ipc\" then .path = \"/proc/$pid/ns/\" + .type else . end)" \
            'del(.hostname)' "$(runs hostname)")
        run oci run -b "$c" two
        assert_ok
        [ "$output" = hh ]
    fi
    d=$(bundle d '.linux.namespaces |= map(if .type == "uts" then .path = "/etc/passwd" else . end)' 'del(.hostname)')
    run oci create -b "$d" three
    [ "$status" != 0 ]
    assert_line 'is not such a namespace'
}

# What is shared with other processes is not changed: the container's mounts are in a tree that is attached nowhere.
@test "no mount namespace, and one by path: the container has its root and mounts, and nobody else sees them" {
    need_root
    # Mounts inside a tree that is attached nowhere: since Linux 6.15.
    printf '6.15\n%s\n' "$(uname -r)" | sort -VC || skip "Linux $(uname -r) cannot mount inside a tree that is not attached"
    local other inside='readlink /proc/self/ns/mnt; cat /data/f; wc -c </proc/keys; echo x >/proc/sys/kernel/domainname; exec sleep 30'
    mkdir "$TT/src"
    echo word >"$TT/src/f"
    try() {
        mkdir -p "$TT/root-$1"
        cp -a "$T/rootfs/." "$TT/root-$1"
        b=$(bundle "$1" "$2" "$(runs "$inside")" ".root.path = \"$TT/root-$1\" | .root.readonly = false" \
            ".mounts += [{\"destination\": \"/data\", \"source\": \"$TT/src\", \"options\": [\"bind\", \"ro\", \"rprivate\"]}]")
        oci create -b "$b" "$1" >"$TT/out-$1" 2>&1 </dev/null || { cat "$TT/out-$1"; return 1; }
        oci start "$1"
        wait_for 10 grep -q sleep "/proc/$(oci state "$1" | jq .pid)/comm"
        [ "$(sed -n 1p "$TT/out-$1")" = "$3" ]
        grep -qx word "$TT/out-$1"
        grep -qx 0 "$TT/out-$1"
        grep -q 'domainname: Read-only file system' "$TT/out-$1"
        run oci exec "$1" sh -c 'readlink /proc/self/ns/mnt; cat /data/f; touch /data/g 2>&1; cat /proc/1/comm'
        assert_line 'Read-only file system'
        [ "${lines[0]} ${lines[1]} ${lines[-1]}" = "$3 word sleep" ]
        [ -z "$(grep -F "$TT" /proc/self/mountinfo)" ]
        oci delete -f "$1"
    }
    try none '.linux.namespaces |= map(select(.type != "mount"))' "$(readlink /proc/self/ns/mnt)"
    unshare --mount sleep 60 3>&- &
    other=$!
    wait_for 5 grep -q sleep "/proc/$other/comm"
    try path ".linux.namespaces |= map(if .type == \"mount\" then .path = \"/proc/$other/ns/mnt\" else . end)" "$(readlink "/proc/$other/ns/mnt")"
    [ -z "$(grep -F "$TT" "/proc/$other/mountinfo")" ]
    kill "$other"
    b=$(bundle user '.linux.namespaces |= map(select(.type != "mount")) + [{"type": "user"}]' \
        '.linux.uidMappings = [{"containerID": 0, "hostID": 100000, "size": 10}] | .linux.gidMappings = .linux.uidMappings')
    run oci create -b "$b" user
    assert_exit 1
    assert_line 'linux.namespaces: a user namespace needs a new mount namespace'
}

@test "a new network namespace has its loopback interface up; mqueue of a new ipc namespace belongs to root of the user namespace" {
    local ids='.linux.uidMappings = [{"containerID": 0, "hostID": 100000, "size": 10}] | .linux.gidMappings = .linux.uidMappings'
    local net='.linux.namespaces |= map(select(.type != "network")) + [{"type": "network"}]'
    b=$(bundle b "$net" "$(runs 'cat /sys/class/net/lo/flags /proc/net/if_inet6 | grep -oE "^0x9|lo$"; stat -c "%u:%g" /dev/mqueue')")
    run oci run -b "$b" one
    assert_ok
    assert_line '^0x9$'
    [ "${lines[-1]}" = "0:0" ]
    if [ "$MODE" = root ]; then
        b=$(bundle c "$(runs 'stat -c "%u:%g" /dev/mqueue')" '.linux.namespaces += [{"type": "user"}]' "$ids")
        run oci run -b "$b" two
        [ "$output" = "0:0" ]
    fi
}

@test "a terminal by console socket" {
    cat >"$TT/console.py" <<'EOF'
import array, os, socket, sys
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
s.listen(1)
open(sys.argv[1] + ".ready", "w").close()
c, _ = s.accept()
data, anc, _, _ = c.recvmsg(100, socket.CMSG_SPACE(4))
fd = array.array("i", anc[0][2])[0]
out = b""
try:
    while True:
        d = os.read(fd, 1000)
        if not d:
            break
        out += d
except OSError:
    pass
open(sys.argv[2], "wb").write(out)
EOF
    python3 "$TT/console.py" "$TT/sock" "$TT/out" 3>&- &
    for _ in $(seq 50); do [ ! -e "$TT/sock.ready" ] || break; sleep 0.1; done
    b=$(bundle b '.process.terminal = true | .process.consoleSize = {"height": 33, "width": 99}' "$(runs 'tty; stty size; ls -l /dev/console')")
    oci create -b "$b" --console-socket "$TT/sock" one </dev/null
    oci start one
    wait $!
    grep -q '^/dev/pts/0' "$TT/out" || grep -q '^/dev/console' "$TT/out"
    grep -q '^33 99' "$TT/out"
    run oci create -b "$b" two
    [ "$status" != 0 ]
    assert_line 'needs --console-socket'
}

@test "descriptors: only those that are preserved; LISTEN_FDS" {
    b=$(bundle b "$(runs 'ls /proc/self/fd | wc -l; cat <&3; echo $LISTEN_FDS $LISTEN_PID')")
    echo three >"$TT/three"
    run oci run -b "$b" one 3<"$TT/three" 4<"$TT/three"
    [[ ${output} != *three* ]]
    run oci run -b "$b" --preserve-fds 1 two 3<"$TT/three" 4<"$TT/three"
    assert_line '^three$'
    LISTEN_FDS=1 run oci run -b "$b" four 3<"$TT/three" 4<"$TT/three"
    assert_line '^three$'
    assert_line '^1 1$'
}

@test "NOTIFY_SOCKET: the service manager's socket is there" {
    python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).bind(sys.argv[1])' "$TT/notify"
    cp -a "$T/rootfs" "$TT/root"
    b=$(bundle b ".root.path = \"$TT/root\" | .root.readonly = false" \
        "$(runs 'test -S $NOTIFY_SOCKET && echo "socket $NOTIFY_SOCKET"')")
    NOTIFY_SOCKET=$TT/notify run oci run -b "$b" one
    assert_line '^socket /run/notify/notify.sock$'
}

@test "seccomp: errno, kill, arguments" {
    b=$(bundle b '.linux.seccomp = {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"], "syscalls": [
            {"names": ["mkdir", "mkdirat", "nosuchcall"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28},
            {"names": ["sethostname"], "action": "SCMP_ACT_KILL_PROCESS"}]}' '.root.readonly = false' \
        "$(runs 'mkdir /tmp/x; grep Seccomp: /proc/self/status; hostname other')")
    run oci run -b "$b" one
    assert_line 'No space left on device'
    assert_line '^Seccomp:.2$'
    [ "$status" = 159 ]
}

@test "sysctl, masked and read-only paths, devices" {
    need_root
    b=$(bundle b '.linux.sysctl = {"net.ipv4.ip_forward": "1", "kernel/domainname": "s"}' \
        '.linux.maskedPaths += ["/etc/passwd", "/proc/acpi"] | .linux.readonlyPaths += ["/home"] | .root.readonly = false' \
        '.linux.devices = [{"path": "/dev/fuse0", "type": "c", "major": 10, "minor": 229, "fileMode": 438, "uid": 3, "gid": 4}]' \
        "$(runs 'cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/domainname; wc -c </etc/passwd; touch /home/x 2>&1; ls -ln /dev/fuse0 /dev/null
            echo 0 2>&1 >/proc/sys/net/ipv4/ip_forward')")
    run oci run -b "$b" one
    [ "${lines[0]}" = 1 ]
    [ "${lines[1]}" = s ]
    [ "${lines[2]}" = 0 ]
    assert_line 'touch: .*Read-only file system'
    assert_line '^crw-rw-rw- +1 3 +4 +10, 229'
    [ "$(cat /proc/sys/net/ipv4/ip_forward)" = "$(cat /proc/sys/net/ipv4/ip_forward)" ]
}

@test "root of a container without a user namespace cannot write to the runtime (CVE-2019-5736)" {
    need_root
    cp "$OCI" "$TT/runtime"
    cp -a "$T/rootfs" "$TT/root"
    printf '#!/proc/self/exe\n' >"$TT/root/evil"
    chmod 0755 "$TT/root/evil"
    before=$(sha256sum <"$TT/runtime")
    watch='while :; do for p in /proc/[0-9]*; do exec 9<$p/exe && { echo x >/proc/self/fd/9; exec 9<&-; }; done; done 2>/dev/null'
    power='.process.capabilities |= map_values(["CAP_DAC_OVERRIDE", "CAP_SYS_PTRACE"])'
    b=$(bundle b ".root.path = \"$TT/root\"" '.root.readonly = false' "$(runs "$watch")" "$power")
    oci create -b "$b" one </dev/null >/dev/null
    oci start one
    c=$(bundle d ".root.path = \"$TT/root\"" '.process.args = ["/evil"]' \
        ".linux.namespaces |= map(if .type == \"pid\" then .path = \"/proc/$(oci state one | jq .pid)/ns/pid\" else . end)")
    for i in $(seq 10); do OCI=$TT/runtime run oci run -b "$c" "two$i"; done
    [ "$(sha256sum <"$TT/runtime")" = "$before" ]
    oci delete -f one
    # And as the program itself.
    b=$(bundle c ".root.path = \"$TT/root\"" '.process.args = ["/evil", "create"]')
    OCI=$TT/runtime run oci run -b "$b" two
    [ "$(sha256sum <"$TT/runtime")" = "$before" ]
}
