# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154,SC2034
#
# Registries for tests, on loopback, each in a folder of its own. servers_stop ends what was started.

# certs_make DIR: cert.pem and key.pem for localhost and 127.0.0.1, and token.crt and token.key.
certs_make() {
    mkdir -p "$1"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
        -addext 'subjectAltName=DNS:localhost,IP:127.0.0.1' -keyout "$1/key.pem" -out "$1/cert.pem" 2>/dev/null
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=tokens -keyout "$1/token.key" -out "$1/token.crt" 2>/dev/null
    cp "$1/cert.pem" "$1/ca.crt"
}

# trust_registry DIR HOST:PORT: brig believes the certificate of that registry.
trust_registry() {
    mkdir -p -m 0700 "$BRIG_CONFIG/certs.d/$2"
    cp "$1/cert.pem" "$BRIG_CONFIG/certs.d/$2/ca.crt"
}

# registry_start DIR [token]: Debian's docker-registry with TLS, and htpasswd (alice:secret) or the token server. Sets REGISTRY.
# CLIENT_CA: only clients with a certificate of that authority are spoken to.
registry_start() {
    local dir=$1 port auth
    port=$(free_port)
    REGISTRY=127.0.0.1:$port
    if [ "${2:-}" = token ]; then
        "$REPO_TESTS/registry/token.py" "$dir" alice secret >"$dir/token-out" 2>&1 3>&- &
        echo $! >>"$dir/pids"
        wait_for 10 test -f "$dir/token-ready" || { cat "$dir/token-out"; return 1; }
        auth="token: {realm: 'https://127.0.0.1:$(cat "$dir/token-ready")/token', service: registry, issuer: tests,
            rootcertbundle: '$dir/token.crt'}"
    else
        htpasswd -Bbc -C 4 "$dir/htpasswd" alice secret 2>/dev/null
        auth="htpasswd: {realm: tests, path: '$dir/htpasswd'}"
    fi
    cat >"$dir/config.yml" <<CONFIG
version: 0.1
log: {level: warn}
storage: {filesystem: {rootdirectory: '$dir/store'}, delete: {enabled: true}}
http: {addr: '$REGISTRY', tls: {certificate: '$dir/cert.pem', key: '$dir/key.pem'${CLIENT_CA:+, clientcas: ['$CLIENT_CA']}}}
auth: {$auth}
CONFIG
    # It reads REGISTRY_* as its own configuration.
    env -u REGISTRY_AUTH_FILE -u REGISTRY docker-registry serve "$dir/config.yml" >"$dir/out" 2>&1 3>&- &
    echo $! >>"$dir/pids"
    wait_for 10 bash -c "exec 9<>/dev/tcp/127.0.0.1/$port" || { cat "$dir/out"; return 1; }
    trust_registry "$dir" "$REGISTRY"
}

# hostile_start CASE DIR LAYOUT: sets HOSTILE and SECOND, HOST:PORT of the registry and of the other host.
hostile_start() {
    local a b
    rm -f "$2/ready" "$2/log"
    "$REPO_TESTS/registry/hostile.py" "$@" >"$2/out" 2>&1 3>&- &
    echo $! >>"$2/pids"
    wait_for 10 test -f "$2/ready" || { cat "$2/out"; return 1; }
    read -r a b <"$2/ready"
    HOSTILE=127.0.0.1:$a SECOND=localhost:$b
    trust_registry "$2" "$HOSTILE"
}

servers_stop() {
    local pid
    [ -f "$1/pids" ] || return 0
    while read -r pid; do
        kill "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done <"$1/pids"
    rm -f "$1/pids"
}
