"""One layer in torch: weights and biases, in floats or fake-quantized.

Axes: B batch, O outputs, I inputs, C channels, A anchor qualities. Real values throughout; with
`quantized` they are exact multiples of the integers' steps.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from compressnet.networks.program import ANCHORS
from compressnet.training.common.quantize import (
    WEIGHT_LIMIT,
    biases_through,
    integers_scale,
    over_qualities,
    weight_exponents,
    weights_through,
)


class Weighted(nn.Module):
    """Weights and biases of one conv or dense node; the bias may depend on the quality."""

    def __init__(self, shape: tuple[int, ...], *, by_quality: bool, gain: float = 1.0) -> None:
        super().__init__()
        fan_in = math.prod(shape[1:])
        self.weight = nn.Parameter(torch.randn(shape) * gain / math.sqrt(fan_in))
        self.bias = nn.Parameter(torch.zeros(ANCHORS if by_quality else 1, shape[0]))
        self.limit = WEIGHT_LIMIT
        self.exponents_O: Tensor | None = None
        """The weights' exponents, kept while training: they change rarely, and take a pass over
        the weights."""

    def forward(
        self, in_exponents: Tensor, out_exponents: Tensor, in_largest: int, *, quantized: bool
    ) -> tuple[Tensor, Tensor]:
        """Weight and biases (1 or 100, O); exponents as in `integers_scale`."""
        if not quantized:
            return self.weight, over_qualities(self.bias)
        return self.quantized(self.weight, in_exponents, out_exponents, in_largest)

    def quantized(
        self, weight: Tensor, in_exponents: Tensor, out_exponents: Tensor, in_largest: int
    ) -> tuple[Tensor, Tensor]:
        """A weight (this one, masked or not) and the biases, fake-quantized."""
        scale = integers_scale(weight, in_exponents)
        exponents_O = self.exponents_O
        if exponents_O is None or not self.training:
            exponents_O = weight_exponents(weight * scale, self.bias, out_exponents, in_largest, self.limit)
            self.exponents_O = exponents_O
        weight = weights_through(weight * scale, exponents_O, self.limit) / scale
        return weight, biases_through(self.bias, exponents_O)


def bias_rows(bias: Tensor, quality_B: Tensor) -> Tensor:
    """(1 or 100, O) biases for each image of a batch: (1 or B, O)."""
    return bias if len(bias) == 1 else bias[quality_B]
