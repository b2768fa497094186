"""What both entropy models share in torch: hidden values, whose ranges are observed."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from compressnet.networks.dense import HIDDEN_HIGH
from compressnet.training.common.quantize import quantize_through
from compressnet.training.lossy.networks.formats import HIDDEN_RANGE


class PriorModule(nn.Module):
    """An entropy model with two hidden layers, to be trained."""

    groups: list[list[int]]
    """Symbol indices in order of coding: each group is coded given all groups before it."""
    order: Tensor
    """(D,): the groups one after another."""

    def __init__(self) -> None:
        super().__init__()
        self.exponents: dict[str, int] = {"hidden1": 4, "hidden2": 4}
        self.observed: dict[str, float] | None = None
        """While ranges are observed: the steps that hidden values were seen to need."""

    def get_extra_state(self) -> dict[str, int]:
        return dict(self.exponents)

    def set_extra_state(self, state: dict[str, int]) -> None:
        self.exponents = dict(state)

    def exponent(self, name: str) -> Tensor:
        """That of a hidden layer's values, ()."""
        return torch.tensor(float(self.exponents[name]))

    def hidden(self, name: str, x: Tensor, *, quantized: bool) -> Tensor:
        """A hidden layer's values: observed, and fake-quantized if asked to."""
        if self.observed is not None:
            flat = x.detach().flatten()[:1_000_000:5]
            needed = float(torch.quantile(flat, 0.9999)) / HIDDEN_HIGH
            self.observed[name] = max(self.observed.get(name, 2.0**-12), needed)
        return quantize_through(x, self.exponent(name), *HIDDEN_RANGE) if quantized else x

    def settle(self) -> None:
        """Fix the hidden exponents from what was observed, and stop observing."""
        assert self.observed is not None
        for name, needed in self.observed.items():
            self.exponents[name] = math.floor(-math.log2(needed) + 0.15)
        self.observed = None
