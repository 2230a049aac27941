#!/bin/sh
# What is installed is enough to build against: `make install` under a foreign root, then the tutorial's program compiled
# with what pkg-config says, from the doors alone, and a thousand seeds of it, one of its own bugs included.
set -u
cd "$(dirname "$0")/.." || exit 1

ROOT=$(pwd)/build/installed
checks=0
failures=0

expect() { # CODE COMMAND...
    wanted=$1
    shift
    checks=$((checks + 1))
    "$@" >"$ROOT.log" 2>&1 </dev/null
    code=$?
    if [ $code != "$wanted" ]; then
        failures=$((failures + 1))
        echo "test_install.sh: $*: exit code $code, expected $wanted"
        sed 's/^/    /' "$ROOT.log"
    fi
}

says() {
    checks=$((checks + 1))
    grep -q -e "$1" "$ROOT.log" || {
        failures=$((failures + 1))
        echo "test_install.sh: '$1' is not in the output"
    }
}

rm -rf "$ROOT"
expect 0 make --no-print-directory -s install DESTDIR="$ROOT" PREFIX=/opt/seedbed
PREFIX=$ROOT/opt/seedbed
export PKG_CONFIG_PATH="$PREFIX/lib/pkgconfig"
flags=$(pkg-config --define-prefix --cflags --libs seedbed) || failures=$((failures + 1))
mkdir -p "$ROOT/elsewhere"
cp tests/examples/journal.c "$ROOT/elsewhere/"
# shellcheck disable=SC2086
expect 0 "${CC:-gcc}" -std=gnu11 -g -Wall -Wextra "$ROOT/elsewhere/journal.c" $flags -o "$ROOT/elsewhere/journal"
expect 0 "$ROOT/elsewhere/journal" sweep --seeds 1..1000
says '1000 passed'
expect 1 "$ROOT/elsewhere/journal" sweep --bug answer-before-sync --seeds 1..1000 --stop-after 1
says 'finding lost-write'
says 'journal.c:[0-9]* check_journal'
expect 0 "$PREFIX/bin/seedbed" --version
for header in "$PREFIX"/include/seedbed/sim/node.h "$PREFIX"/include/seedbed/sim/world.h \
    "$PREFIX"/include/seedbed/sim/tool.h "$PREFIX"/include/seedbed/sim/record/record.h; do
    expect 0 "${CC:-gcc}" -std=gnu11 -Wall -Wextra -fsyntax-only -x c -I"$PREFIX/include/seedbed" "$header"
done

passed=$((100 * (checks - failures) / checks))
echo "$passed%: Checks: $checks, Failures: $failures, Errors: 0"
[ $failures = 0 ]
