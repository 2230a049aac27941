#!/bin/sh
# Tests of the command line, against the scenarios of tests/tool_scenarios.c: exit codes, one clear line for bad
# input, output that does not depend on the number of workers, interrupted sweeps, killed workers.
#
#   tests/test_tool.sh [PROGRAM]
#
# PROGRAM is tests/tool_scenarios.c, linked. Says which check failed, and ends with 1 if one did.

default=tool_scenarios
# shellcheck source=tests/tool_checks.sh
. "$(dirname "$0")/tool_checks.sh"

# refused CODE TEXT WORDS...: nothing on stdout, one line on stderr that begins with "seedbed: " and holds the text.
refused() {
    expected=$1
    text=$2
    shift 2
    check "$expected" "$@" || return
    [ "$(wc -l <err)" -eq 1 ] || fail "'$*' does not say one line"
    grep -q '^seedbed: ' err || fail "'$*' does not begin with seedbed:"
    grep -qF -- "$text" err || fail "'$*' does not say: $text"
    [ -s out ] && fail "'$*' prints something though it is refused"
}

# says TEXT, has_not TEXT: of the last run's stdout.
says() {
    grep -qF -- "$1" out || fail "the output does not say: $1"
}
says_not() {
    grep -qF -- "$1" out && fail "the output says: $1"
}

# Names of places need a build with elfutils.
named=$(ldd "$tool" 2>/dev/null | grep -c libdw)
says_place() {
    [ "$named" -eq 0 ] || says "$1"
}

# sum_of NAME FILES...: how many seeds reached a goal, by the JSON of sweeps.
sum_of() {
    name=$1
    shift
    sed -n "s/^{\"name\":\"$name\".*\"seeds\":\"\([0-9]*\)\".*/\1/p" "$@" | awk '{ sum += $1 } END { print sum + 0 }'
}

# ------------------------------------------------------------------------------ help and version

check 0 --version
says 'seedbed test'
check 0 --help
says 'seedbed sweep [SCENARIO]'
for command in sweep replay trace museum list; do
    check 0 $command --help
    says 'Options:'
done
check 0 help --man
says '.SH EXIT CODES'
# The manual page is what the tables say; its third line is the summary of the product.
sed 3d out >manual
sed 3d "$here/docs/seedbed.1" | cmp -s - manual || fail 'docs/seedbed.1 is old: make it anew with: seedbed help --man'
check 129
check 0 list scenarios
says 'ping-pong'
says_not 'plant-heap'
for what in faults bugs strategies probes failpoints states; do
    check 0 list $what
    check 0 list $what --format json
done
check 0 list settings ping-pong
says '500ms'
check 0 list states
says '  > idle      -> asking'
check 0 list states --format dot
says 'digraph states'
if command -v dot >/dev/null; then
    dot -Tsvg out >states.svg 2>err || fail 'the drawing of the states is no dot'
    [ -s err ] && fail 'dot complains about the drawing of the states'
    grep -q '>connection<' states.svg || fail 'a machine has no cluster of its own'
fi

# ------------------------------------------------------------------------------------ bad words

refused 129 "expected one of sweep, replay" frobnicate
refused 129 "'--frob' is no option of sweep" sweep --frob
refused 129 "--seeds: '9..3' is backward; expected A..B with A <= B" sweep --seeds 9..3
refused 129 "--seeds: '' is no range" sweep --seeds ''
refused 129 "--seeds: '1..' is no range" sweep --seeds 1..
refused 129 "--seeds: '1..x' is no range" sweep --seeds 1..x
refused 129 "--seeds: '-1' is no range" sweep --seeds -1
refused 129 "too large" sweep --seeds 1..18446744073709551616
refused 129 "--seeds: has no value" sweep --seeds
refused 129 "scenario: 'nowhere' is no scenario; expected one of ping-pong" sweep nowhere
refused 129 "--bug: 'x' is no bug; expected one of nil" sweep --bug x
refused 129 "--strategy: 'x' is no strategy; expected one of" sweep --strategy x
refused 129 "--set: 'x' is no setting of ping-pong; expected one of pings" sweep --set x=1
refused 129 "--set: 'pings' has no value; expected NAME=VALUE" sweep --set pings
refused 129 "--set pings: '0' is out of range; expected 1 to 1000000" sweep --set pings=0
refused 129 "--set timeout: 'soon' is no duration" sweep --set timeout=soon
refused 129 "--set restart: 'yes' is no switch" sweep --set restart=yes
refused 129 "--jobs: '0' is out of range" sweep --jobs 0
refused 129 "--shard: '3/2' is no shard" sweep --shard 3/2
refused 129 "shard 3/3 of seeds 1..2 is empty" sweep --seeds 1..2 --shard 3/3
refused 129 "--twice: '2' is no share" sweep --twice 2
refused 129 "--for: '5' is no duration" sweep --for 5
refused 129 "--strict: takes no value" sweep --strict=1
refused 129 "one word too many" sweep ping-pong 5
refused 129 "no seed is given" replay
refused 129 "seed: 'x' is no number" replay x
refused 129 "seed: '18446744073709551616' is too large" replay 18446744073709551616
refused 129 "--format: 'x' is no format of a trace; expected one of text, ndjson, dot, svg" trace 1 --format x
refused 129 "--around: 'x' is no place" trace 1 --around x
refused 129 "list: 'x' is no list" list x
refused 129 "dot draws nothing but states" list bugs --format dot
refused 129 "--bug: 'x' is no bug" museum x

# ------------------------------------------------------------------------------- kept seeds

refused 128 "cannot open seeds/none.seed: No such file or directory" replay seeds/none.seed
printf 'scenario = nil\nseed = 2\ncolour = red\n' >bad.seed
refused 128 "bad.seed:3: 'colour' is no key; expected one of scenario" replay bad.seed
printf 'scenario = nil\nseed = two\n' >bad.seed
refused 128 "bad.seed:2: seed: 'two' is no number" replay bad.seed
printf 'scenario = nil\n' >bad.seed
refused 128 "bad.seed: has no seed" replay bad.seed
printf 'scenario = nowhere\nseed = 1\n' >bad.seed
refused 128 "bad.seed: scenario: 'nowhere' is no scenario" replay bad.seed
printf 'scenario = nil\nseed = 2\nexpect = bang\n' >bad.seed
refused 128 "bad.seed:3: expect: 'bang' is no outcome" replay bad.seed
printf '# a note\n\nscenario = nil\nseed = 2\nexpect = nil-dereference\nbuild = test\nnote = kept\n' >good.seed
check 0 replay good.seed
says 'as expected'
printf 'scenario = nil\nseed = 2\nexpect = passed\n' >good.seed
check 1 replay good.seed
says 'expected passed'
printf 'scenario = nil\nseed = 2\nbuild = another\n' >good.seed
check 1 replay good.seed
grep -q 'was kept from build another' err || fail 'no warning of another build'

# The choices a finding needs, and no others; every one but those is 0, whatever the seed is.
check 1 replay nil 2 --keep nil.seed
grep -qx 'tape = victim1/program 1:7' nil.seed || fail 'the tape is not the one choice that counts'
[ "$(grep -c '^tape' nil.seed)" -eq 1 ] || fail 'the tape has choices that do not count'
grep -q '1 of [0-9]* choices' err || fail '--keep does not say how many choices are needed'
check 0 replay nil.seed
says 'as expected'
says 'tape of 1'
says 'replay: seedbed replay nil.seed'
check 0 replay nil.seed --mask loss --strategy fifo
says "replay: seedbed replay nil.seed --strategy 'fifo' --mask 'loss'"
check 0 replay nil.seed --twice
check 0 trace nil.seed
says 'finding nil-dereference'
sed 's/^seed = 2/seed = 1/' nil.seed >other.seed
check 0 replay nil 1
check 0 replay other.seed
says 'as expected'
sed 's/1:7/1:6/' nil.seed >other.seed
check 1 replay other.seed
says 'verdict passed, expected nil-dereference'
check 0 replay nil.seed --keep again.seed
grep -v '^#' nil.seed >nil.choices # the comment tells how many there were before
grep -v '^#' again.seed | cmp -s nil.choices - || fail 'a tape that is kept again is another'
check 1 replay deadlock 1 --keep deadlock.seed
grep -qx 'tape = none' deadlock.seed || fail 'a finding that needs no choice has a tape'
check 0 replay deadlock.seed
check 0 replay ping-pong 1 --keep passed.seed
grep -q 'kept by its seed alone' err || fail 'nothing says that a run that passed has no tape'
grep -q '^tape' passed.seed && fail 'a run that passed has a tape'
check 0 replay passed.seed
says 'passed as expected'
refused_tape() {
    printf 'scenario = nil\nseed = 2\ntape = %s\n' "$1" >bad.seed
    refused 128 "bad.seed:3: tape: $2" replay bad.seed
}
refused_tape 'victim1/program' 'expected none, or a stream and its choices'
refused_tape '' 'expected none, or a stream and its choices'
refused_tape 'program 1:7' 'expected none, or a stream and its choices'
refused_tape 'victim1/program 1' "'1' is no choice; expected ordinal:value"
refused_tape 'victim1/program 0:7' "'0:7' is no choice"
refused_tape 'victim1/program 1:0' "'1:0' is no choice"
refused_tape 'victim1/program 2:1 1:7' "'1:7' is no choice"
refused_tape 'victim1/program 1:x' "'1:x' is no choice"
check 128 replay nil 2 --keep nowhere/x.seed
grep -q 'cannot write nowhere/x.seed' err || fail 'a kept seed that cannot be written is not named'

# -------------------------------------------------------------------------------- files

refused 128 "cannot write nowhere/x: No such file or directory" trace ping-pong 1 -o nowhere/x
refused 128 "cannot write .: Is a directory" trace ping-pong 1 -o .
refused 128 "cannot write /dev/full: No space left on device" trace ping-pong 1 --all -o /dev/full
refused 128 "cannot write nowhere/x: No such file or directory" sweep --seeds 1..2 --json nowhere/x
refused 128 "cannot make directory nowhere/x: No such file or directory" sweep --seeds 1..2 --out nowhere/x
: >plain
refused 128 "cannot write into plain: it is no directory" sweep --seeds 1..2 --out plain
checks=$((checks + 1))
"$tool" trace ping-pong 1 --all >/dev/full 2>err
[ $? -eq 128 ] || fail 'a full standard output is not 128'
# A small file system that fills up: nothing is left under the name, nor beside it.
(ulimit -f 8; trap '' XFSZ; "$tool" trace ping-pong 1 --all --format ndjson -o full.ndjson >out 2>err)
[ $? -eq 128 ] || fail 'a full disk is not 128'
[ "$(wc -l <err)" -eq 1 ] || fail 'a full disk does not say one line'
ls full.ndjson* >/dev/null 2>&1 && fail 'something is left of a file that could not be written'
check 0 trace ping-pong 1 --all --format ndjson -o whole.ndjson
head -n 1 whole.ndjson | grep -q '"schema":1' || fail 'the trace has no header'
check 0 trace ping-pong 1 --format dot
says 'digraph trace'
if command -v neato >/dev/null; then
    check 0 trace nil 2 --format svg -o nil.svg
    grep -q '</svg>' nil.svg || fail 'the drawing is no svg'
fi
checks=$((checks + 1))
PATH=/nowhere "$tool" trace nil 2 --format svg -o none.svg >out 2>err
[ $? -eq 128 ] || fail 'a missing neato is not 128'
grep -q 'install graphviz' err || fail 'a missing neato is not named'
[ -e none.svg ] && fail 'a drawing that failed left a file'

# --------------------------------------------------------------------------------- findings

check 0 sweep ping-pong --seeds 1..200
says 'verdict passed'
says 'pings'
cp out first
check 0 sweep ping-pong --seeds 1..200 --jobs 1
cmp -s out first || fail 'the output depends on the number of workers'
check 0 sweep --seeds 0x1..0xc8 ping-pong --jobs 5
cmp -s out first || fail 'the output depends on how the range is written'

# What some seed must reach: only counted in short sweeps, named in long ones, judged by --strict.
says 'probes     1 of 2 reached, 1 not expected here'
says 'moves      5 of 5 walked'
check 0 sweep ping-pong --seeds 1..200 --strict
check 0 sweep ping-pong --seeds 1..3 --set restart=off --set timeout=60s
says 'never (named from 1000 seeds on, and with --strict)'
says_not 'never: '
check 2 sweep ping-pong --seeds 1..3 --set restart=off --set timeout=60s --strict
says 'never: a ping is too late (tests/tool_scenarios.c:'
says 'never: connection: asking -> failed'
says 'verdict not-strict'
check 0 sweep ping-pong --seeds 1..1000 --set restart=off --set timeout=60s --set pings=1
says 'never: connection: failed -> asking'
check 0 sweep refuted --seeds 1..200
says 'and should never: a ping is too late (nobody asks for so many, and nobody is late)'
says_not 'and should never: nobody asks'
says 'in 200 seeds, and should never: connection: idle -> asking (clients are born asking)'
check 2 sweep refuted --seeds 1..200 --strict
says 'verdict not-strict'

check 1 sweep nil --seeds 1..50
says_place 'finding nil-dereference  tests/tool_scenarios.c'
says 'read at address 0x10'
says 'replay: seedbed replay nil'
check 1 replay nil 2
cp out first
check 1 replay nil 2
cmp -s out first || fail 'two replays differ'
says 'digest'
check 0 replay nil 1
check 1 sweep memcpy --seeds 1..3
says_place 'memcpy_program'
check 1 sweep nil-call --seeds 1..2
says_place 'call_program'
check 1 sweep overflow --seeds 1..2
says_place 'finding crash  tests/tool_scenarios.c'
says "ran over the task's stack"
says_place 'go_deeper'
check 1 sweep exit --seeds 1..20
says 'its process ends itself with exit code 7'
check 1 replay exit 2
says 'finding crash'
check 1 sweep assertion --seeds 1..20
says 'drawn < 8'
check 1 sweep leak --seeds 1..2
says 'finding leak  tests/tool_scenarios.c'
check 1 sweep file-leak --seeds 1..2
says 'the latest is jobs/7'
says_not 'the framework itself is at fault'
check 1 sweep giving-up --seeds 1..2
says 'victim1 returned 4'
says_not 'the framework itself is at fault'
check 1 sweep deadlock --seeds 1..2
says 'waits for mutex second'
says 'blocked tasks'
check 1 sweep stuck --seeds 1..2
says 'finding stuck-job'
says 'reply dropped at step'
says 'nobody will answer'
check 0 sweep ping-pong --seeds 32918 # it ends in the last interval of the stuck proof
check 0 sweep ping-pong --seeds 1..5 --set pings=20000
check 2 sweep vacuous --seeds 1..5
says 'verdict vacuous'
says 'floors     0 of 1 held, 5 of 5 passed seeds vacuous'
check 1 sweep runaway --seeds 1..3 --runaway-after 300ms
says_place 'finding runaway  tests/tool_scenarios.c'
check 1 replay runaway 2 --runaway-after 300ms
says_place 'runaway_program'

# the museum's switch
check 0 sweep museum-piece --seeds 1..20
cp out clean
check 1 sweep museum-piece --seeds 1..50 --bug nil --stop-after 2
says 'with findings'
says 'seeds      '
grep -q ' 2 with findings' out || fail '--stop-after did not stop after 2'
check 0 museum nil --starts 3
says 'found   nil'
check 1 museum nil --starts 2 --limit 1
says 'missed  nil'
# The time that all bugs share: starts that it does not suffice for do not count.
check 0 museum nil --starts 1000 --for 1s
says 'cut short before the next'
check 2 museum nil --for 1us
says 'unknown nil'
refused 129 "--for: '0s' is no time at all" museum --for 0s

# --------------------------------------------------------------------------- nondeterminism

for plant in plant-heap plant-clock plant-pointer; do
    check 3 sweep $plant --seeds 1..4 --twice all
    says 'the runs part at step'
    check 1 replay $plant 1 --twice
    says 'finding nondeterminism'
done
export TZ=UTC
check 3 sweep plant-environment --seeds 1..4 --twice all
says 'the runs part at step'
check 1 replay plant-environment 1 --twice
unset TZ
# By one worker, so that both times each seed would have the same one before it, were it not for the order.
check 3 sweep plant-count --seeds 1..20 --jobs 1 --twice all
says 'something survives from one seed to the next'
check 0 sweep plant-count --seeds 1..20 --jobs 1 --twice 0
# A share of every sweep is run twice, asked for or not.
check 3 sweep plant-heap --seeds 1..1000
says_not 'of 0 seeds compared'
check 3 sweep plant-static --seeds 1..20 --jobs 1
says 'does not repeat'
check 0 sweep ping-pong --seeds 1..40 --twice 1/2
says 'differ'
check 0 replay ping-pong 7 --twice

# a debugger's stop: nobody is there to take the trap
checks=$((checks + 1))
{
    "$tool" replay ping-pong 1 --break-at 5 >out 2>err
    code=$?
} 2>/dev/null
[ "$code" -eq 133 ] || fail '--break-at raises no SIGTRAP'

# ----------------------------------------------------------------------------------- shards

digest_of() {
    sed -n 's/.*verdict passed  digest \([0-9a-f]*\)$/\1/p' "$1"
}
check 0 sweep ping-pong --seeds 1..60
whole=$(digest_of out)
for shard in 1 2 3; do
    check 0 sweep ping-pong --seeds 1..60 --shard $shard/3 --json shard$shard.json
    digest_of out >>parts
done
# 64-bit sums, which a shell's numbers cannot be trusted with: added in two halves.
sum=$(awk '{ high += strtonum_hex(substr($1, 1, 8)); low += strtonum_hex(substr($1, 9, 8)) }
    function strtonum_hex(text,    i, value) {
        value = 0
        for (i = 1; i <= length(text); i++) {
            value = value * 16 + index("0123456789abcdef", substr(text, i, 1)) - 1
        }
        return value
    }
    END {
        high += int(low / 4294967296)
        printf "%08x%08x", high % 4294967296, low % 4294967296
    }' parts)
check 0 sweep ping-pong --seeds 1..60 --json whole.json
for goal in 'a ping is too late' 'connection: idle -> asking' 'connection: asking -> failed'; do
    [ "$(sum_of "$goal" whole.json)" -gt 0 ] || fail "no seed reached: $goal"
    [ "$(sum_of "$goal" whole.json)" = "$(sum_of "$goal" shard?.json)" ] ||
        fail "the shards and the whole disagree on: $goal"
done
[ "$sum" = "$whole" ] || fail "the digests of the shards add up to $sum, the whole is $whole"
checks=$((checks + 1))
CI_NODE_INDEX=2 CI_NODE_TOTAL=3 "$tool" sweep ping-pong --seeds 1..60 >out 2>err || fail 'a shard of the environment'
says 'shard 2/3 by CI_NODE_INDEX'
CI_NODE_INDEX=5 CI_NODE_TOTAL=3 "$tool" sweep ping-pong --seeds 1..60 >out 2>err
[ $? -eq 129 ] || fail 'a bad shard of the environment is not refused'

# ---------------------------------------------------------------------------- written outcomes

check 1 sweep nil --seeds 1..50 --json outcome.json --out outcome
grep -q '"verdict":"findings"' outcome.json || fail 'no verdict in the JSON'
ls outcome/nil-dereference-*.txt outcome/nil-dereference-*.seed outcome/nil-dereference-*.ndjson >/dev/null 2>&1 ||
    fail 'the files of a finding are missing'
cp outcome.json again.json
check 1 sweep nil --seeds 1..50 --json outcome.json --jobs 1
cmp -s outcome.json again.json || fail 'the JSON of the same seeds differs'
for seed in outcome/*.seed; do
    check 0 replay "$seed"
done

# What is found without one of the faults: weighed, written, and kept with the mask.
check 1 sweep unlucky --seeds 1..3 --effect all --json masked.json --out masked
says 'findings in 3 of them; the first is a crash'
grep -q '"masked_findings":"3","masked_kind":"crash","masked_replay":"seedbed replay unlucky 1 --mask loss"' masked.json ||
    fail 'the masked findings are not in the JSON'
check 1 replay masked/crash-*-masked.seed
says 'finding crash'
check 0 replay unlucky 1 --keep lucky.seed
check 1 replay lucky.seed --mask loss
check 0 replay ping-pong 1 --mask loss --keep masked.seed
grep -qx 'mask = loss' masked.seed || fail 'a kept seed does not say what was masked'
check 0 replay masked.seed
if command -v python3 >/dev/null; then
    python3 -c 'import json,sys; json.load(open("outcome.json")); [json.loads(l) for l in open("whole.ndjson")]' ||
        fail 'what was written is no JSON'
fi

# -------------------------------------------------------------------- interrupted, killed, time over

"$tool" sweep busy --seeds 1..1000000 --jobs 2 >out 2>err &
sweep=$!
sleep 1
kill -INT $sweep
wait $sweep
code=$?
checks=$((checks + 1))
[ $code -eq 2 ] || fail "an interrupted sweep ended with $code; expected 2"
says 'verdict interrupted'
says_not ' 0 run'

"$tool" sweep busy --seeds 1..1500 --jobs 2 >out 2>err &
sweep=$!
sleep 0.4
victim=$(ps -o pid= --ppid $sweep | head -n 1)
kill -KILL "$victim"
wait $sweep
code=$?
checks=$((checks + 1))
[ $code -eq 2 ] || fail "a sweep with a killed worker ended with $code; expected 2"
says 'its worker was ended by SIGKILL'
says 'verdict inconclusive'
says '1500 run, 1499 passed'

# The second runs are another program's, which has workers of its own: the interrupt reaches them.
"$tool" sweep busy --seeds 1..3000 --jobs 1 --twice all >out 2>err &
sweep=$!
for _ in $(seq 600); do
    [ -n "$(ps -o pid= --ppid "$(ps -o pid= --ppid $sweep | head -n 1 | tr -d ' ')" 2>/dev/null)" ] && break
    sleep 0.05
done
kill -INT $sweep
wait $sweep
code=$?
checks=$((checks + 1))
[ $code -eq 2 ] || fail "a sweep that is interrupted in its second runs ended with $code; expected 2"
says '3000 run, 3000 passed'
says 'verdict interrupted'

check 0 sweep ping-pong --for 1s
says 'seeds 1..  strategy'

close
