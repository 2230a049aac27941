#!/bin/sh
# Install what is missing to build and run (run), to test as well (check), or for the matrix and the lint (all), on Debian.
# Nothing happens, and no privilege is needed, when nothing is missing.
set -eu

need_run="gcc make libc6-dev libxxhash-dev libdw-dev libelf-dev graphviz"
need_check="$need_run check pkg-config procps"
need_all="$need_check clang libclang-rt-dev clang-format gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user"

case "${1:-}" in
run) need=$need_run ;;
check) need=$need_check ;;
all) need=$need_all ;;
*)
    echo "usage: $0 run|check|all" >&2
    exit 129
    ;;
esac

# Elsewhere than on Debian and its kin the compiler will say what it misses.
if ! command -v dpkg-query >/dev/null 2>&1; then
    exit 0
fi

# A name stands for itself or for whatever provides it (pkg-config is pkgconf's on later systems).
is_installed() {
    dpkg-query -W -f '${Status}\n' "$1" 2>/dev/null | grep -q '^install ok installed' && return 0
    case "$1" in
    gcc | clang | make | clang-format | pkg-config) command -v "$1" >/dev/null 2>&1 ;;
    graphviz) command -v neato >/dev/null 2>&1 ;;
    gcc-aarch64-linux-gnu) command -v aarch64-linux-gnu-gcc >/dev/null 2>&1 ;;
    qemu-user) command -v qemu-aarch64 >/dev/null 2>&1 ;;
    procps) command -v ps >/dev/null 2>&1 ;;
    libclang-rt-dev) ls /usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.msan-* >/dev/null 2>&1 ;;
    *) return 1 ;;
    esac
}

missing=
for package in $need; do
    if ! is_installed "$package"; then
        missing="$missing $package"
    fi
done
if [ -z "$missing" ]; then
    exit 0
fi

as_root=
if [ "$(id -u)" != 0 ]; then
    if ! command -v sudo >/dev/null 2>&1; then
        echo "seedbed: missing:$missing; install them as root: apt-get install$missing" >&2
        exit 1
    fi
    as_root=sudo
fi
echo "seedbed: installing$missing"
$as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq </dev/null
# shellcheck disable=SC2086
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing \
    </dev/null >/dev/null
