#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# brig-oci as Kubernetes has it called: by containerd's CRI service, as the handler "brig" of a RuntimeClass. A kubelet in
# small (cri.py) has a pod made; what the shim called is recorded on its way. conmon, which CRI-O uses, calls in oci_podman.bats.
# shellcheck disable=SC2016,SC2030,SC2031

load lib
load oci_callers

setup_file() {
    need_containerd || return 0
    oci_setup
    local name
    for name in brig runc; do
        printf '#!/bin/sh\nprintf "%%s\\n" "$*" >>%s/calls-%s\nexec %s "$@"\n' "$T" $name "$([ $name = runc ] && echo runc || echo "$OCI")" >"$T/$name"
        chmod 0755 "$T/$name"
    done
    # The table of share/brig/kubernetes/containerd-brig.toml, with containerd 1.x's name for the service.
    cat >"$T/config.toml" <<-EOT
	version = 2
	root = "$T/root"
	state = "$T/state"
	disabled_plugins = ["io.containerd.snapshotter.v1.devmapper"]
	[grpc]
	address = "$T/sock"
	[ttrpc]
	address = "$T/sock.ttrpc"
	[plugins."io.containerd.internal.v1.opt"]
	path = "$T/opt"
	[plugins."io.containerd.grpc.v1.cri"]
	sandbox_image = "docker.io/library/pause:latest"
	restrict_oom_score_adj = true
	stream_server_port = "0"
	[plugins."io.containerd.grpc.v1.cri".cni]
	conf_dir = "$T/none"
	bin_dir = "$T/none"
	$(for name in brig runc; do
        printf '[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.%s]\nruntime_type = "io.containerd.runc.v2"\n' $name
        printf '[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.%s.options]\nBinaryName = "%s"\n' $name "$T/$name"
    done)
	EOT
    timeout 600 containerd -c "$T/config.toml" >"$T/containerd.log" 2>&1 3>&- &
    echo $! >"$T/pid"
    wait_for 30 ctr version || {
        tail -20 "$T/containerd.log" >&2
        return 1
    }
    image_layout "$T/layout" pause '{"Cmd": ["/bin/sleep", "1000"], "Env": ["PATH=/bin"]}'
    tar -cf "$T/image.tar" -C "$T/layout" .
    ctr image import --base-name pause "$T/image.tar" >/dev/null
    ctr image tag "$(ctr image ls -q | grep -v sha256: | head -1)" docker.io/library/pause:latest >/dev/null
}

teardown_file() {
    [ -n "${T:-}" ] || return 0
    local id
    for id in $(ctr containers ls -q); do
        ctr task rm -f "$id" >/dev/null 2>&1 || true
        ctr containers rm "$id" >/dev/null 2>&1 || true
    done
    end_process "$T/pid"
    awk -v t="$T" 'index($5, t) == 1 { print $5 }' /proc/self/mountinfo | sort -r | while read -r at; do umount -l "$at"; done
    find /sys/fs/cgroup -maxdepth 2 -name brig-cri -type d -exec rmdir {} + 2>/dev/null
    rm -rf "$T"
}

setup() {
    need_root
    need_containerd || skip "containerd is not installed"
}

need_containerd() { [ "$MODE" = root ] && command -v containerd >/dev/null && command -v ctr >/dev/null; }
ctr() { timeout --foreground -k 5 60 ctr -a "$T/sock" -n k8s.io "$@"; }
same_runtime() { if [ "$1" = ours ]; then echo brig; else echo runc; fi; }
kubelet() {
    mkdir "$T/pod-$RUNTIME"
    python3 "$REPO_TESTS/integration/cri.py" "$T/sock" "$RUNTIME" docker.io/library/pause:latest "$T/pod-$RUNTIME"
}

@test "a pod of a RuntimeClass: sandbox, container, exec, update, stop, remove as with runc" {
    command -v curl >/dev/null || skip "curl is not installed"
    same_begin
    same pod kubelet
    cat "$SAID"
    grep -q '^exec 3 1000;/tmp;b;' "$SAID"
    grep -q 'Read-only file system' "$SAID"
    grep -q '33554432' "$SAID"
    # CONTAINER_EXITED with the trap's exit code.
    grep -q '^ended 2 7$' "$SAID"
    grep -q '^log up$' "$SAID"
    same_end
    # The shim called both alike; these are all kinds of calls that it makes.
    sed -E 's/[0-9a-f]{64}/ID/g; s,/runc-process[0-9]+,/PROCESS,g; s,'"$T"'[^ ]*/,DIR/,g' "$T/calls-brig" | sort -u >"$T/ours"
    sed -E 's/[0-9a-f]{64}/ID/g; s,/runc-process[0-9]+,/PROCESS,g; s,'"$T"'[^ ]*/,DIR/,g' "$T/calls-runc" | sort -u >"$T/theirs"
    diff "$T/ours" "$T/theirs" || fail "the shim calls otherwise"
    cat "$T/ours"
    local before='^--root /run/containerd/runc/k8s.io --log DIR/log.json --log-format json'
    grep -qE "$before create --bundle DIR/ID --pid-file DIR/init.pid ID$" "$T/ours"
    grep -qE "$before start ID$" "$T/ours"
    grep -qE "$before exec --process .* --detach --pid-file DIR/ID.pid ID$" "$T/ours"
    grep -qE "$before update --resources - ID$" "$T/ours"
    grep -qE "$before kill (--all )?ID [0-9]+$" "$T/ours"
    grep -qE "$before delete (--force )?ID$" "$T/ours"
    # What kubelet looks at when nothing is left.
    assert_eq "$(find /run/containerd/runc/k8s.io -mindepth 1 2>/dev/null | grep -F "$(awk '/^container/ { print $2 }' "$T/said-ours")")" ""
}
