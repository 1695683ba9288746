#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# run.sh FOLDER RUNTIME...: runs the validation programs of opencontainers/runtime-tools against each runtime and shows the
# figures side by side.
#
# FOLDER holds what that project builds: the programs in FOLDER/bin, named as their folders in validation/ are, and runtimetest and
# rootfs-amd64.tar.gz beside. As root. Containers and cgroups of names of the programs' own are made on this machine.
# ONLY=NAME,... runs some of the programs. What each said is left in OUT (default: a folder below /tmp).
set -uo pipefail

[ $# -ge 2 ] || { sed -n '4,10s/^# \?//p' "$0" >&2; exit 2; }
folder=$(realpath "$1")
shift
out=${OUT:-$(mktemp -d /tmp/brig-conformance.XXXXXX)}
for need in "$folder/bin" "$folder/runtimetest" "$folder/rootfs-amd64.tar.gz"; do
    [ -e "$need" ] || { echo "run.sh: there is no $need" >&2; exit 2; }
done

# "PASSED/TOLD" of a TAP report; "-" when it was skipped as a whole, "!" when the program ended badly.
figure() {
    awk -v rc="$2" '
        /^(not )?ok / { told++ }
        /^ok / { good++ }
        /^ok [0-9]+ # SKIP/ { skipped++ }
        END {
            if (told && skipped == told) print "-"
            else printf "%d/%d%s\n", good, told, (rc != 0 || !told) ? "!" : ""
        }' "$1"
}

cd "$folder"
declare -A all good
printf '%-34s' program
for runtime; do printf '%12s' "${runtime##*/}"; done
echo
for program in bin/*; do
    name=${program##*/}
    [[ -z ${ONLY:-} || ,$ONLY, = *,$name,* ]] || continue
    printf '%-34s' "$name"
    for runtime; do
        log=$out/${runtime##*/}.$name
        RUNTIME=$runtime timeout -k 5 60 "$program" >"$log" 2>"$log.err" </dev/null
        rc=$?
        f=$(figure "$log" $rc)
        all[$runtime]=$((${all[$runtime]:-0} + 1))
        # Whole when each point passed and the program itself ended well.
        [[ $f = - || $f = *! || ${f%/*} != "${f#*/}" ]] || good[$runtime]=$((${good[$runtime]:-0} + 1))
        printf '%12s' "$f"
    done
    echo
done
printf '%-34s' 'programs passed whole'
for runtime; do printf '%12s' "${good[$runtime]:-0}/${all[$runtime]:-0}"; done
echo
echo "what they said: $out"
