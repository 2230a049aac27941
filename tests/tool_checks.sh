# What the tests of the tool share: sourced by them, with `default` as the program to try unless $1 says another.
set -u
here=$(cd "$(dirname "$0")/.." && pwd) || exit 1
tool=${1:-$here/build/${VARIANT:-release}/tests/$default}
case $tool in /*) ;; *) tool=$PWD/$tool ;; esac
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
checks=0
failures=0

fail() {
    failures=$((failures + 1))
    echo "FAILED: $1"
    [ -s out ] && sed 's/^/    out: /' out | tail -n 12
    [ -s err ] && sed 's/^/    err: /' err | tail -n 12
}

# check CODE WORDS...: run the tool, expect this exit code.
check() {
    expected=$1
    shift
    checks=$((checks + 1))
    "$tool" "$@" >out 2>err
    code=$?
    if [ "$code" -ne "$expected" ]; then
        fail "'$*' ended with $code; expected $expected"
        return 1
    fi
}

# The last line, in Check's words.
close() {
    echo "$((100 * (checks - failures) / checks))%: Checks: $checks, Failures: $failures, Errors: 0"
    [ $failures -eq 0 ]
}
