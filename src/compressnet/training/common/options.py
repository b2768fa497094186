"""How to train, where a training stands, and what ends it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from compressnet.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to train. Exactly one of `epochs` and `minutes` sets the length of the schedule."""

    epochs: float | None = None
    minutes: float | None = None
    qualities: tuple[int, int] = (0, 99)
    holdout: int = 5000
    """Images at the end of the collection that are never trained on."""
    seed: int = 0
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: int | None = None
    """Threads of torch on the CPU; by default torch's own choice."""
    batch: int = 48
    checkpoint_minutes: float = 0.5
    target_psnr: float | None = None
    """In dB: the qualities that are trained close in on those that give about this."""

    def require_length(self) -> None:
        """Raise InputError unless exactly one of `epochs` and `minutes` is given."""
        if (self.epochs is None) == (self.minutes is None):
            raise InputError("a training needs either a number of epochs or a number of minutes")


class Measured(NamedTuple):
    """What a quality gives: ideal bytes an image, PSNR in dB (or infinite), SSIM (or None)."""

    quality: int
    bytes_per_image: float
    psnr: float
    ssim: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a training stands; `points` are measured on held-out images."""

    network: str
    """The name of the training: for lossy networks, that of the design."""
    share: float
    step: int
    epoch: float
    seconds: float
    loss: float
    quantized: bool
    points: list[Measured]


class TrainingInterrupted(Exception):  # noqa: N818 - not an error
    """Ctrl-C was pressed. The checkpoint is written; the message is its path."""


Report = Callable[[Progress], None]


def log_path(output: Path) -> Path:
    """Where a training's log lies: a JSON object a line."""
    return output.with_name(output.name + ".log.jsonl")


def logged(output: Path, report: Report) -> Report:
    """A report that is also written to the log."""

    def note(progress: Progress) -> None:
        points = [point._replace(psnr=None if math.isinf(point.psnr) else point.psnr) for point in progress.points]
        with log_path(output).open("a", encoding="utf-8") as log:
            log.write(json.dumps(asdict(progress) | {"points": points}) + "\n")
        report(progress)

    return note


def checkpoint_path(output: Path, name: str) -> Path:
    """Where the checkpoint of a training of that name lies until the codec is written."""
    return output.with_name(f"{output.name}.{name}.checkpoint")
