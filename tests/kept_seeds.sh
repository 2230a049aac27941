#!/bin/sh
# Replay every kept seed; each is judged against what it expects. Exits 0 when all are as expected, and there are some.
set -u
cd "$(dirname "$0")/.." || exit 1

count=0
failed=0
for seed in seeds/*.seed; do
    [ -e "$seed" ] || continue
    count=$((count + 1))
    if output=$(build/seedbed replay "$seed" </dev/null 2>&1); then
        echo "ok      $seed"
    else
        failed=$((failed + 1))
        echo "FAILED  $seed"
        echo "$output" | sed 's/^/    /'
    fi
done
echo "$count kept seeds, $failed failed"
[ "$count" != 0 ] && [ "$failed" = 0 ]
