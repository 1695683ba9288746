#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# A docker swarm whose tasks run on brig-oci: a manager and a worker, each a dockerd in a mount and a network namespace of its
# own, joined by a cable. Services are found by DNS (endpoint mode dnsrr): the other mode needs IPVS in the kernel.
# shellcheck disable=SC2016,SC2030,SC2031

load lib
load oci_callers

# No registry answers there, so that the image of this machine is taken at once.
IMAGE=127.0.0.1:1/tiny

setup_file() {
    need_docker || return 0
    oci_setup
    printf '{"default-runtime": "brig", "runtimes": {"brig": {"path": "%s"}}}\n' "$OCI" >"$T/daemon.json"
    start_node manager 10.99.0.1 10.98.1.1/24
    start_node worker 10.99.0.2 10.98.2.1/24
    wait_for 10 test -s "$T/manager/ns" && wait_for 10 test -s "$T/worker/ns"
    nsenter --net --target "$(cat "$T/manager/ns")" ip link add cable type veth peer name cable netns "$(cat "$T/worker/ns")"
    for node in manager worker; do
        wait_for 30 on $node version || {
            tail -20 "$T/$node/log" >&2
            return 1
        }
        on $node import --change 'CMD ["/bin/sh"]' "$(tiny_layer)" $IMAGE >/dev/null
    done
    on manager swarm init --advertise-addr 10.99.0.1 --listen-addr 10.99.0.1:2377 >/dev/null
    on worker swarm join --token "$(on manager swarm join-token -q worker)" --advertise-addr 10.99.0.2 --listen-addr 10.99.0.2 \
        10.99.0.1:2377 >/dev/null
}

# NAME ADDRESS BRIDGE. /run is its own: overlay networks have a name there that is the same on all nodes.
start_node() {
    mkdir "$T/$1"
    NODE=$T/$1 ADDRESS=$2 BRIDGE=$3 timeout 600 unshare --mount --net --propagation private bash -c '
        mount -t tmpfs run /run
        ip link set lo up
        echo $$ >"$NODE/ns"
        until ip link show cable >/dev/null 2>&1; do sleep 0.05; done
        ip addr add "$ADDRESS/24" dev cable
        ip link set cable up
        exec dockerd --data-root "$NODE/data" --exec-root "$NODE/exec" --pidfile "$NODE/pid" -H "unix://$NODE/sock" \
            --config-file "$T/daemon.json" --bip="$BRIDGE" --iptables=false --ip-masq=false --userland-proxy=false' >"$T/$1/log" 2>&1 3>&- &
}

teardown_file() {
    [ -n "${T:-}" ] || return 0
    local node
    for node in worker manager; do
        on $node swarm leave --force >/dev/null 2>&1 || true
        on $node ps -aq | while read -r id; do on $node rm -f "$id" >/dev/null; done
        # One that waits for its cable has no pid file yet.
        if [ -f "$T/$node/pid" ]; then end_process "$T/$node/pid"; else end_process "$T/$node/ns"; fi
    done
    rm -rf "$T"
}

setup() {
    need_root
    need_docker || skip "dockerd is not installed"
}
teardown() {
    [ -n "${T:-}" ] || return 0
    on manager service ls -q | while read -r id; do on manager service rm "$id" >/dev/null; done
    wait_for 30 no_containers
}

need_docker() { [ "$MODE" = root ] && command -v dockerd >/dev/null && command -v docker >/dev/null; }
on() {
    local node=$1
    shift
    DOCKER_HOST=unix://$T/$node/sock timeout --foreground -k 5 60 docker "$@" </dev/null
}
no_containers() { [ -z "$(on manager ps -aq)$(on worker ps -aq)" ]; }
# Running tasks of a service.
running() { on manager service ps --filter desired-state=running --format '{{.CurrentState}}' "$1" | grep -c '^Running'; }
runs() { [ "$(running "$1")" = "$2" ]; }
# "NODE ID" of a service's containers that run.
containers() {
    local node
    for node in manager worker; do on $node ps -q --no-trunc --filter "label=com.docker.swarm.service.name=$1" | sed "s/^/$node /"; done
}
service() { on manager service create --detach --no-resolve-image --endpoint-mode dnsrr --stop-grace-period 0s "$@" >/dev/null; }

@test "a service with three replicas on two nodes: one is killed, another takes its place" {
    assert_eq "$(on manager node ls --format '{{.Status}} {{.Availability}}' | sort -u)" "Ready Active"
    service --name web --replicas 3 --restart-delay 0s --env A=b --limit-memory 32m --hostname task --user 1000 $IMAGE sleep 1000
    wait_for 60 runs web 3 || fail "$(on manager service ps --no-trunc web)"
    containers web | sort >"$T/before"
    assert_eq "$(wc -l <"$T/before")" 3
    assert_eq "$(cut -d' ' -f1 "$T/before" | sort -u | wc -l)" 2
    local node id pid
    while read -r node id; do
        assert_eq "$(on "$node" inspect --format '{{.HostConfig.Runtime}}' "$id")" brig
        # Its state is where dockerd tells the runtime to have it.
        assert_eq "$(jq -r .id "$T/$node/exec"/runtime-*/moby/"$id"/state.json)" "$id"
        run on "$node" exec "$id" sh -c 'id -u; hostname; echo $A'
        assert_eq "$output" $'1000\ntask\nb'
    done <"$T/before"
    read -r node id <"$T/before"
    pid=$(on "$node" inspect --format '{{.State.Pid}}' "$id")
    kill -KILL "$pid"
    wait_for 60 replaced || fail "$(on manager service ps --no-trunc web)"
    run on manager service ps --filter desired-state=shutdown --format '{{.CurrentState}} {{.Error}}' web
    assert_line '^Failed .*137'
}
replaced() { runs web 3 && [ "$(containers web | grep -vc "$id")" = 3 ]; }

@test "services find each other over an overlay network; scaling, a rolling update, logs" {
    local why
    why=$(nsenter --net --target "$(cat "$T/manager/ns")" ip link add probe type vxlan id 9 dev lo dstport 4790 2>&1) || skip "no vxlan here: $why"
    nsenter --net --target "$(cat "$T/manager/ns")" ip link del probe
    on manager network create -d overlay net1 >/dev/null
    service --name server --mode global --network net1 $IMAGE sh -c 'while :; do hostname | nc -l -p 8080; done'
    service --name client --replicas 1 --network net1 $IMAGE sh -c 'while :; do nc server 8080 </dev/null; sleep 0.2; done'
    wait_for 60 runs server 2
    wait_for 60 runs client 1
    # Both nodes' tasks answer, the one of the other node over the overlay.
    wait_for 60 both_answer || fail "$(on manager service ps --no-trunc server client; on manager service logs client)"
    on manager service scale --detach client=3 >/dev/null
    wait_for 60 runs client 3
    on manager service update --detach --env-add NEW=1 --update-parallelism 0 --update-monitor 100ms client >/dev/null
    wait_for 40 updated || fail "$(cat "$T/told"; on manager service inspect client; on manager service ps --no-trunc client)"
    on manager service rm server client >/dev/null
    wait_for 30 no_containers
    wait_for 30 on manager network rm net1
}
both_answer() { [ "$(on manager service logs --raw client 2>/dev/null | sort -u | grep -cE '^[0-9a-f]{12}$')" -ge 2 ]; }
updated() {
    local node id told
    told=$(containers client | while read -r node id; do on "$node" exec "$id" sh -c 'echo "new $NEW"'; done)
    echo "$told" >"$T/told"
    [ "$(grep -cx 'new 1' <<<"$told")" = 3 ] && runs client 3
}
