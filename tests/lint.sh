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
        sed 's/^/# /' "$log" | head -60
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

tidy() {
    local checks='-*,clang-analyzer-unix.*,-clang-analyzer-unix.Vfork,clang-analyzer-core.DivideZero'
    checks+=',clang-analyzer-core.StackAddressEscape,clang-analyzer-core.VLASize,clang-analyzer-security.FloatLoopCounter'
    checks+=',clang-analyzer-security.insecureAPI.gets,clang-analyzer-security.insecureAPI.mktemp'
    checks+=',clang-analyzer-security.insecureAPI.UncheckedReturn,bugprone-*,-bugprone-easily-swappable-parameters'
    checks+=',-bugprone-reserved-identifier,-bugprone-implicit-widening-of-multiplication-result'
    checks+=',-bugprone-narrowing-conversions,-bugprone-assignment-in-if-condition,-bugprone-sizeof-expression'
    checks+=',-bugprone-macro-parentheses,-bugprone-suspicious-string-compare,-bugprone-branch-clone'
    printf '%s\0' "${units[@]}" |
        xargs -0 -P "$jobs" -n 4 clang-tidy -p build-clang --quiet --warnings-as-errors='*' --checks="$checks"
}

# Templates of meson (@VALUE@) and code for other machines are not for cppcheck.
cpp_check() {
    cppcheck --quiet --error-exitcode=1 --inline-suppr --std=c11 --enable=warning,portability -D_GNU_SOURCE -D__x86_64__ \
        -D'json_array_foreach(a,i,v)=for(i=0;i<json_array_size(a)&&(v=json_array_get(a,i));i++)' \
        -D'json_object_foreach(o,k,v)=for(k=json_object_iter_key(json_object_iter(o));k&&(v=json_object_get(o,k));)' \
        --suppress=objectIndex -I src -j "$jobs" src programs tests/attacks tests/bench
}

spelling() {
    codespell --ignore-words-list=ans,fo,ot,te,nd,ue,hist,inout,claus,crate,creat,stdio,statics \
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
    ! grep -nE '(^|[^_[:alnum:]>.])(exit|printf|puts|perror)\(' src/{base,spec,confine,runtime,image,engine}/*.c |
        grep -vE 'src/base/str\.c|_gen\.c|//|\* '
}

shell() { shellcheck -x -e SC1091,SC2030,SC2031 "${scripts[@]}"; }

check "builds with clang, warnings are errors" clang_build
check "clang-tidy" tidy
check "cppcheck" cpp_check
check "shellcheck" shell
check "spelling" spelling
check "every source has its licence" spdx
check "no source beyond 800 lines" size
check "nothing is left to do" unfinished
check "nothing below cli/ prints or exits" no_exit

differ=$(clang-format --dry-run "${units[@]}" 2>&1 | grep -oE '^[^:]+' | sort -u | wc -l)
echo "# clang-format would change $differ of ${#units[@]} files (advice)"
echo "1..$n"
[ -z "${BRIG_TEST_TOTALS:-}" ] || echo "$((n - failed)) $failed $skipped" >>"$BRIG_TEST_TOTALS"
echo "$((n - failed)) passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
