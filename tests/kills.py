"""Commands that are killed at some moment, and what has to be left of their targets then."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import compressnet
from compressnet.archive.verifying import verify
from compressnet.codec.loading import load
from compressnet.files import TEMPORARY, atomic_write

COMMANDS = {
    "compress": ("compress", "in.npy", "-o", "out.cnet", "-f", "-q", "--codec", "grey.codec"),
    "append": ("append", "out.cnet", "more.npy", "-q", "--codec", "grey.codec"),
    "concat": ("concat", "out.cnet", "b.cnet", "b.cnet", "-o", "out.cnet", "-f", "-q"),
    "pack": ("pack", "in.npy", "-o", "out.cnet", "-f", "-q", "--minutes", "0.02", "--no-advise", "--threads", "1"),
    "train": ("train", "in.npy", "-o", "out.codec", "-f", "-q", "--minutes", "0.02", "--no-advise", "--threads", "1"),
}
"""Each with a target that is there before."""
SHARES = {"compress": 6, "append": 6, "concat": 6, "pack": 1, "train": 1}
"""Of all kills: what trains takes a minute, and others a second."""
IMAGES, MORE = 420, 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Killed:
    """What became of one command."""

    ended: bool
    """Whether it ended before it was killed."""
    fault: str | None
    """What is wrong with its target or its folder."""


def prepare(folder: Path, codec: Path) -> None:
    """A folder with images, archives and a codec."""
    generator = np.random.default_rng(3)
    images = generator.integers(0, 256, (IMAGES + MORE, 8, 12), np.uint8)
    images[:, :, 3:] = images[:, :1, :1]
    np.save(folder / "in.npy", images[:IMAGES])
    np.save(folder / "more.npy", images[IMAGES:])
    shutil.copy(codec, folder / "grey.codec")
    shutil.copy(codec, folder / "out.codec")
    compressnet.compress(images[:200], folder / "out.cnet", folder / "grey.codec", block_images=20)
    compressnet.compress(images[200:], folder / "b.cnet", folder / "grey.codec", block_images=20)


def run_and_kill(command: str, whole: Path, folder: Path, after_s: float) -> Killed:
    """Run a command in a copy of a prepared folder, and kill it and its children after a time."""
    shutil.copytree(whole, folder)
    child = os.fork()
    if child == 0:
        _run(COMMANDS[command], folder)
    deadline, ended = time.monotonic() + after_s, False
    while time.monotonic() < deadline and not ended:
        ended = os.waitpid(child, os.WNOHANG)[0] == child
        time.sleep(0.001)
    if not ended:
        os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)
    return Killed(ended=ended, fault=fault_of(command, whole, folder))


def _run(arguments: tuple[str, ...], folder: Path) -> None:
    """What the child does; never comes back."""
    try:
        os.setpgid(0, 0)
        os.chdir(folder)
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        from compressnet.commands.cli import app

        app(list(arguments), standalone_mode=False)
    finally:
        os._exit(0)


def fault_of(command: str, whole: Path, folder: Path) -> str | None:
    """What is wrong after a command was killed; its target is to be the old or the new one."""
    target = "out.codec" if command == "train" else "out.cnet"
    if not (folder / target).exists():
        return f"{target} is lost"
    if (folder / target).read_bytes() != (whole / target).read_bytes():
        try:
            if command == "train":
                load(folder / target, "numpy", 1)
            else:
                with compressnet.open(folder / target, threads=1) as archive:
                    counts = {"compress": IMAGES, "append": 200 + MORE, "pack": IMAGES}
                    expected = counts.get(command, 200 + 2 * (IMAGES + MORE - 200))
                    if len(archive) != expected or not verify(archive).is_well:
                        return f"{target} is half"
        except compressnet.CompressnetError as error:
            return f"{target}: {error}"
    for name in ("in.npy", "more.npy", "b.cnet", "grey.codec"):
        if (folder / name).read_bytes() != (whole / name).read_bytes():
            return f"{name} changed"
    atomic_write(folder / "next", b"")
    left = [path.name for path in folder.iterdir() if path.name.endswith(TEMPORARY)]
    return f"{left} stay" if left else None


def kill_some(command: str, times: int, codec: Path, folder: Path, seed: int = 0) -> tuple[int, list[str]]:
    """Kill a command so many times, at moments spread over the time that it takes.

    Gives how often it was killed before it ended, and what was wrong.
    """
    chance = random.Random(f"{command} {seed}")
    whole = folder / "whole"
    whole.mkdir()
    prepare(whole, codec)
    start = time.monotonic()
    run_and_kill(command, whole, folder / "timed", 600)
    taken_s = time.monotonic() - start
    shutil.rmtree(folder / "timed")
    killed, faults = 0, []
    for number in range(times):
        result = run_and_kill(command, whole, folder / str(number), chance.uniform(0, 1.05 * taken_s))
        killed += not result.ended
        faults += [] if result.fault is None else [f"{command} {number}: {result.fault}"]
        shutil.rmtree(folder / str(number))
    return killed, faults


def main() -> int:
    """`python tests/kills.py KILLS`: so many, over all commands."""
    import tempfile

    from conftest import CONFORMANCE

    failed, kills = 0, int(sys.argv[1])
    for command, share in SHARES.items():
        times = -(-kills * share // sum(SHARES.values()))
        with tempfile.TemporaryDirectory() as name:
            killed, faults = kill_some(command, times, CONFORMANCE / "grey.codec", Path(name))
            lines = [f"{command}: {times} runs, {killed} killed before they ended, {len(faults)} faults", *faults]
            sys.stdout.write("\n".join(lines) + "\n")
            sys.stdout.flush()
            failed += len(faults)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
