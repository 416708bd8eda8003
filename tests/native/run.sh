#!/bin/sh
# Builds each tests/native/test_*.cpp with the kernels (no Python) under sanitizers and runs it on every instruction
# set that the processor has. Any report of a sanitizer, and any failed check, fails the script.
#   tests/native/run.sh [address,undefined] [thread]      default: both
#   CXX and JOBS choose the compiler and the number of processes
set -eu
cd "$(dirname "$0")/../.."
compiler=${CXX:-g++}
flags="-std=gnu++20 -O1 -g1 -Icpp -fno-omit-frame-pointer -fno-math-errno -pthread -Wall -Wextra"
avx2="-mavx2 -mfma -mf16c -mbmi2 -mpopcnt"
avx512="$avx2 -mavx512f -mavx512bw -mavx512dq -mavx512vl -mprefer-vector-width=512"

if [ "${1:-}" = --compile ]; then # one source, called by xargs below
    extra=
    case $(uname -m)$2 in
        x86_64*_avx2.cpp | amd64*_avx2.cpp) extra=$avx2 ;;
        x86_64*_avx512.cpp | amd64*_avx512.cpp) extra=$avx512 ;;
    esac
    # shellcheck disable=SC2086
    exec $compiler $flags $extra -fsanitize="$3" -fno-sanitize-recover=all -c "$2" -o "$4/$(basename "$2" .cpp).o"
fi

test_with() { # sanitizer
    sets="baseline avx2 avx512"
    [ "$1" != thread ] || sets=avx512 # races do not hang on the instruction set
    folder=build/native/$(echo "$1" | tr ',' '-')
    rm -rf "$folder"
    mkdir -p "$folder"
    find cpp tests/native -name '*.cpp' ! -name 'bindings*' |
        xargs -P "${JOBS:-2}" -I SOURCE sh tests/native/run.sh --compile SOURCE "$1" "$folder"
    for driver in tests/native/test_*.cpp; do
        name=$(basename "$driver" .cpp)
        kernels=$(find "$folder" -name '*.o' ! -name 'test_*.o')
        # shellcheck disable=SC2086
        $compiler -fsanitize="$1" -pthread "$folder/$name.o" $kernels -o "$folder/$name"
        for isa in $sets; do
            echo "$1, $isa: $name"
            RAMIFY_ISA=$isa UBSAN_OPTIONS=print_stacktrace=1 TSAN_OPTIONS=halt_on_error=1 "$folder/$name"
        done
    done
}

[ $# -gt 0 ] || set -- address,undefined thread
for sanitizer in "$@"; do
    test_with "$sanitizer"
done
