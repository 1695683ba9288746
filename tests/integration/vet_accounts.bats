#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Who can log in, what runs by itself, and what the configuration and history of an image tell.

load lib

setup_file() { brig_setup; }
teardown_file() { brig_teardown; }
setup() { brig_begin; }
teardown() { brig_end; }

# look NAME ENTRY...: an image of these entries alone; the findings of the checks in $checks as "level rule path" in $found.
look() {
    BASE=none image_layout "$TT/$1" "$1" "${config:-{\}}" "${@:2}"
    run --separate-stderr brig vet -q --fail-on "${fail_on:-high}" --format json "$TT/$1"
    found=$(jq -r --arg c "$checks" '.findings[] | select(.check | IN($c | splits(" "))) | "\(.level) \(.rule) \(.path // "-")"' <<<"$output")
}

@test "a second root, empty and known passwords, keys, and sudo without password are told" {
    local checks=accounts hash
    hash=$(openssl passwd -6 -salt abcdefgh admin)
    look bad 'f|etc/passwd|0644|0|0|=root:x:0:0:root:/root:/bin/bash\ntoor:x:0:0::/root:/bin/sh\nann::1000:1000::/home/ann:/bin/sh\nbob:x:1001:1001::/home/bob:/bin/sh\nbroken:x:1\n' \
        "f|etc/shadow|0640|0|42|=root:*:19000:0:99999:7:::\ntoor:!:19000::::::\nbob:$hash:19000::::::\n" \
        'f|root/.ssh/authorized_keys|0600|0|0|=# none\nssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJm9 evil@example\n' \
        'f|opt/x/authorized_keys|0600|0|0|=command="/bin/x" ecdsa-sha2-nistp256 AAAAE2Vj other\n' \
        'f|etc/sudoers|0440|0|0|=Defaults env_reset\nroot ALL=(ALL) ALL\n%sudo ALL=(ALL) ALL\nbob ALL=(ALL) \\\n  NOPASSWD: ALL\n' \
        'f|etc/sudoers.d/backup|0440|0|0|=bob ALL=(root) NOPASSWD: /usr/bin/rsync\n' \
        'f|etc/doas.conf|0440|0|0|=permit nopass :wheel\n'
    assert_exit 1
    assert_eq "$(sort <<<"$found")" "critical V2-known-password etc/shadow
high V2-authorized-key opt/x/authorized_keys
high V2-authorized-key root/.ssh/authorized_keys
high V2-empty-password etc/shadow
high V2-sudo-without-password etc/doas.conf
high V2-sudo-without-password etc/sudoers
high V2-uid-0 etc/passwd
low V2-broken-line etc/passwd
medium V2-sudo-without-password etc/sudoers.d/backup"
    jq -e '.findings[] | select(.rule == "V2-known-password") | .title == "the password of bob is \"admin\""' <<<"$output"
    assert_eq "$(jq -c '[.facts.accounts[] | [.name, .password, .keys]]' <<<"$output")" \
        '[["root","locked",1],["toor","locked",0],["ann","empty",0],["bob","set",0]]'

    # The same files as distributions ship them.
    look good 'f|etc/passwd|0644|0|0|=root:x:0:0:root:/root:/bin/bash\nsync:x:4:65534:sync:/bin:/bin/sync\nmysql:x:100:101::/nonexistent:/bin/false\n' \
        'f|etc/shadow|0640|0|42|=root:*:19000:0:99999:7:::\nsync:*:19000:0:99999:7:::\nmysql:!:19000::::::\n' \
        'f|etc/sudoers|0440|0|0|=Defaults env_reset\nroot ALL=(ALL:ALL) NOPASSWD: ALL\n%sudo ALL=(ALL:ALL) ALL # not NOPASSWD: ALL\n' \
        'f|root/.ssh/authorized_keys|0600|0|0|=# ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJm9 nobody\n'
    assert_eq "$found" ""

    # A hash that would take long is not tried, and that is said.
    look slow 'f|etc/passwd|0644|0|0|=root:$6$rounds=999999999$abcdefgh$x:0:0:root:/root:/bin/bash\n'
    assert_eq "$found" "medium V2-password etc/passwd"
    jq -e '.facts.not_looked | any(test("password of root"))' <<<"$output"
}

@test "jobs of users and hooks that no package brought are told" {
    local checks=starts
    local db='f|var/lib/dpkg/status|0644|0|0|=Package: base\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n\n'
    local list='f|var/lib/dpkg/info/base.list|0644|0|0|=/.\n/etc\n/etc/cron.d\n/etc/cron.d/own\n/etc/profile.d\n/etc/profile.d/own.sh\n'
    look jobs "$db" "$list" 'f|etc/cron.d/own|0644|0|0|=* * * * * root own\n' 'f|etc/profile.d/own.sh|0644|0|0|=x=1\n' \
        'f|etc/crontab|0644|0|0|=SHELL=/bin/sh\n17 * * * * root cd / && run-parts --report /etc/cron.hourly\n'
    assert_eq "$found" ""
    look jobs2 "$db" "$list" 'f|etc/cron.d/theirs|0644|0|0|=# x\n* * * * * root theirs\n' 'f|etc/profile.d/theirs.sh|0644|0|0|=x=1\n' \
        'f|etc/crontab|0644|0|0|=17 * * * * root theirs\n' 'f|var/spool/cron/crontabs/root|0600|0|0|=@reboot /x y\n' \
        'f|etc/systemd/system/x.service|0644|0|0|=[Service]\nExecStart=/x\n' 'f|etc/rc.local|0755|0|0|=#!/bin/sh\n/x &\nexit 0\n' \
        'f|etc/apt/apt.conf.d/99x|0644|0|0|=DPkg::Post-Invoke {"/x";};\n'
    assert_eq "$(sort <<<"$found")" "medium V2-scheduled-job etc/cron.d/theirs
medium V2-scheduled-job etc/crontab
medium V2-scheduled-job var/spool/cron/crontabs/root
medium V2-start-up-hook etc/apt/apt.conf.d/99x
medium V2-start-up-hook etc/profile.d/theirs.sh
medium V2-start-up-hook etc/rc.local
medium V2-start-up-hook etc/systemd/system/x.service"
}

@test "the configuration and the history tell how the image was made" {
    local checks=config config dir=$TT/lay fail_on=never
    config='{"User":"1000","ExposedPorts":{"22/tcp":{}},"Volumes":{"/var/run/docker.sock":{},"/etc":{},"/data":{}},"Labels":{"run":"docker run --privileged x"},"OnBuild":["RUN x"]}'
    look conf 'f|a|0644|0|0|=x'
    assert_eq "$found" "high V10-engine-socket -
medium V10-label-command -
medium V10-login-port -
medium V10-system-volume -
low V10-on-build -"
    # A history, put into the configuration blob by hand.
    config='{"User":"0:0"}'
    BASE=none image_layout "$dir" hist "$config" 'f|a|0644|0|0|=x'
    python3 - "$dir" <<'PY'
import hashlib, json, os, sys
top = sys.argv[1]
def load(digest): return json.load(open(f"{top}/blobs/sha256/{digest[7:]}"))
def store(doc):
    data = json.dumps(doc).encode()
    digest = "sha256:" + hashlib.sha256(data).hexdigest()
    open(f"{top}/blobs/sha256/{digest[7:]}", "wb").write(data)
    return digest, len(data)
index = json.load(open(f"{top}/index.json"))
manifest = load(index["manifests"][0]["digest"])
config = load(manifest["config"]["digest"])
lines = ["ADD https://example.org/x.tar / # buildkit", "RUN /bin/sh -c curl -fsSL https://example.org/i | sh -s -- -y",
         "RUN apt-get install -y --allow-unauthenticated x", "COPY . . # buildkit", "CMD [\"x\"]"]
config["history"] = [{"created_by": l, "empty_layer": i > 0} for i, l in enumerate(lines)]
manifest["config"]["digest"], manifest["config"]["size"] = store(config)
index["manifests"][0]["digest"], index["manifests"][0]["size"] = store(manifest)
json.dump(index, open(f"{top}/index.json", "w"))
PY
    run --separate-stderr brig vet -q --fail-on never --format json "$dir"
    assert_eq "$(jq -r '.findings[] | select(.check == "config") | "\(.level) \(.rule)"' <<<"$output")" "high V10-unsigned-packages
medium V10-pipe-to-shell
medium V10-remote-add
low V10-root-user"
    # The line that made a layer stands with the layer.
    assert_eq "$(jq -r '.layers[0].history' <<<"$output")" "ADD https://example.org/x.tar / # buildkit"
}
