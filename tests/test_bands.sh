#!/bin/sh
# How often each kind of trouble is applied in a sweep of chaos, against tests/bands.def: a rate that has become ten
# times as high, or a tenth, is named.
#
#   tests/test_bands.sh [PROGRAM [SEEDS]]
#
# PROGRAM is seedbed. A factor of six is let pass either way, and two times less or four more: some kinds are rare, or come many
# at once. The seeds are so many that of the rarest kind a tenth would still be told from what is expected. A kind that no seed
# is armed with any more, or that is never applied where five times were expected, is dead.

set -u
here=$(cd "$(dirname "$0")/.." && pwd) || exit 1
tool=${1:-$here/build/${VARIANT:-release}/seedbed}
seeds=${2:-1..1000}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$tool" sweep chaos --seeds "$seeds" --json "$work/sweep.json" >"$work/out" 2>"$work/err" || {
    echo "FAILED: sweep chaos --seeds $seeds"
    tail -n 3 "$work/out" "$work/err"
    exit 1
}
# kind armed applied, one a line
sed -n 's/^{"kind":"\([a-z-]*\)",.*"armed_seeds":"\([0-9]*\)","applied":"\([0-9]*\)".*/\1 \2 \3/p' \
    "$work/sweep.json" >"$work/seen"
# kind expected: so many times in a thousand armed worlds
sed -n 's/^BAND([A-Z_]*, "\([a-z-]*\)", [0-9]*, \([0-9]*\))$/\1 \2/p' "$here/tests/bands.def" >"$work/expected"
[ -s "$work/seen" ] && [ -s "$work/expected" ] || {
    echo "FAILED: nothing to compare"
    exit 1
}
awk '
    NR == FNR { armed[$1] = $2; applied[$1] = $3; next }
    $2 > 0 {
        compared++
        expected = $2 * armed[$1] / 1000
        if (armed[$1] == 0) {
            printf "FAILED: %s is armed in no seed\n", $1
            failed++
        } else if (applied[$1] < expected / 6 - 2 || (applied[$1] == 0 && expected > 5) || applied[$1] > expected * 6 + 4) {
            printf "FAILED: %s applied %d times in %d armed seeds; expected about %d\n", $1, applied[$1], armed[$1], expected
            failed++
        }
    }
    END {
        failed += compared < 40
        compared += compared == 0
        printf "%d%%: Checks: %d, Failures: %d, Errors: 0\n", 100 * (compared - failed) / compared, compared, failed
        exit failed != 0
    }
' "$work/seen" "$work/expected"
