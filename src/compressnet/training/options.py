"""How to train, where a training stands, and what ends it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from compressnet.training.design import DESIGNS, Design


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
    designs: tuple[Design, ...] = DESIGNS["detail"]
    """Networks to train; those without a quality in `qualities` are left out."""
    target_psnr: float | None = None
    """In dB: the qualities that are trained close in on those that give about this."""


class Measured(NamedTuple):
    """What a quality gives: bytes an image (ideal), PSNR in dB, and SSIM, None where images are too small for it."""

    quality: int
    bytes_per_image: float
    psnr: float
    ssim: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a training stands; `points` are measured on held-out images."""

    network: str
    """The name of its design."""
    share: float
    step: int
    epoch: float
    seconds: float
    loss: float
    quantized: bool
    points: list[Measured]


class TrainingInterrupted(Exception):  # noqa: N818 - not an error
    """Ctrl-C: the checkpoint is written."""


def checkpoint_path(output: Path, design: Design) -> Path:
    """Where the checkpoint of a network lies while it is trained."""
    return output.with_name(f"{output.name}.{design.name}.checkpoint")
