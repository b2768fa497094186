"""How many images a second `compressnet compress` and `decompress` do, as whole processes.

    python benchmarks/throughput.py [--threads N] [--runs R] [--quality Q]

The images are MNIST's 10,000 test images. Times are wall-clock seconds from the start of each
process to its end, so they include imports, the codec and files; the median of some runs counts.
The same run also measures, in this process, how Pillow decodes the same images from PNG bytes in
memory.
"""

from __future__ import annotations

import argparse
import io
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

import compressnet
from compressnet.images import open_collection


def seconds_of(command: list[str], runs: int) -> float:
    """Median wall-clock seconds of a whole process."""
    times: list[float] = []
    for _ in range(runs):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "compressnet.commands.cli", *command], check=True, capture_output=True)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def pillow_seconds(images: np.ndarray, runs: int) -> float:
    """Median seconds of Pillow decoding every image from PNG bytes in memory."""
    files: list[bytes] = []
    for image in images:
        stream = io.BytesIO()
        Image.fromarray(image).save(stream, format="png")
        files.append(stream.getvalue())
    times: list[float] = []
    for _ in range(runs):
        start = time.perf_counter()
        for file in files:
            np.asarray(Image.open(io.BytesIO(file)))
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def in_process_seconds(path: Path, threads: int | None, runs: int) -> float:
    """Median seconds of decoding a whole archive in this process, its codec loaded."""
    codec = compressnet.load(threads=threads)
    times: list[float] = []
    for _ in range(runs + 1):
        with compressnet.open(path, codec=codec) as archive:
            start = time.perf_counter()
            archive[:]
            times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Images a second of whole processes.")
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--quality", type=int, default=None)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    threads = [] if arguments.threads is None else ["--threads", str(arguments.threads)]
    images = open_collection("mnist").load()
    with tempfile.TemporaryDirectory() as folder:
        archive, output = Path(folder) / "mnist.cnet", Path(folder) / "mnist.npy"
        quality = [] if arguments.quality is None else ["--quality", str(arguments.quality)]
        encode = seconds_of(["compress", "mnist", "-o", str(archive), "-f", *quality, *threads], arguments.runs)
        decode = seconds_of(["decompress", str(archive), "-o", str(output), "-f", *threads], arguments.runs)
        inside = in_process_seconds(archive, arguments.threads, arguments.runs)
    png = pillow_seconds(images, arguments.runs)
    rates = {
        "encode_process_images_per_s": len(images) / encode,
        "decode_process_images_per_s": len(images) / decode,
        "decode_in_process_images_per_s": len(images) / inside,
        "pillow_png_decode_images_per_s": len(images) / png,
        "decode_process_over_pillow": png / decode,
        "decode_in_process_over_pillow": png / inside,
    }
    if arguments.json:
        print(json.dumps(rates))
        return
    for name, value in rates.items():
        print(f"{name:32} {value:10.2f}")


if __name__ == "__main__":
    main()
