#!/usr/bin/env bash
# Fuzzes what reads payloads: fuzz.sh [SECONDS [OPTION of build.py ...]], for each of four targets,
# such as fuzz.sh 60 --variants plain. Needs clang and libFuzzer.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-600}
shift || true
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 build.py --output "$work" --compiler clang --sanitize address,undefined,fuzzer-no-link "$@"
for target in MASKED CONTEXT PIXELS ADAPTIVE; do
    clang -std=c11 -O1 -g -Wall -Wextra -Wno-unused-function -fsanitize=address,undefined,fuzzer -fno-sanitize-recover=all \
        -DFUZZ_$target -Iinclude tests/fuzz.c "$work/_compressnet.so" -Wl,-rpath,"$work" -o "$work/$target"
    # Seeds: each model with payloads of zeros, of ones and of pseudo-random bytes.
    mkdir "$work/corpus"
    python3 - "$work/corpus" <<'SEEDS'
import pathlib, random, sys
for model in range(256):
    source = random.Random(model)
    for name, payload in (("zeros", bytes(40)), ("ones", b"\xff" * 40), ("random", source.randbytes(200))):
        path = pathlib.Path(sys.argv[1], f"{name}-{model}")
        path.write_bytes(bytes([model]) + source.randbytes(3) + payload)
SEEDS
    echo "== $target"
    "$work/$target" -max_total_time="$seconds" -max_len=4096 -print_final_stats=1 -verbosity=0 \
        -artifact_prefix="$PWD/crash-$target-" "$work/corpus"
    rm -rf "$work/corpus"
done
