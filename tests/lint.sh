#!/bin/sh
# The layers, proved. Five checks, each over everything; exits 0 when all hold.
#
#   includes   every #include against the arrows of docs/ARCHITECTURE.md
#   symbols    what each room asks of the C library, against its list: no clock, no environment, no file below the tool
#   statics    no writable static, but for a short list in sim/: state between seeds is then impossible
#   floats     no float or double, in words or in machine code: results differ between processors
#   draws      no two draws in one expression: C leaves their order open, and compilers differ
#   format     clang-format 14
#
#   tests/lint.sh                          all of it (builds the debug variant first)
#   tests/lint.sh --object ROOM FILE.o     symbols, statics and floats of one object, as if it stood in that room
#   tests/lint.sh --source ROOM FILE.c     includes and draws of one source file, likewise
set -u
export LC_ALL=C
cd "$(dirname "$0")/.." || exit 1

OUT=build/debug
problems=0

problem() {
    echo "lint: $*"
    problems=$((problems + 1))
}

# The room of a file: its folder, but for the doors, the files above the layers, and nodes/main.c.
room_of() {
    case "$1" in
    sim/node.h | sim/world.h | sim/tool.h | nodes/main.c) echo "$1" ;;
    *) dirname "$1" ;;
    esac
}

# --------------------------------------------------------------------------------------- includes

# Patterns of what a room may include besides itself.
arrows_of() {
    case "$1" in
    sim/node.h) echo "sim/status.def" ;;
    sim/world.h) echo "sim/node.h sim/record/record.h sim/*/*.def" ;;
    sim/tool.h) echo "sim/world.h" ;;
    sim/record) echo "sim/status.def sim/fault/faults.def sim/verdict/kinds.def" ;;
    sim/chance) echo "sim/kernel/kernel.h" ;;
    sim/kernel) echo "sim/chance/* sim/record/* sim/world.h sanitizer/*" ;;
    sim/machine) echo "sim/kernel/* sim/world.h sim/status.def" ;;
    sim/sync) echo "sim/kernel/*" ;;
    sim/fault) echo "sim/machine/* sim/kernel/*" ;;
    sim/verdict) echo "sim/kernel/* sim/record/* sim/world.h sim/fault/*.def elfutils/*" ;;
    sim/tool) echo "sim/verdict/* sim/record/* sim/world.h sim/tool.h sim/fault/*.def traces/*" ;;
    traces) echo "sim/record/*" ;;
    engine | engine/base) echo "sim/node.h" ;;
    engine/sort) echo "engine/base/* sim/node.h" ;;
    engine/wire) echo "engine/base/* sim/node.h" ;;
    engine/placement | engine/storage | engine/transaction)
        echo "engine/base/* engine/wire/* engine/*.h engine/*.def sim/node.h"
        ;;
    engine/schema) echo "engine/base/* engine/wire/* engine/transaction/* engine/*.h sim/node.h" ;;
    engine/backfill)
        echo "engine/base/* engine/wire/* engine/transaction/* engine/schema/* engine/sort/* engine/storage/* engine/*.h sim/node.h"
        ;;
    engine/task)
        echo "engine/base/* engine/wire/* engine/transaction/* engine/schema/* engine/backfill/* engine/*.h sim/node.h"
        ;;
    engine/ddl)
        echo "engine/base/* engine/wire/* engine/transaction/* engine/schema/* engine/backfill/* engine/task/*
            engine/*.h sim/node.h"
        ;;
    nodes) echo "engine/* sim/node.h" ;;
    nodes/main.c) echo "sim/tool.h nodes/* engine/*.def engine/*.h" ;;
    nodes/oracles) echo "nodes/*.h nodes/*.def engine/* sim/node.h sim/world.h" ;;
    nodes/scenarios) echo "nodes/* engine/* sim/world.h sim/tool.h" ;;
    *) echo "" ;;
    esac
}

# Headers of the system, by room: what can be asked for at all.
PLAIN="stdarg.h stdbool.h stddef.h stdint.h string.h stdio.h xxhash.h"
system_of() {
    case "$1" in
    engine | engine/* | nodes | nodes/*) echo "$PLAIN" ;;
    sim/*.h) echo "stdbool.h stddef.h stdint.h" ;;
    sim/chance | sim/machine | sim/sync | sim/fault) echo "$PLAIN stdlib.h" ;;
    sim/kernel) echo "$PLAIN stdlib.h errno.h signal.h pthread.h ucontext.h sys/mman.h" ;;
    *) echo "ANY" ;;
    esac
}

# engine/*.h are the headers of that folder, and of none below it; engine/* is all there is.
is_as_deep() { # NAME PATTERN
    case "$2" in
    */\*.*) ;;
    *) return 0 ;;
    esac
    # shellcheck disable=SC2254
    case "${1%/*}" in
    ${2%/*}) return 0 ;;
    esac
    return 1
}

is_among() { # NAME PATTERN...
    name=$1
    shift
    for pattern in "$@"; do
        # shellcheck disable=SC2254
        case "$name" in
        $pattern) is_as_deep "$name" "$pattern" && return 0 ;;
        esac
    done
    return 1
}

check_includes() { # ROOM FILE
    set -f
    # shellcheck disable=SC2046
    for included in $(sed -n 's/^ *# *include *"\([^"]*\)".*/\1/p' "$2"); do
        case "$included" in
        "$1"/*) [ "$(dirname "$included")" = "$1" ] && continue ;;
        esac
        is_among "$included" $(arrows_of "$1") || problem "$2 includes $included, which $1 may not"
    done
    allowed=$(system_of "$1")
    # shellcheck disable=SC2046,SC2086
    for included in $(sed -n 's/^ *# *include *<\([^>]*\)>.*/\1/p' "$2"); do
        [ "$allowed" = ANY ] || is_among "$included" $allowed $(arrows_of "$1") ||
            problem "$2 includes <$included>, which $1 may not"
    done
    set +f
}

# ---------------------------------------------------------------------------------------- symbols

STRINGS="memcpy memcmp memmove memset memchr strlen strcmp strncmp strchr strrchr strstr snprintf vsnprintf"
LINKER="_GLOBAL_OFFSET_TABLE_ __start_sb_* __stop_sb_* __udivti3 __umodti3 __popcountdi2 __stack_chk_fail"
MEMORY="malloc calloc realloc reallocarray free abort"
STREAMS="stdout stderr fopen fdopen fclose fflush ferror fileno fprintf fputc fputs putchar puts printf fread fwrite
    fseek getline rewind tmpfile rename unlink __errno_location strerror __assert_fail qsort strtoull strspn strcspn"

libc_of() {
    case "$1" in
    engine | engine/* | nodes | nodes/*) echo "$STRINGS $LINKER" ;;
    sim/chance | sim/machine | sim/sync | sim/fault) echo "$STRINGS $LINKER $MEMORY atoi fprintf stderr" ;;
    sim/kernel)
        echo "$STRINGS $LINKER $MEMORY mmap munmap mprotect strerror __errno_location fprintf stderr raise
            sigaction sigaltstack sigemptyset signal pthread_attr_* pthread_getattr_np pthread_self"
        ;;
    sim/record) echo "$STRINGS $LINKER $MEMORY $STREAMS _Exit" ;;
    sim/verdict) echo "$STRINGS $LINKER $MEMORY $STREAMS dwarf_* dwfl_* dladdr dl_iterate_phdr getpid sysconf _Exit" ;;
    traces) echo "$STRINGS $LINKER $MEMORY $STREAMS posix_spawn* waitpid environ _exit _Exit write" ;;
    *) echo "ANY" ;;
    esac
}

# The tool alone may look at the clock, the environment and other processes.
check_symbols() { # ROOM OBJECT
    allowed=$(libc_of "$1")
    [ "$allowed" = ANY ] && return
    set -f
    for symbol in $(nm -u "$2" | awk '{ print $NF }'); do
        grep -qxF "$symbol" "$OUT/lint-ours" && continue
        # shellcheck disable=SC2086
        is_among "$symbol" $allowed || problem "$2 calls $symbol, which $1 may not"
    done
    set +f
}

# Programs ask for nothing of sim/ but what door 1 offers.
check_door() { # ROOM OBJECT
    case "$1" in
    engine | engine/* | nodes) ;;
    *) return ;;
    esac
    for symbol in $(nm -u "$2" | awk '$NF ~ /^sb_/ { print $NF }'); do
        grep -qw "$symbol" sim/node.h || problem "$2 calls $symbol, which is not of sim/node.h"
    done
}

# ---------------------------------------------------------------------------------------- statics

# What may be written between seeds: the handlers of this process, the world that runs, lists made from what the linker has
# put together, the cache of symbols, and the count of interrupts.
statics_of() {
    case "$1" in
    sim/kernel) echo "installed signal_stack before sb_current" ;;
    sim/machine) echo "list" ;;
    sim/verdict) echo "modules tried present cache count" ;;
    sim/tool) echo "interrupts" ;;
    *) echo "" ;;
    esac
}

# Constants with addresses in them lie in .data.rel.ro, and the tables of places in sections of their own.
check_statics() { # ROOM OBJECT
    objdump -t "$2" | awk 'NF > 4 && $(NF-2) ~ /^(\.data|\.bss|\.tdata|\.tbss|\*COM\*)/ && $(NF-2) !~ /^\.data\.rel\.ro/ &&
        $NF !~ /^\./ { print $NF }' | while read -r symbol; do
        # shellcheck disable=SC2046
        is_among "${symbol%%.*}" $(statics_of "$1") || echo "$symbol"
    done >"$OUT/lint-found"
    while read -r symbol; do
        problem "$2 has the writable static $symbol"
    done <"$OUT/lint-found"
}

# ----------------------------------------------------------------------------------------- floats

check_float_code() { # ROOM OBJECT
    objdump -d --no-show-raw-insn "$2" | awk -v object="$2" '
        /^[0-9a-f]+ <.*>:$/ { name = $2 }
        $2 ~ /^v?(cvt[a-z0-9]*s[sd]2|cvt[a-z0-9]*2s[sd]|(add|sub|mul|div|sqrt|min|max|u?comi)s[sd]|f(ld|st|add|mul|div))/ {
            print name; exit }' >"$OUT/lint-found"
    while read -r name; do
        problem "$2 computes with floating point in $name"
    done <"$OUT/lint-found"
}

check_float_words() { # FILE
    if grep -qwE 'float|double' "$OUT/lint-bare"; then
        problem "$1 uses floating point"
    fi
}

# ------------------------------------------------------------------------------------------ draws

# Between && || ? : and declared variables the order is settled; elsewhere two draws of one statement come in either order.
check_draws() { # FILE
    grep -v '^ *#' "$OUT/lint-bare" | tr '\n' ' ' | tr ';{}' '\n\n\n' | awk '
        { rest = $0; gsub(/&&|\|\||[?]| : |,[ *]*[a-z_]+ *=/, "\n", rest); count = split(rest, parts, "\n")
          for (i = 1; i <= count; i++) {
              if (gsub(/(sb_(random|choose(_[a-z]+)?|chance|monotonic_time|wall_time)|(draw|pick)(_[a-z_]+)?) *\(/, "&", parts[i]) > 1) {
                  print substr($0, 1, 90) } } }' >"$OUT/lint-found"
    while read -r line; do
        problem "$1 draws twice in one expression: $line"
    done <"$OUT/lint-found"
}

# ----------------------------------------------------------------------------------------- format

check_format() {
    formatter=
    for one in clang-format-14 clang-format; do
        case "$($one --version 2>/dev/null)" in
        *"version 14."*) formatter=${formatter:-$one} ;;
        esac
    done
    if [ -z "$formatter" ]; then
        echo "lint: format not checked: clang-format 14 is not here"
        [ "${CI:-}" != true ] || problem "clang-format 14 is not here, and this is where formats must be checked"
        return
    fi
    for file in "$@"; do
        if ! $formatter "$file" | cmp -s - "$file"; then
            problem "$file is not formatted (clang-format -i $file)"
        fi
    done
}

# -------------------------------------------------------------------------------------------- all

list_own_symbols() {
    find $OUT/sim $OUT/traces $OUT/engine $OUT/nodes -name '*.o' -exec nm --defined-only {} + |
        awk 'NF == 3 { print $3 }' | sort -u >$OUT/lint-ours
}

check_source() { # ROOM FILE
    check_includes "$1" "$2"
    gcc -fpreprocessed -dD -E -P "$2" 2>/dev/null | sed 's/"[^"]*"//g' >"$OUT/lint-bare"
    check_float_words "$2"
    check_draws "$2"
}

# Unoptimised objects keep functions of included headers that nobody calls; of sim/ the optimised ones are no machine code yet.
calls_of() {
    case "$1" in
    nodes/main.c) echo "$OUT/nodes/main.o" ;;
    engine/* | nodes/*) echo "build/release/${1%.c}.o" ;;
    *) echo "$OUT/${1%.c}.o" ;;
    esac
}

check_object() { # ROOM OBJECT CALLS
    check_symbols "$1" "$3"
    check_door "$1" "$3"
    check_statics "$1" "$2"
    check_float_code "$1" "$2"
}

mkdir -p $OUT
case "${1:-}" in
--object)
    touch $OUT/lint-ours
    check_object "$2" "$3" "$3"
    ;;
--source) check_source "$2" "$3" ;;
*)
    make --no-print-directory -s VARIANT=debug CC=gcc $OUT/seedbed || exit 1
    make --no-print-directory -s VARIANT=release CC=gcc build/release/libengine.a build/release/libnodes.a || exit 1
    list_own_symbols
    for file in $(find sim traces engine nodes -name '*.[ch]' | sort); do
        check_source "$(room_of "$file")" "$file"
    done
    for source in $(find sim traces engine nodes -name '*.c' | sort); do
        room=$(room_of "$source")
        check_object "$room" "$OUT/${source%.c}.o" "$(calls_of "$source")"
    done
    # shellcheck disable=SC2046
    check_format $(find sim traces engine nodes tests -name '*.[ch]' | sort)
    ;;
esac
if [ $problems = 0 ]; then
    echo "lint: all layers hold"
    exit 0
fi
echo "lint: $problems problems"
exit 1
