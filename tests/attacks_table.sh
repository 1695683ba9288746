#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# attacks_table.sh: every row of the catalogue stands in docs/attacks.md, and every test that is named there exists. TAP.
set -uo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
table=$top/docs/attacks.md
rows=$(seq -f 'R%g' 34; seq -f 'A%02g' 36; seq -f 'D%g' 8; seq -f 'D%02g' 15; seq -f 'I%g' 14)
bad=''

named=$(awk -F'|' 'NF == 5 && $2 ~ /[0-9]/ { gsub(/[ ,]+/, "\n", $2); print $2 }' "$table")
for row in $rows; do
    grep -qx "$row" <<<"$named" || bad+="# row $row is missing"$'\n'
done
count=0
while IFS= read -r entry; do
    file=$top/tests/integration/${entry%%: *}.bats
    count=$((count + 1))
    grep -qF "@test \"${entry#*: }" "$file" 2>/dev/null || bad+="# no test: $entry"$'\n'
done < <(grep '^| [RADI][0-9]' "$table" | awk -F'|' '{ print $4 }' | grep -oE '`[^`]+`' | tr -d '`')
[ "$count" -ge 90 ] || bad+="# only $count tests named"$'\n'

printf '%s' "$bad"
[ -z "$bad" ] && echo "ok 1 every row of docs/attacks.md names tests that there are" ||
    echo "not ok 1 every row of docs/attacks.md names tests that there are"
echo 1..1
[ -z "$bad" ]
