#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# lint.sh: a second compiler, static checks, shell checks, spelling, and the house's own rules. Prints TAP and the usual
# last line. The set of checks is the one without false alarms here; clang-format only advises.
set -uo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$top" || exit 2
jobs=$(nproc)
log=$(mktemp)
trap 'rm -f "$log"' EXIT
n=0 failed=0 skipped=0

# check NAME COMMAND...: ok when it ends with 0; its output is shown when not.
check() {
    local name=$1
    shift
    n=$((n + 1))
    if "$@" >"$log" 2>&1; then
        echo "ok $n lint: $name"
    else
        failed=$((failed + 1))
        # clang-tidy's own counts would hide what it found.
        { grep -E ' error: |^[^ ]*: ' "$log" | grep -v 'warnings\? generated'; cat "$log"; } | sed 's/^/# /' | head -60
        echo "not ok $n lint: $name"
    fi
}

tracked() { git ls-files -- "$@" 2>/dev/null || find "$@" -type f; }
mapfile -t sources < <(tracked src programs tests | grep '\.[ch]$')
mapfile -t units < <(printf '%s\n' "${sources[@]}" | grep -E '^(src|programs)/.*\.c$')
mapfile -t scripts < <(tracked . | while read -r f; do
    case $f in
    *.bats | *.bash | *.sh) echo "$f" ;;
    *) [ -f "$f" ] && head -c 40 "$f" | grep -qaE '^#!/bin/(ba)?sh' && echo "$f" ;;
    esac
done)

clang_build() {
    [ -f build-clang/build.ninja ] || CC=clang meson setup build-clang || return 1
    ninja -j"$jobs" -C build-clang
}

# Checks that find defects and raise no false alarm here. The analyzer walks at most 30,000 states of a function: eight times as
# many took five times as long and found nothing more. Left out are the checks of taste, and those that do not know cleanup
# attributes or that a function of another file sets what it returns by pointer when it returns 0 (core.NullDereference,
# core.uninitialized), or want a check of what sscanf reads in the kernel's own files.
tidy() {
    local checks='-*,bugprone-*,cert-*,clang-analyzer-unix.*,clang-analyzer-core.DivideZero' no limit word
    checks+=',clang-analyzer-core.StackAddressEscape,clang-analyzer-core.VLASize,clang-analyzer-security.FloatLoopCounter'
    checks+=',clang-analyzer-security.insecureAPI.gets,clang-analyzer-security.insecureAPI.mktemp'
    checks+=',clang-analyzer-security.insecureAPI.UncheckedReturn'
    for no in clang-analyzer-unix.Vfork bugprone-{easily-swappable-parameters,reserved-identifier,narrowing-conversions} \
        bugprone-{implicit-widening-of-multiplication-result,assignment-in-if-condition,sizeof-expression} \
        bugprone-{macro-parentheses,suspicious-string-compare,branch-clone,misplaced-widening-cast} \
        bugprone-{not-null-terminated-result,suspicious-missing-comma} cert-{dcl37-c,dcl51-cpp,err33-c,err34-c}; do
        checks+=,-$no
    done
    limit=()
    for word in -Xclang -analyzer-config -Xclang max-nodes=30000; do limit+=("--extra-arg=$word"); done
    printf '%s\0' "${units[@]}" | xargs -0 -P "$jobs" -n 8 \
        clang-tidy -p build-clang --quiet --warnings-as-errors='*' --checks="$checks" "${limit[@]}"
}

spelling() {
    codespell --ignore-words-list=passt,doas,strat,hald,fpr,readby,memroy,nmae,versoin,ans,fo,ot,te,nd,ue,hist,inout,claus,crate,creat,stdio,statics \
        -- README.md ARCHITECTURE.md src programs man tests/*.sh tests/*/*.c tests/*/*.sh tests/*/*.bats tests/*/*.bash
}

spdx() {
    local f bad=0
    for f in "${sources[@]}" "${scripts[@]}"; do
        [ -f "$f" ] || continue
        head -3 "$f" | grep -q 'SPDX-License-Identifier: Apache-2.0' || { echo "$f: no SPDX line"; bad=1; }
    done
    return $bad
}

size() {
    local f bad=0
    for f in "${sources[@]}"; do
        [ -f "$f" ] && [ "$(wc -l <"$f")" -gt 800 ] && { echo "$f: more than 800 lines"; bad=1; }
    done
    return $bad
}

unfinished() { ! grep -nE '\b(TODO|FIXME|XXX)\b' "${sources[@]}" "${scripts[@]}" | grep -v "^tests/lint.sh"; }

# Below cli/ and programs/ nothing prints to stdout and nothing ends the process.
no_exit() {
    ! grep -nE '(^|[^_[:alnum:]>.])(exit|printf|puts|perror)\(' src/{base,spec,confine,runtime,oci,image,trust,vet,engine}/*.c |
        grep -vE 'src/base/str\.c|_gen\.c|//|\* '
}

# Severity warning: notes about single quotes and cats are taste. In bats a failed cd ends the test, $stderr is set by run, and
# variables are read in lib.bash; names that are listed are identifiers.
shell() { printf '%s\0' "${scripts[@]}" | xargs -0 -P "$jobs" -n 6 shellcheck -x -S warning -e SC1091,SC2030,SC2031,SC2034,SC2045,SC2154,SC2164,SC2174; }

# clang-format-14 has no word for the tree's own way of breaking long lines, so it only advises; this is what must hold.
layout() {
    local bad=0
    ! grep -nE '[[:blank:]]+$' "${sources[@]}" "${scripts[@]}" || { echo "blanks at the end of a line"; bad=1; }
    ! grep -nE '^ {8}' "${sources[@]}" || { echo "indented with spaces"; bad=1; }
    return $bad
}

check "builds with clang, warnings are errors" clang_build
check "clang-tidy" tidy
check "shellcheck" shell
check "spelling" spelling
check "layout" layout
check "every source has its licence" spdx
check "no source beyond 800 lines" size
check "nothing is left to do" unfinished
check "nothing below cli/ prints or exits" no_exit

differ=$(printf '%s\0' "${units[@]}" | xargs -0 -P "$jobs" -n 16 clang-format --dry-run 2>&1 |
    sed -n 's/^\([^:]*\.[ch]\):[0-9]*:.*clang-format.*/\1/p' | sort -u | wc -l)
echo "# clang-format would change $differ files (advice)"
echo "1..$n"
[ -z "${BRIG_TEST_TOTALS:-}" ] || echo "$((n - failed)) $failed $skipped" >>"$BRIG_TEST_TOTALS"
echo "$((n - failed)) passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
