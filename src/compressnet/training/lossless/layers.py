"""A pixel model's layers and tables in torch, in floats or fake-quantized.

Axes: P pixels, I inputs, O outputs, E columns of a table.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx

from compressnet.coding.softmax import LOGIT_STEPS
from compressnet.lossless.model import CODES, LOGIT_LIMIT, TABLE_LIMIT
from compressnet.networks.dense import HIDDEN_HIGH, HIDDEN_LOW
from compressnet.training.common.quantize import (
    integers_scale,
    leaky,
    quantize_through,
    round_through,
    weight_exponents,
    weights_through,
)

LOGIT_EXPONENT = LOGIT_STEPS.bit_length() - 1


class _LookUp(torch.autograd.Function):
    """Rows of a table (codes, E) by code, with a gradient ten times as fast as torch's own."""

    @staticmethod
    def forward(ctx: FunctionCtx, codes: Tensor, table: Tensor) -> Tensor:
        ctx.save_for_backward(codes)
        ctx.set_materialize_grads(True)
        return F.embedding(codes, table)

    @staticmethod
    def backward(ctx: FunctionCtx, *grads: Tensor) -> tuple[None, Tensor]:
        (codes,) = ctx.saved_tensors
        flat = codes.flatten()
        columns = grads[0].reshape(len(flat), grads[0].shape[-1]).unbind(1)
        sums = [torch.bincount(flat, weights=column, minlength=CODES) for column in columns]
        return None, torch.stack(sums, dim=1).to(grads[0].dtype)


def look_up(codes: Tensor, table: Tensor) -> Tensor:
    """Rows (..., E) of a table (257,E) by code."""
    return _LookUp.apply(codes, table)


class Table(nn.Module):
    """What each code means: (codes, E) reals, to be int8 in steps of a column's power of two."""

    def __init__(self, codes: int, columns: int) -> None:
        super().__init__()
        weight = torch.randn(codes, columns) * 0.5
        levels = torch.arange(codes) / 255
        inside = (levels <= 1).float()
        if columns > 0:
            weight[:, 0] = 4 * levels * inside
        if columns > 1:
            weight[:, 1] = (torch.arange(codes) > 0).float() * inside
        if columns > 2:  # the highest values, spread: spikes differ by little
            weight[:, 2] = 4 * ((levels * 255 - 247) / 8).clamp(0, 1) * inside
        self.weight = nn.Parameter(weight)

    def exponents(self) -> Tensor:
        """(E,): the largest that keep every value in int8."""
        largest_E = self.weight.detach().abs().amax(dim=0).clamp_min(2.0**-20)
        return torch.floor(torch.log2((TABLE_LIMIT + 0.49) / largest_E))

    def forward(self, *, quantized: bool) -> Tensor:
        """The table, real or fake-quantized."""
        if not quantized:
            return self.weight
        scale_E = torch.exp2(self.exponents())
        return round_through(self.weight * scale_E) / scale_E


class Layer(nn.Module):
    """A matrix product with biases, some of them tables (by position, or by high value)."""

    def __init__(self, inputs: int, outputs: int, *, gain: float = 1.0, bias_rows: int = 1) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) * gain / inputs**0.5)
        self.bias = nn.Parameter(torch.zeros(bias_rows, outputs))
        self.more: list[nn.Parameter] = []
        """Further biases, whose rows are added."""
        self.out_exponents = torch.zeros(outputs)
        self.observed_O: Tensor | None = None
        self.kept: Tensor | None = None
        """The weights' exponents, kept while training: they change rarely, and take a pass over
        the weights."""

    def exponents(self, in_exponents_I: Tensor) -> Tensor:
        """Each output's exponent: `weight_exponents`."""
        largest = self.bias.detach().abs().amax(dim=0, keepdim=True)
        for table in self.more:
            largest = largest + table.detach().abs().amax(dim=0, keepdim=True)
        weight = self.weight * integers_scale(self.weight, in_exponents_I)
        return weight_exponents(weight, largest, self.out_exponents, HIDDEN_HIGH)

    def forward(
        self, x_PI: Tensor, in_exponents_I: Tensor, rows_P: Sequence[Tensor | int], *, quantized: bool
    ) -> Tensor:
        """Sums (P,O). rows_P: which rows of the bias, and of each further one."""
        biases = [self.bias, *self.more]
        weight = self.weight
        if quantized:
            if self.kept is None or not self.training:
                self.kept = self.exponents(in_exponents_I)
            scale_I = integers_scale(weight, in_exponents_I)
            weight = weights_through(weight * scale_I, self.kept) / scale_I
            scale_O = torch.exp2(self.kept)
            biases = [round_through(bias * scale_O) / scale_O for bias in biases]
        sums = F.linear(x_PI, weight)
        for bias, rows in zip(biases, rows_P, strict=True):
            sums = sums + bias[rows]
        return sums

    def hidden(self, sums_PO: Tensor, *, quantized: bool) -> Tensor:
        """A hidden layer's values from its sums."""
        values = leaky(sums_PO)
        if self.observed_O is not None and len(values):
            self.observed_O = torch.maximum(self.observed_O, values.detach().amax(dim=0))
        return quantize_through(values, self.out_exponents, HIDDEN_LOW, HIDDEN_HIGH) if quantized else values

    def logits(self, sums_PO: Tensor, *, quantized: bool) -> Tensor:
        """Logits from an output layer's sums."""
        if not quantized:
            return sums_PO
        return quantize_through(sums_PO, torch.tensor(float(LOGIT_EXPONENT)), -LOGIT_LIMIT, LOGIT_LIMIT)
