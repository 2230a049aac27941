#!/bin/sh
# What the determinism checks are for, planted: each plant must be caught, and the innocent program beside it must not be.
#
#   a run that reads what it has not written, the wall clock, the environment, the order or the value of addresses    `--twice` names the first step
#   a static that survives from one seed to the next                                       `sweep --twice` says so
#   state between seeds, the operating system, floats, unordered draws                     `make lint` names the place
set -u
cd "$(dirname "$0")/.." || exit 1

TOOL=build/release/tests/tool_scenarios
OUT=build/plants
mkdir -p $OUT
checks=0
failures=0
errors=0

fail() {
    failures=$((failures + 1))
    echo "test_plants.sh: $*"
}

expect() { # WHAT WORDS FILE
    checks=$((checks + 1))
    grep -q -e "$2" "$3" || {
        fail "$1: '$2' is missing in:"
        sed 's/^/    /' "$3"
    }
}

# Two runs of a plant differ, and the report says at which step they part and what led there.
for plant in plant-heap plant-clock plant-pointer; do
    $TOOL replay $plant 1 --twice >$OUT/report 2>&1 </dev/null
    expect "$plant" 'finding nondeterminism' $OUT/report
    expect "$plant" 'the runs part at step [1-9]' $OUT/report
    expect "$plant" '^ *first  *[0-9]' $OUT/report
    expect "$plant" '^ *second  *[0-9]' $OUT/report
done

# A sweep finds them as well, names the event from both sides with what differs in it, and ends with code 3.
PLANTS=build/release/tests/plant_scenarios
sweep_twice() { # PLANT
    checks=$((checks + 1))
    $PLANTS sweep "$1" --seeds 1..6 --jobs 1 --twice all >$OUT/report 2>/dev/null </dev/null
    code=$?
    [ $code = 3 ] || fail "$1: the sweep ends with $code, expected 3"
}
for plant in 'plant-environment deadline' 'plant-padding hash' 'plant-table line' 'plant-code deadline'; do
    sweep_twice "${plant% *}"
    expect "${plant% *}" 'the runs part at step 3005' $OUT/report
    expect "${plant% *}" '^ *first  *3005 .*victim1#1/main' $OUT/report
    expect "${plant% *}" '^ *second  *3005 .*victim1#1/main' $OUT/report
    expect "${plant% *}" "^ *${plant#* }: 0x[0-9a-f]* and 0x" $OUT/report
    expect "${plant% *}" 'what led to it' $OUT/report
done
sweep_twice plant-static
expect plant-static 'something survives from one seed to the next in a process' $OUT/report

# The same question about an innocent one.
checks=$((checks + 1))
$TOOL sweep ping-pong --seeds 1..20 --twice all >$OUT/report 2>&1 </dev/null ||
    fail "ping-pong is innocent, and the sweep says $?"

lint_object() { # FILE
    gcc -std=gnu11 -O0 -I. -c "tests/plants/$1.c" -o "$OUT/$1.o" || errors=$((errors + 1))
    tests/lint.sh --object engine "$OUT/$1.o" >$OUT/report 2>&1
    tests/lint.sh --source engine "tests/plants/$1.c" >>$OUT/report 2>&1
}

lint_object static
expect static 'has the writable static calls' $OUT/report
lint_object outside
expect outside 'calls time,' $OUT/report
expect outside 'calls getenv,' $OUT/report
expect outside 'calls sb_world_seed, which is not of sim/node.h' $OUT/report
expect outside 'includes sim/world.h' $OUT/report
expect outside 'includes <stdlib.h>' $OUT/report
lint_object arithmetic
expect arithmetic 'computes with floating point in <plant_scale>' $OUT/report
expect arithmetic 'uses floating point' $OUT/report
expect arithmetic 'draws twice in one expression' $OUT/report

passed=$((100 * (checks - failures - errors) / checks))
echo "$passed%: Checks: $checks, Failures: $failures, Errors: $errors"
[ $((failures + errors)) = 0 ]
