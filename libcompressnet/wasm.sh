#!/usr/bin/env bash
# Compiles the core for WebAssembly: wasm.sh OUTPUT.wasm [MORE.c ...]. Needs clang and wasm-ld.
#
# The module exports what compressnet.h declares, its memory, and __heap_base, from where on this
# memory is its caller's. It imports nothing, and needs simd128 and bulk-memory.
set -euo pipefail
cd=$(cd "$(dirname "$0")" && pwd)
output=$1
shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

flags=(--target=wasm32 -std=c11 -O3 -msimd128 -mbulk-memory -nostdlib -fvisibility=hidden -Wall -Wextra -Werror
    -isystem "$cd/wasm" -I"$cd/include")
clang "${flags[@]}" -DCN_VARIANT_SIMD128 -c "$cd/src/core.c" -o "$work/core.o"
clang "${flags[@]}" -DCN_HAS_SIMD128 -c "$cd/src/dispatch.c" -o "$work/dispatch.o"
clang "${flags[@]}" -fno-builtin -c "$cd/wasm/string.c" -o "$work/string.o"
for more in "$@"; do
    clang "${flags[@]}" -c "$more" -o "$work/more-$(basename "$more").o"
done
wasm-ld --no-entry --export-dynamic --export=__heap_base --strip-debug --stack-first -z stack-size=1048576 \
    "$work"/*.o -o "$output"
