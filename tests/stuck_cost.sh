#!/usr/bin/env bash
#
# What it costs to prove that a job is stuck: for so many seeds in which a bug of the museum leaves a job standing
# still, the processor time of that run over that of the healthy run of the same seed. Prints every pair and the
# median of the quotients, which is to be 2 at most.
#
#   tests/stuck_cost.sh [COUNT] [BUG] [SCENARIO]
set -u
here=$(cd "$(dirname "$0")/.." && pwd)
tool=${TOOL:-$here/build/release/seedbed}
count=${1:-30}
bug=${2:-tidb-47954}
scenario=${3:-chaos}

# Microseconds of processor time for one seed: its steps over the steps a second.
cost() {
    "$tool" sweep "$scenario" --seeds "$1..$1" --jobs 1 "${@:2}" 2>&1 |
        sed -n 's|.* \([0-9]*\) steps/s a core.*|rate \1|p; s|^sweep .* steps \([0-9]*\)  .*|steps \1|p' |
        awk '$1 == "rate" { rate = $2 } $1 == "steps" { steps = $2 } END { printf "%d\n", 1000000 * steps / rate }'
}

seed=1
quotients=()
while [ ${#quotients[@]} -lt "$count" ]; do
    seed=$("$tool" sweep "$scenario" --seeds "$seed..$((seed + 999))" --jobs 1 --bug "$bug" --stop-after 1 2>/dev/null |
        sed -n 's/^finding .*(1 seed, \([0-9]*\))$/\1/p' | head -1)
    [ -n "$seed" ] || { echo "no seed in a thousand is stuck by $bug" >&2; exit 1; }
    stuck=$(cost "$seed" --bug "$bug")
    healthy=$(cost "$seed")
    quotient=$(awk -v a="$stuck" -v b="$healthy" 'BEGIN { printf "%.2f", a / b }')
    echo "seed $seed: stuck $stuck us, healthy $healthy us, $quotient"
    quotients+=("$quotient")
    seed=$((seed + 1))
done
printf '%s\n' "${quotients[@]}" | sort -n |
    awk '{ all[NR] = $1 } END { printf "median of %d: %.2f\n", NR, all[int((NR + 1) / 2)] }'
