"""Dask writes sets of archives: with any number of workers, and although some of them die."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import compressnet
from compressnet.errors import EngineError, InputError
from run_commands import refused
from sets import contents, drawn, write

pytest.importorskip("distributed")
array = pytest.importorskip("dask.array")

IMAGES = drawn(400)
COMMAND = [sys.executable, "-m", "compressnet.commands.cli", "compress"]
OPTIONS = ["--engine", "dask", "--shard-images", "20", "--lossless", "-q"]


def double(number: int) -> int:
    if number < 0:
        raise InputError(f"{number}: is below 0")
    return 2 * number


def die(number: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    place = tmp_path_factory.mktemp("inputs")
    np.save(place / "a.npy", IMAGES[:250])
    np.save(place / "b.npy", IMAGES[250:])
    return [place / "a.npy", place / "b.npy"]


@pytest.fixture(scope="module")
def undisturbed(inputs: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sets") / "out"
    assert ended(compress(inputs, folder, "--workers", "1")) == (0, "")
    return folder


def compress(inputs: list[Path], folder: Path, *options: str) -> subprocess.Popen[str]:
    command = [*COMMAND, *map(str, inputs), "-o", str(folder), *OPTIONS, *options]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """The exit code of a command, and what it said on stderr."""
    said = process.communicate(timeout=200)[1]
    return process.returncode, said


def wait_for_shards(folder: Path, count: int, process: subprocess.Popen[str]) -> None:
    while len(list(folder.glob("shard-*"))) < count:
        assert process.poll() is None, "the run ended too early"
        time.sleep(0.02)


def test_an_array_of_dask_has_chunks_at_blocks(inputs: list[Path], tmp_path: Path) -> None:
    write(inputs, tmp_path / "out")
    with compressnet.open(tmp_path / "out") as archives:
        lazy = array.from_array(archives, chunks=archives.chunks)
        assert lazy.chunks == archives.chunks
        assert lazy.dtype == np.uint8
        assert np.array_equal(lazy[70:130, 3:9].compute(scheduler="threads"), IMAGES[70:130, 3:9])


def test_a_scheduler_that_is_not_there() -> None:
    from compressnet.integrations.dask import DaskEngine

    with (
        pytest.raises(EngineError, match=r"127.0.0.1:9: no scheduler answers there"),
        DaskEngine("tcp://127.0.0.1:9"),
    ):
        pass
    with pytest.raises(InputError, match="give one of them"):
        DaskEngine("tcp://127.0.0.1:9", workers=2)


def test_options_that_do_not_go_together(inputs: list[Path], tmp_path: Path) -> None:
    two = map(str, inputs)
    assert "2 inputs: --engine dask" in refused(2, "compress", *two, "-o", tmp_path / "a.cnet")
    assert "--workers goes with --engine" in refused(
        2, "compress", inputs[0], "-o", tmp_path / "a.cnet", "--workers", 2
    )
    assert "--solid does not go" in refused(
        2, "compress", inputs[0], "-o", tmp_path / "a", "--engine", "dask", "--solid"
    )


@pytest.mark.slow
def test_errors_come_back_and_dead_workers_are_an_error() -> None:
    from compressnet.integrations.dask import DaskEngine

    with DaskEngine(workers=1) as engine:
        assert dict(engine.each(double, [1, 2, 3])) == {0: 2, 1: 4, 2: 6}
        with pytest.raises(InputError, match="-5: is below 0"):
            list(engine.each(double, [1, -5]))
        with pytest.raises(EngineError, match="run the same command again"):
            list(engine.each(die, [1]))


@pytest.mark.slow
def test_workers_change_no_byte(inputs: list[Path], undisturbed: Path, tmp_path: Path) -> None:
    assert ended(compress(inputs, tmp_path / "out", "--workers", "2")) == (0, "")
    assert contents(tmp_path / "out") == contents(undisturbed)
    with compressnet.open(undisturbed) as archives:
        assert np.array_equal(archives[:], IMAGES)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[tuple[str, subprocess.Popen[bytes], subprocess.Popen[bytes]]]:
    """A scheduler and a worker of it, which has no nanny that would start another."""
    file = tmp_path / "scheduler.json"
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--port", "0", "--no-dashboard"]
    scheduler = subprocess.Popen(
        [*command, "--scheduler-file", str(file)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    worker = start_worker(file)
    while not file.is_file() or not file.read_text():
        time.sleep(0.05)
    yield json.loads(file.read_text())["address"], scheduler, worker
    for process in (worker, scheduler):
        process.kill()
        process.wait()


def start_worker(file: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "distributed.cli.dask_worker", "--no-nanny", "--no-dashboard", "--nthreads", "1"]
    return subprocess.Popen(
        [*command, "--scheduler-file", str(file)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


@pytest.mark.slow
def test_a_killed_worker_costs_time_alone(inputs: list[Path], undisturbed: Path, tmp_path: Path, cluster) -> None:
    address, _, worker = cluster
    run = compress(inputs, tmp_path / "out", "--scheduler", address)
    wait_for_shards(tmp_path / "out", 3, run)
    worker.kill()
    worker.wait()
    other = start_worker(tmp_path / "scheduler.json")
    try:
        assert ended(run) == (0, "")
    finally:
        other.kill()
        other.wait()
    assert contents(tmp_path / "out") == contents(undisturbed)


@pytest.mark.slow
def test_a_killed_scheduler_ends_the_run_and_a_rerun_goes_on(
    inputs: list[Path], undisturbed: Path, tmp_path: Path, cluster
) -> None:
    address, scheduler, _ = cluster
    run = compress(inputs, tmp_path / "out", "--scheduler", address)
    wait_for_shards(tmp_path / "out", 3, run)
    scheduler.kill()
    code, said = ended(run)
    assert code == 1
    assert "run the same command again" in said
    assert said.count("\n") == 1
    assert not (tmp_path / "out" / "manifest.json").exists()
    assert ended(compress(inputs, tmp_path / "out", "--workers", "1")) == (0, "")
    assert contents(tmp_path / "out") == contents(undisturbed)


@pytest.mark.slow
def test_a_killed_client_leaves_what_a_rerun_goes_on_from(
    inputs: list[Path], undisturbed: Path, tmp_path: Path
) -> None:
    run = compress(inputs, tmp_path / "out", "--workers", "1")
    wait_for_shards(tmp_path / "out", 3, run)
    run.kill()
    ended(run)
    assert not (tmp_path / "out" / "manifest.json").exists()
    assert ended(compress(inputs, tmp_path / "out", "--workers", "1")) == (0, "")
    assert contents(tmp_path / "out") == contents(undisturbed)
