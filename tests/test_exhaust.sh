#!/bin/sh
# Tests of --exhaust, against the scenarios of tests/exhaust_scenarios.c: every place is failed once and no place
# twice, the one that matters is named and replays, shards and workers agree, bad input gets one clear line.
#
#   tests/test_exhaust.sh [PROGRAM]
#
# PROGRAM is tests/exhaust_scenarios.c, linked. Says which check failed, and ends with 1 if one did.

default=exhaust_scenarios
# shellcheck source=tests/tool_checks.sh
. "$(dirname "$0")/tool_checks.sh"

# refused TEXT WORDS...: a usage error: nothing on stdout, one line on stderr that begins with "seedbed: " and holds
# the text.
refused() {
    text=$1
    shift
    check 129 "$@" || return
    [ "$(wc -l <err)" -eq 1 ] || fail "'$*' does not say one line"
    grep -q '^seedbed: ' err || fail "'$*' does not begin with seedbed:"
    grep -qF -- "$text" err || fail "'$*' does not say: $text"
    [ -s out ] && fail "'$*' prints something though it is refused"
}

says() {
    grep -qF -- "$1" out || fail "the output does not say: $1"
}

# Of the last line: the digest; of the outcome: how many runs.
digest() {
    sed -n 's/.*digest \([0-9a-f]*\)$/\1/p' out | tail -n 1
}

# A disk: five entries of seven operations each; of the third the renaming is the fourth.
check 1 sweep diary --exhaust disk --jobs 2
says "exhausted  disk: 35 places of 1 seed"
says "runs       36 run, 35 passed, 1 with findings"
says "(1 run, smallest 1 at 18)"
says "replay: seedbed replay diary 1 --exhaust disk --at 18"
says "fault write-error machine"
whole=$(digest)
check 1 sweep diary --exhaust disk --jobs 1
[ "$(digest)" = "$whole" ] || fail "the digest depends on the number of workers"

# Sums of digests, in halves: a shell's numbers need not wrap.
add() {
    low=$((0x${1#????????} + 0x${2#????????}))
    high=$((0x${1%????????} + 0x${2%????????} + (low >> 32)))
    printf %08x%08x $((high & 0xffffffff)) $((low & 0xffffffff))
}

# Shards: each place in one of them, and together the whole.
sum=0000000000000000
for shard in 1 2 3; do
    "$tool" sweep diary --exhaust disk --shard $shard/3 >out 2>err
    code=$?
    sum=$(add "$sum" "$(digest)")
    if [ $shard = 3 ]; then [ $code -eq 1 ]; else [ $code -eq 0 ]; fi || fail "shard $shard ended with $code"
done
checks=$((checks + 1))
[ "$sum" = "$whole" ] || fail "the digests of shards do not add up to that of the whole"

# Every fifth place, from another one on in each seed: five seeds meet all.
check 1 sweep diary --exhaust disk --every 5 --seeds 1..5
says "every 5th of 175 places of 5 seeds"
says "runs       40 run, 39 passed, 1 with findings"
says "smallest 3 at 18"

# The replay is that run; a place that is not there changes nothing.
check 1 replay diary 1 --exhaust disk --at 18
says "found == entry does not hold"
check 0 replay diary 1 --exhaust disk --at 17
check 0 replay diary 1 --exhaust disk --at 36
beyond=$(digest)
check 0 replay diary 1
[ "$(digest)" = "$beyond" ] || fail "a place beyond the last changes the run"
check 0 replay diary 1 --exhaust disk --at 35
[ "$(digest)" = "$beyond" ] && fail "the last place changes nothing"
check 0 trace diary 1 --exhaust disk --at 18
says "fault write-error"
check 1 replay diary 1 --exhaust disk --at 18 --twice
says "run twice: both have digest"

# A kept seed holds the place; so do the files of --out, the JSON and a shrunk tape.
check 1 sweep diary --exhaust disk --out kept --json kept.json
kept=$(echo kept/assertion-*.seed)
grep -qx "exhaust = disk 18" "$kept" || fail "$kept does not hold the place"
grep -q '"exhaust":"disk","every":"1","places":"35"' kept.json || fail "the JSON does not say what was exhausted"
grep -q '"place_number":"18"' kept.json || fail "the JSON does not say which place failed"
check 0 replay "$kept"
says "as expected"
check 1 replay diary 1 --exhaust disk --at 18 --keep tape.seed
grep -qx "exhaust = disk 18" tape.seed || fail "a tape does not hold the place"
check 0 replay tape.seed
printf 'scenario = diary\nseed = 1\nexhaust = disk\n' >bad.seed
check 128 replay bad.seed
grep -qF "bad.seed:3: exhaust: expected a kind and the number of a place, as disk 17" err || fail "a bad place is not named"
printf 'scenario = diary\nseed = 1\nexhaust = disc 4\n' >bad.seed
check 128 replay bad.seed
grep -qF "'disc' is nothing that can be exhausted" err || fail "a bad kind is not named"

# Messages: six questions and six answers; without a deadline the fourth of each stands still for ever.
check 1 sweep questions --exhaust message
says "exhausted  message: 12 places of 1 seed"
says "(2 runs, smallest 1 at 7)"
says "finding stuck-job"

# Failpoints: nine passes; one of them is not survived.
check 1 sweep passes --exhaust failpoint
says "exhausted  failpoint: 9 places of 1 seed"
says "(1 run, smallest 1 at 5)"
says "failpoints 3 of 5 fired, 1 not enabled, 1 never"
check 1 sweep passes --exhaust failpoint --strict
says "never: never-passed (tests/exhaust_scenarios.c:"

# The first finding is enough; the second runs agree; nothing to fail is no success.
check 1 sweep questions --exhaust message --stop-after 1 --jobs 1
says "1 with findings"
check 1 sweep passes --exhaust failpoint --twice all
says "twice      10 of 10 seeds compared, 0 differ"
check 2 sweep calm --exhaust disk
says "exhausted  disk: 0 places"
says "verdict vacuous"

refused "--exhaust: 'disc' is nothing that can be exhausted; expected one of disk, message, failpoint" sweep --exhaust disc
refused "--exhaust: has no value" sweep --exhaust
refused "--every: '5' stands alone; expected --exhaust KIND beside it" sweep --every 5
refused "--every: '0' is out of range" sweep --exhaust disk --every 0
refused "'--at' is no option of sweep" sweep --exhaust disk --at 3
refused "--at: '3' is the place of nothing; expected --exhaust KIND beside it" replay diary 1 --at 3
refused "--exhaust: 'disk' has no place; expected --at PLACE beside it" replay diary 1 --exhaust disk
refused "--at: '0' is out of range" replay diary 1 --exhaust disk --at 0
refused "--at: 'x' is no number" replay diary 1 --exhaust disk --at x

# Failpoints by glob: what is enabled and never fires is named, and counts with --strict.
check 0 sweep passes --seeds 1..3 --failpoint 'a-light-*=1000000' --failpoint 'never-*=5'
says "failpoints 1 of 5 fired, 3 not enabled, 1 never"
check 2 sweep passes --seeds 1..3 --failpoint '*-passed=5' --strict --json off.json
says "never: never-passed (tests/exhaust_scenarios.c:"
grep -q '"name":"never-passed",.*"seeds":"0","enabled_seeds":"3"' off.json || fail "the JSON does not say what was enabled"
check 0 sweep passes --seeds 1..3 --failpoint 'never-*=5' --failpoint 'never-*=0'
check 1 sweep passes --seeds 1..1 --failpoint 'a-heavy-error=1000000' --out points
says "replay: seedbed replay passes 1 --failpoint 'a-heavy-error=1000000'"
grep -qx "failpoint = a-heavy-error=1000000" points/assertion-*.seed || fail "a kept seed does not hold the failpoint"
check 0 replay points/assertion-*.seed
refused "--failpoint: 'x*' matches no failpoint; expected one of" sweep passes --failpoint 'x*=5'
refused "--failpoint: 'a-*' has no rate; expected GLOB=RATE" sweep passes --failpoint 'a-*'
refused "--failpoint a-*: '1000001' is out of range; expected 0 to 1000000" sweep passes --failpoint 'a-*=1000001'

# Settings that contradict each other.
check 1 sweep passes --set least=2 --exhaust failpoint
refused "scenario passes: least is over most; expected at most as much" sweep passes --set least=3
printf 'scenario = passes\nseed = 1\nset = most=0\n' >bad.seed
check 128 replay bad.seed
grep -qF "bad.seed: scenario passes: least is over most" err || fail "settings of a kept seed are not checked"

close
