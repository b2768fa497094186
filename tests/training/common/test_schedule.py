"""Both trainings stop and go on alike: on Ctrl-C, at their end, and from a checkpoint."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from compressnet.codec.bundle import Bundle
from compressnet.errors import FormatError, InputError
from compressnet.training.common.gather import Gathered
from compressnet.training.common.options import Measured, Options, Progress, TrainingInterrupted, log_path
from compressnet.training.common.schedule import Training
from compressnet.training.lossless.design import PixelDesign
from compressnet.training.lossless.loop import PixelTrainer
from compressnet.training.lossy.design import OVERVIEW
from compressnet.training.lossy.workers import Job
from compressnet.training.train import train, train_lossless
from make_conformance import SMALL, blobs

IMAGES = blobs(120, (8, 12, 1), 3)
DESIGN = replace(OVERVIEW, widths=SMALL, qualities=(0, 99), log_lambda=(1.6, 5.5, 0.0), origin=0)
Fit = Callable[..., Bundle]


@pytest.fixture(autouse=True)
def ctrl_c() -> Iterator[None]:
    """Python's own handling of Ctrl-C, which programs in the background ignore."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def press_ctrl_c() -> None:
    signal.raise_signal(signal.SIGINT)


def options(**changes: Any) -> Options:
    return Options(**({"epochs": 3, "holdout": 20, "batch": 16, "threads": 1} | changes))


def fit_lossy(
    output: Path, *, images: np.ndarray = IMAGES, changes: dict[str, Any] | None = None, **more: Any
) -> Bundle:
    return train(images, output, options(**(changes or {})), designs=(DESIGN,), **more)


def fit_lossless(
    output: Path, *, images: np.ndarray = IMAGES, changes: dict[str, Any] | None = None, **more: Any
) -> Bundle:
    gathered = Gathered(sets=[images], several_kinds=False, left_out=[], images=len(images))
    return train_lossless(gathered, output, options(**(changes or {})), "fast", **more)


both = pytest.mark.parametrize("fit", [fit_lossy, fit_lossless], ids=["lossy", "lossless"])


def checkpoints(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.checkpoint"))


@both
def test_a_training_that_was_interrupted_gives_the_same_codec(tmp_path: Path, fit: Fit) -> None:
    straight = fit(tmp_path / "straight.codec")
    output = tmp_path / "broken.codec"
    with pytest.raises(TrainingInterrupted) as interrupted:
        fit(output, report=lambda _: press_ctrl_c())
    (checkpoint,) = checkpoints(tmp_path)
    assert str(interrupted.value) == str(checkpoint)
    assert not output.exists()
    steps: list[int] = []
    resumed = fit(output, resume=True, report=lambda progress: steps.append(progress.step))
    assert steps[0] > 1  # the first step was made before
    assert (resumed.lossy_identity, resumed.lossless_identity) == (straight.lossy_identity, straight.lossless_identity)
    assert checkpoints(tmp_path) == []


@both
def test_an_error_of_the_report_is_no_interruption(tmp_path: Path, fit: Fit) -> None:
    def break_down(progress: Progress) -> None:
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        fit(tmp_path / "a.codec", report=break_down)


@both
def test_one_interrupted_at_its_end_only_finishes(tmp_path: Path, fit: Fit) -> None:
    seen: list[Progress] = []

    def press_at_the_end(progress: Progress) -> None:
        seen.append(progress)
        if progress.share == 1:
            press_ctrl_c()

    output = tmp_path / "a.codec"
    with pytest.raises(TrainingInterrupted):
        fit(output, report=press_at_the_end)
    steps: list[int] = []
    fit(output, resume=True, report=lambda progress: steps.append(progress.step))
    assert steps == [seen[-1].step]
    assert output.exists()


@both
def test_resuming_without_a_checkpoint_begins_anew(tmp_path: Path, fit: Fit) -> None:
    steps: list[int] = []
    anew = fit(tmp_path / "a.codec", resume=True, report=lambda progress: steps.append(progress.step))
    straight = fit(tmp_path / "b.codec")
    assert steps[0] == 1
    assert (anew.lossy_identity, anew.lossless_identity) == (straight.lossy_identity, straight.lossless_identity)


@both
def test_checkpoints_of_other_trainings_are_refused(tmp_path: Path, fit: Fit) -> None:
    output = tmp_path / "a.codec"
    with pytest.raises(TrainingInterrupted):
        fit(output, report=lambda _: press_ctrl_c())
    (checkpoint,) = checkpoints(tmp_path)
    for other in ({"changes": {"seed": 1}}, {"changes": {"holdout": 19}}, {"images": IMAGES[:-1]}):
        with pytest.raises(InputError, match="the checkpoint is of other images or options"):
            fit(output, resume=True, **other)
    checkpoint.write_bytes(checkpoint.read_bytes()[:-100])
    with pytest.raises(FormatError, match="not a checkpoint, or cut off; delete it and start anew"):
        fit(output, resume=True)


@both
def test_the_length_has_to_be_said_once(tmp_path: Path, fit: Fit) -> None:
    for changes in ({"epochs": None}, {"minutes": 1}):
        with pytest.raises(InputError, match="either a number of epochs or a number of minutes"):
            fit(tmp_path / "a.codec", changes=changes)
    assert list(tmp_path.iterdir()) == []


@both
def test_reports_go_to_the_log_and_the_first_and_the_last_step_are_among_them(tmp_path: Path, fit: Fit) -> None:
    output, seen = tmp_path / "a.codec", list[Progress]()
    fit(output, report=seen.append)
    assert (seen[0].step, seen[-1].share, seen[-1].quantized) == (1, 1, True)
    assert [progress.step for progress in seen] == sorted(progress.step for progress in seen)
    assert len(log_path(output).read_text(encoding="utf-8").splitlines()) == len(seen)


def lossy_training(output: Path) -> Training:
    return Job(sets=[IMAGES], output=output, options=options(), design=DESIGN).trainer()


def lossless_training(output: Path) -> Training:
    return PixelTrainer([IMAGES], output, options(), PixelDesign(seen=4, hidden=(16, 12), low=12))


@pytest.mark.parametrize("start", [lossy_training, lossless_training], ids=["lossy", "lossless"])
def test_a_training_told_to_stop_stops_after_that_step(tmp_path: Path, start: Callable[[Path], Training]) -> None:
    training = start(tmp_path / "a.codec")
    with pytest.raises(TrainingInterrupted):
        training.run(lambda _: None, stop=lambda: training.step == 3)
    resumed = start(tmp_path / "a.codec")
    resumed.load_checkpoint()
    assert (resumed.step, resumed.epochs, resumed.quantized) == (3, training.epochs, training.quantized)


class Counter(Training):
    """A training of two numbers that go up together; it is interrupted between the two."""

    version = 1

    def __init__(self, output: Path, press: Callable[[], None] = lambda: None, pressed_in_step: int = 4) -> None:
        super().__init__("counter", output, Options(epochs=10))
        self.first = self.second = 0
        self._press, self._pressed_in_step = press, pressed_in_step

    @property
    def epochs(self) -> float:
        return float(self.step)

    def _train_step(self) -> torch.Tensor:
        self.first += 1
        if self.first == self._pressed_in_step:
            self._press()
        self.second += 1
        return torch.tensor(1.0)

    def _measured(self) -> list[Measured]:
        return []

    def _signature(self) -> dict[str, Any]:
        return {}

    def _state(self) -> dict[str, Any]:
        return {"first": self.first, "second": self.second}

    def _load_state(self, state: dict[str, Any]) -> None:
        self.first, self.second = state["first"], state["second"]


def test_ctrl_c_waits_for_the_end_of_the_step(tmp_path: Path) -> None:
    with pytest.raises(TrainingInterrupted, match=r"a\.codec\.counter\.checkpoint"):
        Counter(tmp_path / "a.codec", press_ctrl_c).run(lambda _: None)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    resumed = Counter(tmp_path / "a.codec")
    resumed.load_checkpoint()
    assert (resumed.step, resumed.first, resumed.second) == (4, 4, 4)
    resumed.run(lambda _: None)
    assert (resumed.step, resumed.first, resumed.second) == (10, 10, 10)


def test_ctrl_c_in_the_last_step_is_not_lost(tmp_path: Path) -> None:
    with pytest.raises(TrainingInterrupted):
        Counter(tmp_path / "a.codec", press_ctrl_c, pressed_in_step=10).run(lambda _: None)
    resumed = Counter(tmp_path / "a.codec")
    resumed.load_checkpoint()
    assert resumed.share == 1


def test_a_program_that_handles_ctrl_c_itself_goes_on_doing_so(tmp_path: Path) -> None:
    heard: list[int] = []

    def handle(number: int, frame: object) -> None:
        heard.append(number)

    signal.signal(signal.SIGINT, handle)
    counter = Counter(tmp_path / "a.codec", press_ctrl_c)
    counter.run(lambda _: None)
    assert (counter.step, heard) == (10, [signal.SIGINT])
    assert signal.getsignal(signal.SIGINT) is handle


def test_trainings_run_on_any_thread(tmp_path: Path) -> None:
    counter = Counter(tmp_path / "a.codec")
    thread = threading.Thread(target=partial(counter.run, lambda _: None))
    thread.start()
    thread.join()
    assert counter.step == 10
    assert counter.checkpoint.exists()


def test_checkpoints_of_another_version_are_refused(tmp_path: Path) -> None:
    class Later(Counter):
        version = 2

    Counter(tmp_path / "a.codec").run(lambda _: None)
    with pytest.raises(InputError, match="use the same ones, or delete it"):
        Later(tmp_path / "a.codec").load_checkpoint()
