#!/bin/sh
# Faults that exist only on paper, planted into the simulator one at a time: a sweep must name each, and nothing else.
#
#   a rate divided to zero, a draw that cannot reach a kind      the kind is dead: armed, and never done
#   a fault that counts itself and alters nothing                dead: runs without it are the same
#   one stream for all disks, by its name, its seed, its owner   finding `streams`
#   a heal that forgets links, clogs, a pause, a full disk       finding `heal`
set -u
cd "$(dirname "$0")/.." || exit 1

OUT=build/dead
BASE=$OUT/base
SEEDS=1..700
share=1/10
checks=0
failures=0
errors=0
mkdir -p $OUT

# Without link-time optimisation, so that one object can take the place of another.
make --no-print-directory -s -j2 OUT=$BASE SIM_FLAGS= AR=ar OPTIMISE=-O1 LINK_FLAGS='-O1 -rdynamic' \
    $BASE/tests/plant_scenarios </dev/null >$OUT/build.log 2>&1 || {
    cat $OUT/build.log
    exit 1
}
case $(make -s -n -B OUT=$BASE $BASE/tests/plant_scenarios 2>/dev/null) in
*-ldw*) LIBRARIES="-ldw -lelf" ;;
*) LIBRARIES= ;;
esac

fail() {
    failures=$((failures + 1))
    echo "test_dead_faults.sh: $*"
}

# The tool with one source edited; the edit must change something.
plant() { # NAME SOURCE SED-EXPRESSION
    mkdir -p "$OUT/$1"
    sed -e "$3" "$2" >"$OUT/$1/planted.c"
    if cmp -s "$2" "$OUT/$1/planted.c"; then
        errors=$((errors + 1))
        echo "test_dead_faults.sh: $1: nothing to edit in $2"
        return 1
    fi
    original=$BASE/${2%.c}.o
    gcc -std=gnu11 -O1 -g -I. -w -c "$OUT/$1/planted.c" -o "$OUT/$1/planted.o" || {
        errors=$((errors + 1))
        return 1
    }
    # shellcheck disable=SC2046,SC2086
    gcc -O1 -rdynamic -o "$OUT/$1/tool" $BASE/tests/plant_scenarios.o "$OUT/$1/planted.o" \
        $(find $BASE/sim $BASE/traces -name '*.o' ! -path "$original" | sort) $LIBRARIES || {
        errors=$((errors + 1))
        return 1
    }
}

sweep() { # TOOL
    "$1" sweep trouble --seeds $SEEDS --effect "$share" --stop-after 100 >$OUT/report 2>/dev/null </dev/null
}

# The kinds that the table calls dead are just these.
expect_dead() { # NAME KINDS
    checks=$((checks + 1))
    sweep "$OUT/$1/tool"
    dead=$(awk '/dead: without effect/ { print $1 }' $OUT/report | tr '\n' ' ')
    [ "$dead" = "$2 " ] || {
        fail "$1: dead are '$dead', expected '$2':"
        sed -n '/^faults/,$p' $OUT/report
    }
}

expect_finding() { # NAME WORDS
    checks=$((checks + 1))
    sweep "$OUT/$1/tool"
    code=$?
    { [ $code = 1 ] && grep -q -e "$2" $OUT/report; } || {
        fail "$1: '$2' is missing, code $code:"
        sed -n '1,12p' $OUT/report
    }
}

# Nothing is planted: nothing is found, every kind bites, and the strict do not complain of faults.
checks=$((checks + 1))
mkdir -p $OUT/innocent
ln -sf ../base/tests/plant_scenarios $OUT/innocent/tool
sweep $OUT/innocent/tool || fail "the innocent cluster ends with $?"
if grep -q -e 'not judged' -e 'dead:' $OUT/report || ! grep -q 'bites' $OUT/report; then
    fail "a kind of the innocent cluster does not bite"
    sed -n '/^faults/,$p' $OUT/report
fi

# A mask takes a kind away whole: it is armed and not done; and only what stores and scenarios do has none.
must_be_masked() { # TOOL SCENARIO SEEDS KIND
    checks=$((checks + 1))
    $1 sweep "$2" --seeds "$3" --mask "$4" --effect 0 >$OUT/report 2>/dev/null </dev/null || fail "$2 --mask $4 ends with $?"
    awk -v kind="$4" '$1 == kind && $4 == 0 { good = 1 } END { exit !good }' $OUT/report || {
        fail "$2: $4 is done all the same"
        grep "^ *$4 " $OUT/report
    }
}
for kind in $(awk '/bites/ { print $1 }' $OUT/report); do
    must_be_masked $BASE/tests/plant_scenarios trouble 1..40 "$kind"
done

# That a kind is not done tells something only in seeds that do it without the mask: in more of them for one that is rare.
make --no-print-directory -s VARIANT=release build/release/seedbed </dev/null >$OUT/build.log 2>&1 || {
    cat $OUT/build.log
    exit 1
}
for seeds in 1..6 1..60 1..400; do
    build/release/seedbed sweep chaos --seeds $seeds --effect 0 >$OUT/unmasked.$seeds 2>/dev/null </dev/null
done
seeds_that_do() { # KIND
    for seeds in 1..6 1..60 1..400; do
        if awk -v kind="$1" '$1 == kind && $4 > 0 { done = 1 } END { exit !done }' $OUT/unmasked.$seeds; then
            echo $seeds
            return
        fi
    done
}
for kind in $(build/release/seedbed list faults | awk '$2 != "effect" { print $1 }' |
    grep -v -x -e region-split -e region-merge -e leader-move -e many-regions); do
    seeds=$(seeds_that_do "$kind")
    if [ -z "$seeds" ]; then
        checks=$((checks + 1))
        fail "chaos: $kind is never done, with no mask either"
        continue
    fi
    must_be_masked build/release/seedbed chaos "$seeds" "$kind"
done

plant rate sim/fault/swarm.c 's/\(trouble->loss += draw_rate(.*\));/\1) \/ 1000000;/; s/)) \/ 1000000/) \/ 1000000/' &&
    expect_dead rate loss
plant draw sim/fault/trouble_machines.c '/gentlest_first\[\]/,/;/s/SB_FAULT_PAUSE/SB_FAULT_STOP/' &&
    expect_dead draw pause
share=all # fifty samples of a kind, and more
plant liar sim/machine/disk_trouble.c \
    's/if (fail(world, disk, SB_FAULT_WRITE_ERROR, SB_IO_ERROR) != SB_OK)/if (fail(world, disk, SB_FAULT_WRITE_ERROR, SB_IO_ERROR) == SB_STATUS_COUNT)/' &&
    expect_dead liar write-error
share=1/10
plant name sim/chance/stream.c \
    's/"%s\/%s", node->name, stream_words\[stream\]/"%s\/%s", stream == SB_STREAM_DISK ? "all" : node->name, stream_words[stream]/' &&
    expect_finding name 'draw from one stream for their disk'
plant seed sim/chance/stream.c \
    's/XXH3_64bits_withSeed(name, (size_t)size, world->seed)/world->seed + (uint64_t)stream/' &&
    expect_finding seed 'draw from one stream for their'
plant owner sim/machine/disk_trouble.c 's/sb_choose_at(world, disk->node, SB_STREAM_DISK/sb_choose_at(world, world->nodes[1], SB_STREAM_DISK/' &&
    expect_finding owner 'draws from the stream server1/disk; expected its own'
plant links sim/machine/network_trouble.c 's/world->links\[i\].blocked = 0;//' &&
    expect_finding links 'partition lasts after the heal'
plant clogs sim/machine/network_trouble.c 's/while (world->nodes\[from\]->links\[to\].clogs != 0)/while (false)/' &&
    expect_finding clogs 'clog lasts after the heal'
plant pause sim/machine/process.c '/^void sb_node_heal/,/^}/s/sb_node_resume(world, (sb_node)i);//' &&
    expect_finding pause 'pause lasts after the heal'
plant disks sim/fault/heal.c 's/sb_disk_trouble_set(world, (sb_node)i, NULL);//' &&
    expect_finding disks 'a fault after the heal: disk-full'

passed=$((100 * (checks - failures - errors) / checks))
echo "$passed%: Checks: $checks, Failures: $failures, Errors: $errors"
[ $((failures + errors)) = 0 ]
