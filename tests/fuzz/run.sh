#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# run.sh BUILD SECONDS [NAME...]: runs the libFuzzer targets of the build folder BUILD for SECONDS each.
#
# A job fails when the target crashes, hangs or leaks, when it covered nothing, when the fuzzer found nothing beyond an
# empty input, or when the same target with a planted bug (plant.c) does not trip over it.
# Prints TAP. What crashed is left in BUILD/fuzz-NAME/.
set -uo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=${1:?usage: run.sh BUILD SECONDS [NAME...]} seconds=${2:?}
shift 2
names=("$@")
if [ ${#names[@]} = 0 ]; then
    for f in "$build"/tests/fuzz/fuzz_*; do
        [ -f "$f" ] && [ -x "$f" ] && names+=("${f##*/fuzz_}")
    done
fi
if [ ${#names[@]} = 0 ]; then
    echo "run.sh: no targets in $build/tests/fuzz; is it built with -Dfuzz=true?" >&2
    exit 1
fi

n=0 good=0
result() {
    n=$((n + 1))
    if [ "$1" = 0 ]; then
        echo "ok $n fuzz $2"
        good=$((good + 1))
    else
        echo "not ok $n fuzz $2"
    fi
}
why() { echo "# $*"; }

# The number of covered edges at the end of a libFuzzer log.
covered() { sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$1" | tail -1; }

common=(-rss_limit_mb=1024 -timeout=10 -print_final_stats=1 -verbosity=1)
export ASAN_OPTIONS=abort_on_error=0:detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
for name in "${names[@]}"; do
    dir=$build/fuzz-$name
    rm -rf "$dir"
    mkdir -p "$dir/new" "$dir/empty" "$dir/found"
    seeds=()
    [ -d "$here/corpus/$name" ] && seeds=("$here/corpus/$name")

    bad=0
    # What an empty input alone reaches: the fuzzer must do better.
    "$build/tests/fuzz/fuzz_$name" "${common[@]}" -runs=1 "$dir/empty" >"$dir/empty.log" 2>&1
    least=$(covered "$dir/empty.log")
    if ! (cd "$dir" && "$build/tests/fuzz/fuzz_$name" "${common[@]}" -max_total_time="$seconds" -artifact_prefix="$dir/" \
        "$dir/new" "${seeds[@]}") >"$dir/log" 2>&1; then
        grep -m3 -E 'ERROR|SUMMARY|runtime error' "$dir/log" | while read -r line; do why "$line"; done
        why "the input is in $dir; the log in $dir/log"
        bad=1
    fi
    cov=$(covered "$dir/log")
    execs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$dir/log")
    if [ "${cov:-0}" -le "${least:-0}" ] || [ "${execs:-0}" -lt 100 ]; then
        why "nothing was fuzzed: ${cov:-0} edges in ${execs:-0} runs, an empty input alone reaches ${least:-0}"
        bad=1
    fi
    result $bad "$name: ${cov:-0} edges, ${execs:-0} runs"

    # The planted bug must be found; the seeds may help.
    if (cd "$dir" && "$build/tests/fuzz/plant_$name" "${common[@]}" -max_total_time=$((seconds + 20)) \
        -artifact_prefix="$dir/found/" "$dir/found" "${seeds[@]}") >"$dir/plant.log" 2>&1 ||
        ! grep -q 'PLANTED BUG reached' "$dir/plant.log"; then
        why "see $dir/plant.log"
        result 1 "$name finds a planted bug"
    else
        result 0 "$name finds a planted bug"
    fi
done
echo "1..$n"
[ -z "${BRIG_TEST_TOTALS:-}" ] || echo "$good $((n - good)) 0" >>"$BRIG_TEST_TOTALS"
echo "$good passed, $((n - good)) failed, 0 skipped"
[ "$good" = "$n" ]
