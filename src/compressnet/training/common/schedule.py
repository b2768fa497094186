"""The schedule of a training: steps, reports and checkpoints from the first step to the last.

    step, step, .. -> now and then a report and a checkpoint -> .. -> last report, last checkpoint

The schedule is as long as `Options.epochs` or `Options.minutes` say. It can be interrupted after
any step and resumed from the checkpoint.
"""

from __future__ import annotations

import contextlib
import math
import signal
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

from compressnet.training.common.checkpoints import read_checkpoint, write_checkpoint
from compressnet.training.common.options import (
    Measured,
    Options,
    Progress,
    Report,
    TrainingInterrupted,
    checkpoint_path,
)

REPORT_EVERY_S = 30
LOSS_EVERY_STEPS = 10
"""The loss is read this often: reading it makes the CPU wait for the device."""


class Training(ABC):
    """A training, and where its schedule stands. What is trained, and how, is up to subclasses."""

    version: int
    """The version of what `_state` gives. Checkpoints of another version are refused."""

    def __init__(self, name: str, output: Path, options: Options) -> None:
        """name: what reports and the checkpoint call the training; output: the codec to be."""
        self.name, self.options = name, options
        self.checkpoint = checkpoint_path(output, name)
        self.step, self.seconds, self.loss = 0, 0.0, math.nan
        self.quantized = False
        """Whether the networks are fake-quantized already."""
        self.skipped = 0.0
        """Share of the schedule that was left out."""

    @property
    @abstractmethod
    def epochs(self) -> float:
        """How often each training image was seen so far, on average."""

    @abstractmethod
    def _train_step(self) -> Any:
        """Make one step of the optimizer; returns the loss, a scalar tensor."""

    @abstractmethod
    def _measured(self) -> list[Measured]:
        """Measure held-out images for a report. May change what is trained next."""

    @abstractmethod
    def _signature(self) -> dict[str, Any]:
        """What has to be the same when a checkpoint is resumed."""

    @abstractmethod
    def _state(self) -> dict[str, Any]:
        """All that the next step depends on, but for what the schedule itself knows."""

    @abstractmethod
    def _load_state(self, state: dict[str, Any]) -> None:
        """Go on from what `_state` gave. `step` is set already."""

    def _finish(self) -> None:  # noqa: B027 - most trainings have nothing to do here
        """Do what a schedule of very few steps may not have come to."""

    @property
    def share(self) -> float:
        """How much of the schedule is done, 0 to 1."""
        if self.options.minutes is not None:
            return self.skipped + self.seconds / (60 * self.options.minutes)
        assert self.options.epochs is not None
        return self.skipped + self.epochs / self.options.epochs

    def run(self, report: Report, stop: Callable[[], bool] = lambda: False) -> None:
        """Train to the end of the schedule, from wherever it stands.

        On Ctrl-C, or once `stop` says so, the step under way is finished and the checkpoint is
        written; then this raises TrainingInterrupted.
        """
        started = time.monotonic() - self.seconds
        reported = saved = time.monotonic()
        try:
            while self.share < 1:
                with _ctrl_c_waits():
                    self._advance()
                now = time.monotonic()
                self.seconds = now - started
                if now - reported > REPORT_EVERY_S or self.step == 1:
                    self._report(report)
                    reported = time.monotonic()
                if now - saved > 60 * self.options.checkpoint_minutes or not self.checkpoint.exists():
                    self.save_checkpoint()
                    saved = time.monotonic()
                if stop():
                    raise KeyboardInterrupt
            with _ctrl_c_waits():
                self._finish()
            self._report(report)
            self.save_checkpoint()
        except KeyboardInterrupt:
            with contextlib.suppress(KeyboardInterrupt):  # pressed again while this is written
                self.save_checkpoint()
            raise TrainingInterrupted(str(self.checkpoint)) from None

    def _advance(self) -> None:
        """Make a step, and follow the loss."""
        loss = self._train_step()
        self.step += 1
        if self.step % LOSS_EVERY_STEPS == 0 or self.step == 1:
            value = float(loss.detach())
            self.loss = value if math.isnan(self.loss) else self.loss + 0.1 * (value - self.loss)

    def _report(self, report: Report) -> None:
        points = self._measured()
        report(
            Progress(
                network=self.name,
                share=min(self.share, 1.0),
                step=self.step,
                epoch=self.epochs,
                seconds=self.seconds,
                loss=self.loss,
                quantized=self.quantized,
                points=points,
            )
        )

    def save_checkpoint(self) -> None:
        """Write everything that `load_checkpoint` needs, atomically."""
        with _ctrl_c_waits():
            heading = {"version": self.version, "signature": self._signature()}
            where = {name: getattr(self, name) for name in ("step", "seconds", "loss", "quantized", "skipped")}
            write_checkpoint(self.checkpoint, heading | where | self._state())

    def load_checkpoint(self) -> None:
        """Go on from the checkpoint; from the start where there is none.

        Raises FormatError for a file that is no checkpoint, InputError for that of another
        training.
        """
        state = read_checkpoint(self.checkpoint, self.version, self._signature())
        if state is None:
            return
        self.step, self.seconds, self.loss = state["step"], state["seconds"], state["loss"]
        self.quantized, self.skipped = state["quantized"], state["skipped"]
        self._load_state(state)


@contextlib.contextmanager
def _ctrl_c_waits() -> Generator[None]:
    """Hold a Ctrl-C back until the end, as half a step or half a checkpoint is of no use.

    Signals reach the main thread alone. A program that handles or ignores them itself goes on
    doing so.
    """
    is_ours = threading.current_thread() is threading.main_thread()
    if not is_ours or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    pressed: list[int] = []
    signal.signal(signal.SIGINT, lambda number, _: pressed.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if pressed:
        raise KeyboardInterrupt
