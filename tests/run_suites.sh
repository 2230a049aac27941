#!/bin/sh
# Run test programs, then (after --) test scripts; all of them, whatever fails. The last line sums up in Check's words.
set -u
cd "$(dirname "$0")/.." || exit 1

OUTPUT=build/suite-output
failed=
checks=0
failures=0
errors=0

# The closing line of a suite: "100%: Checks: 14, Failures: 0, Errors: 0".
count() {
    line=$(sed -n 's/^[0-9]*%: Checks: \([0-9]*\), Failures: \([0-9]*\), Errors: \([0-9]*\).*/\1 \2 \3/p' "$1" | tail -n 1)
    # shellcheck disable=SC2086
    set -- ${line:-0 0 1}
    checks=$((checks + $1))
    failures=$((failures + $2))
    errors=$((errors + $3))
}

mkdir -p build
for one in "$@"; do
    if [ "$one" = -- ]; then
        continue
    fi
    echo "== ${one##*/}"
    if ! "$one" >$OUTPUT 2>&1 </dev/null; then
        failed="$failed ${one##*/}"
    fi
    cat $OUTPUT
    count $OUTPUT
done

if [ "$checks" = 0 ]; then
    echo "FAILED: nothing was checked"
    exit 1
fi
echo
[ -z "$failed" ] || echo "FAILED:$failed"
echo "$((100 * (checks - failures - errors) / checks))%: Checks: $checks, Failures: $failures, Errors: $errors"
[ -z "$failed" ] && [ $((failures + errors)) = 0 ]
