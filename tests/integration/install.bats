#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What an installation holds, below whatever prefix and DESTDIR it was put: `make check-install` has it with PREFIX=/usr.
# shellcheck disable=SC2154 # bats sets stderr

load lib

setup_file() { brig_setup; }
teardown_file() { brig_teardown; }
setup() {
    brig_begin
    PREFIX=$(dirname "$(dirname "$(readlink -f "$BRIG")")")
    [ -d "$PREFIX/libexec/brig" ] || skip "$BRIG is not installed: tests/run.sh installs it"
}
teardown() { brig_end; }

@test "programs are where they belong, for all to read and nobody but the owner to write" {
    local f mode
    for f in bin/brig bin/brig-oci libexec/brig/brig-{image,registry,monitor,init,seccomp}; do
        [ -x "$PREFIX/$f" ] || fail "no $f"
        mode=$(stat -c %a "$PREFIX/$f")
        assert_eq "$mode" 755
    done
    run find "$PREFIX" -perm /6022 ! -type l
    assert_eq "$output" ""
    # Nothing of the build or the tests comes along.
    run find "$PREFIX" -name 'docgen*' -o -name 'seccomp_gen*' -o -name 'test_*' -o -name 'probe*' -o -name '*.a'
    assert_eq "$output" ""
}

@test "the front and its helpers find each other wherever they lie" {
    run -0 brig --version
    assert_line '^brig version '
    # From another folder than the one it was built for: the unpacker is started and loads.
    cp -r "$PREFIX" "$TT/moved"
    BRIG=$TT/moved/bin/brig run -0 "$TT/moved/bin/brig" load -i "$(test_image tiny)"
    assert_line '^Loaded image: '
    # It is that one: without its helper nothing is loaded.
    rm "$TT/moved/libexec/brig/brig-image"
    run "$TT/moved/bin/brig" load -i "$(test_image tiny)"
    assert_exit 125
    assert_line 'brig-image'
}

@test "every command and every page that a page names has a manual page" {
    local name page section
    while read -r name; do
        page=$PREFIX/share/man/man1/brig-${name// /-}.1
        [ -s "$page" ] || fail "no page of brig $name"
    done < <(brig __describe | jq -r '.[] | select(.hidden | not) | .name')
    for page in man1/brig.1 man5/brig.conf.5 man7/brig-walls.7; do
        [ -s "$PREFIX/share/man/$page" ] || fail "no $page"
    done
    while read -r name section; do
        [ -s "$PREFIX/share/man/man$section/$name.$section" ] || fail "a page names $name($section), which is not there"
    done < <(cat "$PREFIX"/share/man/man[157]/brig{.1,.conf.5,-walls.7} 2>/dev/null |
        sed -nE 's/.*\\fB(brig[a-z.-]*)\\fR?\(([157])\).*/\1 \2/p' | sort -u)
}

@test "brig-walls(7) has every wall that posture judges, with the parts that --lower takes" {
    local page=$PREFIX/share/man/man7/brig-walls.7 wall part n=0
    run brig posture --pid $$ --format json
    while read -r wall; do
        grep -q "^\\\\fB$wall\\\\fR" "$page" || fail "$wall is not in the page"
        n=$((n + 1))
    done < <(jq -r '.. | objects | .wall? // .Wall? // empty' <<<"$output")
    [ "$n" -ge 15 ] || fail "posture named $n walls: $output"
    for part in ptrace host-loopback masks; do
        grep -q "\\\\fB$part\\\\fR" "$page" || fail "$part is not in the page"
    done
}

@test "the example of brig.conf is accepted as it is" {
    cp "$PREFIX/share/doc/brig/examples/brig.conf" "$BRIG_CONFIG/brig.conf"
    run -0 brig info
    echo 'memroy = 2g' >>"$BRIG_CONFIG/brig.conf"
    run brig info
    assert_exit 125
    assert_line 'memroy'
    brig_conf
}

@test "bash finds the completion by itself and completes" {
    local rc=/usr/share/bash-completion/bash_completion completion=$PREFIX/share/bash-completion/completions/brig
    [ -s "$completion" ] || fail "no completion"
    [ -s "$PREFIX/share/zsh/site-functions/_brig" ] || fail "no completion for zsh"
    [ -s "$PREFIX/share/fish/vendor_completions.d/brig.fish" ] || fail "no completion for fish"
    # shellcheck disable=SC2016 # expanded by the inner shell
    run -0 env PATH="$PREFIX/bin:$PATH" bash --norc -c '
        [ ! -r "$2" ] || . "$2"
        . "$1"
        compopt() { :; }
        COMP_LINE="brig ru" COMP_POINT=7 COMP_WORDS=(brig ru) COMP_CWORD=1
        function=$(complete -p brig | sed -nE "s/.*-F ([^ ]+).*/\1/p")
        "$function" brig ru brig
        printf "%s\n" "${COMPREPLY[@]}"' x "$completion" "$rc"
    assert_eq "$output" run
}
