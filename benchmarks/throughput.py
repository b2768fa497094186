"""How fast images are coded: each backend, each variant of the compiled core, Pillow beside them.

    python benchmarks/throughput.py [--images N] [--runs R] [--threads 1 2] [--json]

The images are the first of MNIST's 10,000 test images. Every row is a process of its own, which
codes them lossy at the default quality and without loss, in memory, its codec loaded; the best of
some runs counts. `one` is `archive[i]` on an open archive of which nothing was read before, in
milliseconds. Pillow decodes the same images from PNG bytes in memory, on one thread. The last rows
are `compressnet compress` and `decompress` as whole processes, imports and files included.

On one thread it is the processor's time that counts, so that what else the machine does matters
little; else it is the time that passes.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import compressnet
from compressnet.images import open_collection
from compressnet.native.library import core_name, core_names

LOSSLESS = 100
LOSSLESS_IMAGES = 1000
"""Without loss the backends other than the core take long."""
ALONE_IMAGES = 20


Clock = Callable[[], float]


def clock_for(threads: int) -> Clock:
    """What tells seconds."""
    return time.process_time if threads == 1 else time.perf_counter


def best_of(work: Callable[[], object], runs: int, clock: Clock = time.perf_counter) -> float:
    """The least seconds of some runs, after one that does not count."""
    work()
    times: list[float] = []
    for _ in range(runs):
        start = clock()
        work()
        times.append(clock() - start)
    return min(times)


def alone_ms(path: Path, codec: compressnet.Codec, clock: Clock) -> float:
    """Median milliseconds of reading one image of an archive of which nothing was read."""
    times: list[float] = []
    for i in range(ALONE_IMAGES):
        with compressnet.open(path, codec=codec) as archive:
            place = i * len(archive) // ALONE_IMAGES
            start = clock()
            archive[place]
            times.append(clock() - start)
    return 1e3 * float(np.median(times[1:]))


def measure(images: np.ndarray, backend: Any, threads: int, runs: int) -> dict[str, float]:
    """Images a second of one backend in this process."""
    codec = compressnet.load(backend=backend, threads=threads)
    rates: dict[str, float] = {}
    clock = clock_for(threads)
    with tempfile.TemporaryDirectory() as folder:
        for name, quality, some in (
            ("lossy", codec.default_quality, images),
            ("lossless", LOSSLESS, images[:LOSSLESS_IMAGES]),
        ):
            path = Path(folder) / f"{name}.cnet"

            def encode(some: np.ndarray = some, path: Path = path, quality: int = quality) -> None:
                compressnet.compress(some, path, codec=codec, quality=quality)

            def decode(path: Path = path) -> None:
                with compressnet.open(path, codec=codec) as archive:
                    archive[:]

            rates[f"{name}_encode"] = len(some) / best_of(encode, runs, clock)
            rates[f"{name}_decode"] = len(some) / best_of(decode, runs, clock)
            rates[f"{name}_one_ms"] = alone_ms(path, codec, clock)
    return rates


def measured_apart(arguments: argparse.Namespace, backend: str, threads: int, cpu: str = "") -> dict[str, float]:
    """What `measure` gives in a process of its own, with a variant forced."""
    environment = dict(os.environ) | ({"COMPRESSNET_CPU": cpu} if cpu else {})
    command = [sys.executable, __file__, "--images", str(arguments.images), "--runs", str(arguments.runs)]
    command += ["--threads", str(threads), "--only", backend]
    return json.loads(subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout)


def pillow_rate(images: np.ndarray, runs: int) -> float:
    """Images a second of Pillow decoding PNG bytes in memory."""
    files: list[bytes] = []
    for image in images:
        stream = io.BytesIO()
        Image.fromarray(image).save(stream, format="png")
        files.append(stream.getvalue())

    def decode() -> None:
        for file in files:
            np.asarray(Image.open(io.BytesIO(file)))

    return len(images) / best_of(decode, runs, clock_for(1))


def whole_processes(runs: int) -> dict[str, float]:
    """Images a second of `compress` and `decompress` of all 10,000 images, as whole processes."""

    def run(*command: str) -> None:
        line = [sys.executable, "-m", "compressnet.commands.cli", *command]
        subprocess.run(line, check=True, capture_output=True)

    with tempfile.TemporaryDirectory() as folder:
        archive, output = f"{folder}/mnist.cnet", f"{folder}/mnist.npy"
        compress = best_of(lambda: run("compress", "mnist", "-o", archive, "-f"), runs)
        decompress = best_of(lambda: run("decompress", archive, "-o", output, "-f"), runs)
    return {"compress": 10_000 / compress, "decompress": 10_000 / decompress}


def rows_of(arguments: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Every backend and variant that runs here, on each number of threads."""
    rows: dict[str, dict[str, float]] = {}
    for threads in arguments.threads:
        for cpu in core_names():
            rows[f"native {cpu}, {threads}"] = measured_apart(arguments, "native", threads, cpu)
        for backend in ("onnx", "numpy"):
            rows[f"{backend}, {threads}"] = measured_apart(arguments, backend, threads)
    return rows


def cpu_name() -> str:
    """What the processor calls itself."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Images a second of each backend and variant.")
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, os.cpu_count() or 1])
    parser.add_argument("--only", choices=["native", "onnx", "numpy"], help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args(arguments)


def main() -> None:
    """Measure and print."""
    arguments = parse()
    images = open_collection("mnist").load()[: arguments.images]
    if arguments.only:
        print(json.dumps(measure(images, arguments.only, arguments.threads[0], arguments.runs)))
        return
    document = {
        "cpu": cpu_name(),
        "core": core_name(),
        "images": len(images),
        "pillow_png_decode": pillow_rate(images, arguments.runs),
        "rows": rows_of(arguments),
        "whole_processes": whole_processes(arguments.runs),
    }
    if arguments.json:
        print(json.dumps(document))
        return
    print(f"{document['cpu']}; Pillow decodes {document['pillow_png_decode']:,.0f} PNG images/s, one thread")
    columns = [f"{kind}_{what}" for kind in ("lossy", "lossless") for what in ("decode", "encode", "one_ms")]
    print(" ".join([f"{'backend, threads':24}", *(f"{column:>15}" for column in columns)]))
    for name, row in document["rows"].items():
        cells = [f"{row[c]:15.2f}" if c.endswith("ms") else f"{row[c]:15,.0f}" for c in columns]
        print(" ".join([f"{name:24}", *cells]))
    for name, rate in document["whole_processes"].items():
        print(f"{name:24} {rate:15,.0f}   whole process, images/s")


if __name__ == "__main__":
    main()
