#!/bin/sh
# The determinism matrix: the same seeds give equal digests
#
#   from gcc and clang, unoptimised and at -O3, under the address and the memory sanitizer, and on aarch64;
#   with the world at another address, over another fill, with blocks in another order;
#   in another locale, time zone, directory, environment, stack limit, without address randomisation;
#
# of the kernel's own busy cluster (tests/digests.c) and of the engine's scenarios; and two seeds never give the same. The runs
# of seeds/digests.list, findings among them, are compared one by one: steps, time, kind and digest from every build, and the
# place and the signature of a finding from every build that can read its own debug information.
#
#   tests/matrix.sh [KERNEL_SEEDS [ENGINE_SEEDS]]     defaults: 200 and 12
#   BUILDS="release-gcc aarch64-qemu" tests/matrix.sh     only these; the first is what the others are compared with
#
# A build whose tools are not here is skipped, and said to be; where CI=true that is a failure.
set -u
cd "$(dirname "$0")/.." || exit 1
HERE=$(pwd)

KERNEL_SEEDS=${1:-200}
ENGINE_SEEDS=${2:-12}
SCENARIOS="rolling-restart chaos"
WORK=build/matrix
checks=0
failures=0
rm -rf $WORK # what an earlier run left is no evidence
mkdir -p $WORK

same() { # WHAT EXPECTED ACTUAL
    checks=$((checks + 1))
    if [ ! -s "$3" ]; then
        failures=$((failures + 1))
        echo "FAILED  $1: no digest at all"
    elif cmp -s "$2" "$3"; then
        echo "ok      $1"
    else
        failures=$((failures + 1))
        echo "FAILED  $1: the first difference (expected, seen):"
        diff "$2" "$3" | sed -n '2,8s/^/    /p'
    fi
}

# ------------------------------------------------------------------------------------- the builds

# VARIANT-COMPILER; the first is what the others are compared with. Neither sanitizer runs with the other. aarch64 has its own
# compiler, and is run by qemu: ten times slower, so it gets fewer of the kernel's seeds, and the list alone.
BUILDS=${BUILDS:-release-gcc debug-gcc release-clang debug-clang asan-gcc asan-clang msan-clang aarch64-qemu}

folder_of() {
    case "$1" in
    msan-clang | aarch64-qemu) echo "build/${1%-*}" ;;
    *-gcc) echo "build/${1%-gcc}" ;;
    *) echo "build/$1" ;;
    esac
}

compiler_of() {
    case "$1" in
    aarch64-qemu) echo aarch64-linux-gnu-gcc ;;
    *) echo "${1##*-}" ;;
    esac
}

# What a build needs and this machine has not; nothing: it can be built and run.
missing_for() {
    for tool in $(compiler_of "$1") $(runner_of "$1"); do
        command -v "$tool" >/dev/null 2>&1 || echo "$tool"
    done
}

# What runs a program of that build: nothing, on this processor.
runner_of() {
    case "$1" in
    aarch64-qemu) echo qemu-aarch64 ;;
    esac
}

build() {
    folder=$(folder_of "$1")
    make --no-print-directory -s -j"$(nproc)" VARIANT="${1%-*}" CC="$(compiler_of "$1")" OUT="$folder" \
        "$folder/seedbed" "$folder/tests/digests" </dev/null
}

kernel_digests() { # FOLDER [base fill permute]
    folder=$1
    shift
    "$HERE/$folder/tests/digests" 1 "$KERNEL_SEEDS" "$@"
}

# A line for each line of the list: its words, then steps, time, kind and digest. Beside them, in places.BUILD, the function and
# the signature of each finding; its line is not the same at -O0 and at -O3.
list_digests() { # BUILD
    : >"$WORK/places.$1"
    grep -v '^#' seeds/digests.list | while read -r words; do
        # shellcheck disable=SC2046,SC2086
        $(runner_of "$1") "$HERE/$(folder_of "$1")/seedbed" replay $words >"$WORK/replay" 2>/dev/null
        tail -n 1 "$WORK/replay" | sed -n "s|.*  steps \([0-9]*\)  time \([0-9.]*s\)  verdict \([a-z-]*\).*  digest |$words  \1 \2 \3 |p"
        echo "$words  $(sed -n 's/^finding //p' "$WORK/replay" | sed 's/:[0-9]* / /') $(tail -n 1 "$WORK/replay" | sed -n 's/.*  verdict \([a-z-]* [0-9a-f]\{8\}\).*/\1/p')" \
            >>"$WORK/places.$1"
    done
}

# Which builds can name functions: those with libdw.
names_functions() {
    case "$1" in
    msan-* | aarch64-*) return 1 ;;
    esac
}

# Of a sweep's output what names no build and no place: its digest.
engine_digest() { # FOLDER SCENARIO [OPTION...]
    folder=$1
    scenario=$2
    shift 2
    "$HERE/$folder/seedbed" sweep "$scenario" --seeds 1.."$ENGINE_SEEDS" "$@" 2>&1 |
        grep -o 'digest [0-9a-f]\{16\}' | tail -n 1
}

export ASAN_OPTIONS=detect_leaks=0
first=${BUILDS%% *}
for one in $BUILDS; do
    folder=$(folder_of "$one")
    missing=$(missing_for "$one")
    if [ -n "$missing" ]; then
        # shellcheck disable=SC2086
        echo "SKIPPED $one: this machine has no" $missing "(tests/install_missing.sh all installs it)"
        [ "${CI:-}" != true ] || failures=$((failures + 1))
        continue
    fi
    if ! build "$one"; then
        failures=$((failures + 1))
        echo "FAILED  $one does not build"
        continue
    fi
    list_digests "$one" >"$WORK/list.$one"
    same "list $one" "$WORK/list.$first" "$WORK/list.$one"
    if [ "$one" = "$first" ] && ! grep -qv ' passed ' "$WORK/list.$one"; then
        failures=$((failures + 1))
        echo "FAILED  no run of seeds/digests.list finds anything: findings are not compared"
    fi
    if names_functions "$one"; then
        same "places $one" "$WORK/places.$first" "$WORK/places.$one"
    fi
    if [ -n "$(runner_of "$one")" ]; then
        $(runner_of "$one") "$folder/tests/digests" 1 20 >"$WORK/kernel.$one"
        head -n 20 "$WORK/kernel.$first" >"$WORK/kernel.now"
        same "kernel $one" "$WORK/kernel.now" "$WORK/kernel.$one"
        continue
    fi
    kernel_digests "$folder" >"$WORK/kernel.$one"
    same "kernel $one" "$WORK/kernel.$first" "$WORK/kernel.$one"
    for scenario in $SCENARIOS; do
        engine_digest "$folder" "$scenario" >"$WORK/$scenario.$one"
        same "$scenario $one" "$WORK/$scenario.$first" "$WORK/$scenario.$one"
    done
done

# ---------------------------------------------------------------------------------- the circumstances

with() { # WHAT COMMAND...: both digests of the release build under that command
    what=$1
    shift
    "$@" "$HERE/build/release/tests/digests" 1 "$KERNEL_SEEDS" >$WORK/kernel.now
    same "kernel $what" $WORK/kernel.release-gcc $WORK/kernel.now
    "$@" "$HERE/build/release/seedbed" sweep rolling-restart --seeds 1.."$ENGINE_SEEDS" 2>&1 |
        grep -o 'digest [0-9a-f]\{16\}' | tail -n 1 >$WORK/engine.now
    same "rolling-restart $what" $WORK/rolling-restart.release-gcc $WORK/engine.now
}

elsewhere() {
    (cd / && "$@")
}

small_stack() {
    # shellcheck disable=SC3045
    (ulimit -s 1024 && "$@")
}

kernel_digests build/release 540000000000 5a permute >$WORK/kernel.now
same "kernel at another base, over another fill, in another order" $WORK/kernel.release-gcc $WORK/kernel.now
kernel_digests build/release 5b0000000000 ff >$WORK/kernel.now
same "kernel at a third base" $WORK/kernel.release-gcc $WORK/kernel.now
for scenario in $SCENARIOS; do
    checks=$((checks + 1))
    code=0
    build/release/seedbed sweep "$scenario" --seeds 1.."$ENGINE_SEEDS" --twice all >$WORK/twice 2>&1 || code=$?
    case $code in
    0) echo "ok      $scenario twice, in another process at another base" ;;
    1 | 2) echo "ok      $scenario twice (with findings or missing work of its own)" ;;
    *) # it differs, or never ran to the end
        failures=$((failures + 1))
        echo "FAILED  $scenario twice, with code $code:"
        sed 's/^/    /' $WORK/twice
        ;;
    esac
done
with "in another locale and time zone" env LC_ALL=tr_TR.UTF-8 LANG=tr_TR.UTF-8 TZ=Asia/Kathmandu
with "with an empty environment" env -i
with "with a large environment" env FILLING="$(head -c 60000 /dev/zero | tr '\0' x)" MALLOC_PERTURB_=85
with "in another directory" elsewhere
with "with a small stack" small_stack
if command -v setarch >/dev/null 2>&1 && setarch -R true 2>/dev/null; then
    with "without address randomisation" setarch -R
fi
if command -v taskset >/dev/null 2>&1; then
    with "on one processor" taskset -c 0
fi

# ----------------------------------------------------------------------------------------- the seeds

checks=$((checks + 1))
twins=$(awk '{ print $4 }' "$WORK/kernel.$first" | sort | uniq -d | wc -l)
seen=$(wc -l <"$WORK/kernel.$first")
if [ "$seen" != "$KERNEL_SEEDS" ]; then
    failures=$((failures + 1))
    echo "FAILED  $KERNEL_SEEDS seeds give $seen digests"
elif [ "$twins" = 0 ]; then
    echo "ok      $KERNEL_SEEDS seeds give as many digests"
else
    failures=$((failures + 1))
    echo "FAILED  $twins digests come from more than one seed"
fi

echo "matrix: $checks checks, $failures failures"
[ $failures = 0 ]
