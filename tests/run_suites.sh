#!/bin/sh
# Run test programs, then (after --) test scripts; all of them, whatever fails. Exits 0 when all passed.
set -u
cd "$(dirname "$0")/.." || exit 1

failed=
count=0
for one in "$@"; do
    if [ "$one" = -- ]; then
        continue
    fi
    count=$((count + 1))
    echo "== ${one##*/}"
    if ! "$one" </dev/null; then
        failed="$failed ${one##*/}"
    fi
done
if [ -n "$failed" ]; then
    echo "FAILED:$failed"
    exit 1
fi
echo "all $count suites passed"
