#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Help, usage errors, exit codes, templates, man pages and completion. No container is made.
# shellcheck disable=SC2154 # bats sets stderr

load lib

setup_file() { brig_setup; }
teardown_file() { brig_teardown; }
setup() { brig_begin; }
teardown() { brig_end; }

# The folder of what was installed beside the program, or of the build tree.
share() {
    local bin
    bin=$(dirname "$(readlink -f "$BRIG")")
    if [ -d "$bin/../share/man/man1" ]; then
        echo "$bin/../share"
    fi
}
bash_completion() {
    if [ -n "$(share)" ]; then echo "$(share)/bash-completion/completions/brig"; else echo "$(dirname "$BRIG")/../completions/brig"; fi
}
zsh_completion() {
    if [ -n "$(share)" ]; then echo "$(share)/zsh/site-functions/_brig"; else echo "$(dirname "$BRIG")/../completions/_brig"; fi
}
fish_completion() {
    if [ -n "$(share)" ]; then echo "$(share)/fish/vendor_completions.d/brig.fish"; else echo "$(dirname "$BRIG")/../completions/brig.fish"; fi
}
man_dir() {
    if [ -n "$(share)" ]; then echo "$(share)/man/man1"; else echo "$(dirname "$BRIG")/../man/man1"; fi
}

# Names of all commands that a person sees, those of other programs included.
command_names() { brig __describe | jq -r '.[] | select(.hidden | not) | .name'; }

# What bash offers for a line: complete_bash 'brig ps --f'
complete_bash() {
    # shellcheck disable=SC2016 # expanded by the inner shell
    bash --norc -c '
        . "$1"
        compopt() { :; }
        COMP_LINE=$2 COMP_POINT=${#2} COMP_WORDBREAKS=$'"' \\t\\n\"\\'><=;|&(:'"'
        _brig "$3"
        printf "%s\n" "${COMPREPLY[@]}"' x "$(bash_completion)" "$1" "$BRIG"
}

@test "help without arguments, with --help and by name" {
    run -0 brig
    assert_line '^Usage: brig COMMAND'
    run -0 brig --help
    assert_line '^  version '
    run -0 brig help version
    assert_line '^Usage: brig version'
    run -0 brig version --help
    assert_line '^ +-f, --format TEMPLATE'
    run -0 brig version -h
    run -0 brig help help
}

@test "every command explains itself and has a man page" {
    local name page
    while read -r name; do
        # shellcheck disable=SC2086 # two words are two arguments
        run -0 brig help $name
        assert_line "^Usage: brig $name"
        page=$(man_dir)/brig-${name// /-}.1
        assert_file "$page"
        grep -q '^\.SH DESCRIPTION' "$page"
    done < <(command_names)
    [ "$(command_names | wc -l)" -gt 0 ]
}

@test "man pages have no roff warnings" {
    need_command groff
    local page
    for page in "$(readlink -f "$(man_dir)")"/brig*.1; do
        cd "$(man_dir)/.." # where ".so man1/..." leads from
        run -0 groff -man -ww -z -Tutf8 -K utf8 "$page"
        assert_eq "$output" "" "$page"
    done
}

@test "help fits into narrow and wide terminals" {
    local line
    # shellcheck disable=SC2030
    export COLUMNS=60
    run -0 brig ps --help
    while IFS= read -r line; do
        [ ${#line} -le 60 ] || fail "too wide: $line"
    done < <(grep -v '^Usage' <<<"$output")
}

@test "version" {
    run -0 brig --version
    assert_line '^brig version [0-9]+\.[0-9]+'
    run -0 brig version --format '{{.Client.Version}}'
    assert_line '^[0-9.]+$'
    run -0 brig version --format json
    jq -e .Client.Version <<<"$output"
}

@test "an unknown command is refused with the nearest name" {
    run brig versoin
    assert_exit 125
    assert_line 'there is no command "versoin"'
    assert_line 'did you mean brig version\?'
    run brig inspct
    assert_line 'did you mean brig inspect\?'
    run brig image inspectt x
    assert_exit 125
    assert_line 'did you mean brig image inspect\?'
    run brig help nothing-like-it
    assert_exit 125
    refute_line 'did you mean'
    run brig --nope version
    assert_exit 125
    run brig ''
    assert_exit 125
}

@test "an unknown option is refused with the nearest name" {
    run brig ps --formta json
    assert_exit 125
    assert_line 'unknown option --formta'
    assert_line 'did you mean --format\?'
    assert_line 'brig ps --help'
    run brig ps -aZ
    assert_exit 125
    assert_line 'unknown option -Z in -aZ'
}

@test "wrong values and wrong numbers of arguments" {
    run brig ps --last many
    assert_exit 125
    assert_line 'invalid value "many" for --last'
    run brig ps --all=perhaps
    assert_exit 125
    assert_line 'true or false'
    run brig ps --format
    assert_exit 125
    assert_line 'needs a value'
    run brig ps too many
    assert_exit 125
    assert_line 'takes no arguments'
    run brig rename one
    assert_exit 125
    assert_line 'takes 2 arguments, not 1'
    assert_line 'usage: brig rename CONTAINER NEW_NAME'
}

@test "groups of commands" {
    run -0 brig container
    assert_line '^  ls +list containers'
    run -0 brig container --help
    assert_line '^  inspect '
    run -0 brig container ls -aq
    run -0 brig image --help
    assert_line '^  inspect '
}

@test "a template that is wrong names the column" {
    run brig ps -a --format '{{.ID'
    assert_exit 125
    assert_line 'column 6'
    run brig ps -a --format '{{.Nmaes}}'
    assert_exit 125
    assert_line 'column 3: there is no field .Nmaes; did you mean .Names\?'
    run brig ps -a --format 'table {{.ID}}\t{{.Names}}'
    assert_ok
    assert_line '^CONTAINER ID   NAMES$'
}

@test "output that cannot be written is an error" {
    run bash -c '"$BRIG" --help >/dev/full'
    assert_exit 125
    assert_line 'cannot write to standard output'
}

@test "closed standard descriptors are not used for files" {
    run bash -c '"$BRIG" ps -a <&- >&- 2>&-'
    [ "$status" = 125 ] || [ "$status" = 0 ]
}

@test "errors hold no control characters and no forged hint" {
    run brig inspect $'x\e]0;t\a\n  hint: run evil'
    assert_exit 1
    case $output in *$'\e'* | *$'\a'*) fail "control characters in: $output" ;; esac
    refute_line '^  hint: run evil'
}

@test "things that do not exist" {
    local command
    for command in port diff 'generate systemd'; do
        # shellcheck disable=SC2086 # two words are two arguments
        run brig $command nobody
        assert_exit 125
        assert_line 'no such container'
    done
    for command in inspect 'container inspect' 'image inspect'; do
        # shellcheck disable=SC2086 # two words are two arguments
        run --separate-stderr brig $command nobody
        assert_exit 1
        assert_eq "$output" '[]'
        grep -qE 'no (such )?(container|image)' <<<"$stderr"
    done
    run brig rename nobody somebody
    assert_exit 125
    run brig cp nobody:/etc/hosts .
    assert_exit 125
    run brig cp here there
    assert_exit 125
    assert_line 'neither here nor there is in a container'
}

@test "bash completion" {
    run -0 complete_bash 'brig ver'
    assert_eq "$output" version
    run -0 complete_bash 'brig ps --no'
    assert_eq "$output" --no-trunc
    run -0 complete_bash 'brig container l'
    assert_line '^ls$'
    run -0 complete_bash 'brig inspect --type '
    assert_eq "$output" $'container\nimage\nvolume'
    run -0 complete_bash 'brig inspect --type=im'
    assert_eq "$output" image
    run -0 complete_bash 'brig image ins'
    assert_eq "$output" inspect
    run -0 complete_bash 'brig help inspe'
    assert_eq "$output" inspect
    run -0 complete_bash 'brig nonsense '
    assert_eq "$output" ''
    # nothing that a name holds is ever executed
    run -0 complete_bash "brig inspect \$(touch $TT/pwned)"
    refute_file "$TT/pwned"
    shellcheck -s bash -e SC2207 "$(bash_completion)" || fail "shellcheck"
}

@test "fish completion" {
    need_command fish
    mkdir -p "$TT/bin" "$TT/home"
    ln -sf "$(readlink -f "$BRIG")" "$TT/bin/brig"
    fish_complete() {
        HOME=$TT/home XDG_CONFIG_HOME=$TT/home PATH="$TT/bin:$PATH" fish --no-config -c "source $(fish_completion); complete -C '$1'" | cut -f1
    }
    run -0 fish_complete 'brig ver'
    assert_line '^version$'
    run -0 fish_complete 'brig ps --no'
    assert_line '^--no-trunc$'
    run -0 fish_complete 'brig container l'
    assert_line '^ls$'
    run -0 fish_complete 'brig inspect --type im'
    assert_line '^image$'
}

@test "zsh completion" {
    need_command zsh
    mkdir -p "$TT/bin" "$TT/home"
    ln -sf "$(readlink -f "$BRIG")" "$TT/bin/brig"
    cp "$(zsh_completion)" "$TT/home/_brig"
    # A real zsh on a pseudo-terminal: type the line and a tab, then look at what stands there.
    zsh_complete() {
        HOME=$TT/home PATH="$TT/bin:$PATH" TERM=dumb zsh -f -c '
            zmodload zsh/zpty
            zpty z "zsh -f -i"
            zpty -w z "PS1=; fpath=('"$TT"'/home \$fpath); autoload -U compinit; compinit -u -d '"$TT"'/home/dump; echo READY-NOW"
            zpty -r -m z line "*READY-NOW*READY-NOW*"
            zpty -w -n z "$1"$'"'\\t'"'
            sleep 1
            zpty -w -n z $'"'\\C-A'"'"echo \"<"$'"'\\C-E'"'">\""$'"'\\n'"'
            zpty -r -m z line "*<*>*<*>*"
            print -r -- "$line"
            zpty -d z' x "$1" 2>/dev/null | tr -d '\r' | sed -n 's/^<\(.*\)>$/\1/p' | tail -1
    }
    run zsh_complete 'brig versi'
    assert_eq "${output% }" 'brig version'
    run zsh_complete 'brig ps --no-t'
    assert_eq "${output% }" 'brig ps --no-trunc'
    run zsh_complete 'brig container inspe'
    assert_eq "${output% }" 'brig container inspect'
}
