"""How fast Dask writes sets of archives, what it takes in memory, and what a task costs beside it.

    python benchmarks/sets.py [--images N] [--workers W [W ...]] [--shard-images M] [--lossless]
                              [--tasks T]

The images are MNIST's 10,000 test images again and again, each time with other values, so that no
two are equal: uint8 (N,28,28) in one .npy file. For each number of workers `compressnet compress
--engine dask` writes them with the codec mnist. A row has the wall time and the processor time of
all processes together, from start to end; the processor time tells more where the machine does
other work, too. Memory is that of the largest process. Last, T tasks that do nothing, on one
worker: the processor time of client, scheduler and worker for each.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil

from compressnet.images import open_collection
from compressnet.integrations.dask import DaskEngine

SAMPLED_S = 0.2
"""How often memory is looked at."""


def write_images(path: Path, count: int) -> None:
    """N different images like MNIST's, as a .npy file."""
    digits = open_collection("mnist").load()
    target = np.lib.format.open_memmap(path, "w+", np.uint8, (count, *digits.shape[1:]))
    for start in range(0, count, len(digits)):
        some = digits[: count - start].copy()
        bits = start // len(digits) >> np.arange(16) & 1
        some[:, 0, :16] = 2 * bits  # the number of the round, in a corner that is black
        target[start : start + len(some)] = some
    target.flush()


def usage_s(who: int) -> float:
    """Processor time so far."""
    found = resource.getrusage(who)
    return found.ru_utime + found.ru_stime


def run_set(path: Path, folder: Path, workers: int, options: list[str]) -> tuple[float, float, int]:
    """Wall time and processor time of writing a set, in s; the bytes of the largest process."""
    command = [sys.executable, "-m", "compressnet.commands.cli", "compress", str(path), "-o", str(folder), "-q"]
    command += ["--codec", "mnist", "--engine", "dask", "--workers", str(workers), *options]
    before_s, began_s, largest = usage_s(resource.RUSAGE_CHILDREN), time.perf_counter(), 0
    with subprocess.Popen(command) as client:
        while client.poll() is None:
            with suppress(psutil.Error):
                parts = [psutil.Process(client.pid), *psutil.Process(client.pid).children(recursive=True)]
                largest = max([largest, *(part.memory_info().rss for part in parts)])
            time.sleep(SAMPLED_S)
    assert client.returncode == 0
    return time.perf_counter() - began_s, usage_s(resource.RUSAGE_CHILDREN) - before_s, largest


def nothing(number: int) -> int:
    """A task that does nothing."""
    return number


def task_seconds(tasks: int) -> tuple[float, float]:
    """Wall time and processor time of a task, in s, beyond those of starting and ending."""
    found: list[tuple[float, float]] = []
    for count in (1, tasks):
        both_s = usage_s(resource.RUSAGE_SELF) + usage_s(resource.RUSAGE_CHILDREN)
        began_s = time.perf_counter()
        with DaskEngine(workers=1) as engine:
            assert len(dict(engine.each(nothing, range(count)))) == count
        spent_s = usage_s(resource.RUSAGE_SELF) + usage_s(resource.RUSAGE_CHILDREN) - both_s
        found.append((time.perf_counter() - began_s, spent_s))
    (wall_1_s, used_1_s), (wall_s, used_s) = found
    return (wall_s - wall_1_s) / (tasks - 1), (used_s - used_1_s) / (tasks - 1)


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description="how fast Dask writes sets of archives")
    parser.add_argument("--images", type=int, default=200_000)
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--shard-images", type=int, default=20_000)
    parser.add_argument("--lossless", action="store_true")
    parser.add_argument("--tasks", type=int, default=2000)
    given = parser.parse_args()
    options = ["--shard-images", str(given.shard_images), *(["--lossless"] if given.lossless else [])]
    print(f"{len(os.sched_getaffinity(0))} processors, load {os.getloadavg()[0]:.1f}")
    print("| workers | images | s | images/s | processor s | images/s of processor | bytes | MB |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "images.npy"
        write_images(path, given.images)
        for workers in given.workers:
            folder = Path(place) / f"set-{workers}"
            wall_s, used_s, largest = run_set(path, folder, workers, options)
            size = sum(file.stat().st_size for file in folder.iterdir())
            print(
                f"| {workers} | {given.images:,} | {wall_s:.1f} | {given.images / wall_s:,.0f} | {used_s:.1f} "
                f"| {given.images / used_s:,.0f} | {size:,} | {largest / 1e6:.0f} |",
                flush=True,
            )
    if given.tasks > 1:
        wall_s, used_s = task_seconds(given.tasks)
        print(f"{given.tasks} tasks that do nothing: {1000 * used_s:.2f} ms of processor each, {1000 * wall_s:.2f} ms")


if __name__ == "__main__":
    main()
