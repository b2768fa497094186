"""A model and its forms for images of other kinds, which share all its parameters and formats."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from compressnet.images.kinds import Kind
from compressnet.training.lossy.networks.model import Model

CALIBRATED_BATCHES = 40
Batch = Callable[[], tuple[int, Tensor, Tensor]]
"""Gives the number of a form, and images (B,C,H,W) and qualities (B,) for it."""


class Family:
    """A model for images of several kinds."""

    def __init__(self, model: Model, kinds: Sequence[Kind]) -> None:
        """kinds: the model's own, then the others."""
        self.first = model
        self.forms = [model, *(model.for_kind(kind) for kind in kinds[1:])]

    def take_formats(self, other: Model) -> None:
        """Take over the exponents of another model's registers."""
        for model in self.forms:
            model.take_formats(other)

    def refine(self) -> None:
        """Let the refinement take part from here on."""
        for model in self.forms:
            model.refines = True

    def calibrate(self, names: Sequence[str], batch: Batch, *, quantized: bool) -> None:
        """Fix the exponents of some networks from the ranges that all forms show together."""
        for name in names:
            observed: dict[str, Any] = {}
            for model in self.forms:
                getattr(model, name).observed = observed
        with torch.no_grad():
            for _ in range(CALIBRATED_BATCHES):
                number, x, quality_B = batch()
                self.forms[number](x, quality_B, quantized=quantized)
        for name in names:
            getattr(self.first, name).settle()
            for model in self.forms[1:]:
                getattr(model, name).observed = None
        self.take_formats(self.first)
