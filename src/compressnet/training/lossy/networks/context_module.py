"""The convolutional entropy model in torch: each symbol of the grid from its neighbours.

It is small where the masked MLP (`compressnet.training.lossy.networks.masked_module`) is large, so
it suits codecs that are embedded in archives, and grids of many channels.

The channels are cut into slices, and a slice is coded in four interleaved phases. A symbol's
distribution follows from the 3x3 positions around it: from all symbols of earlier slices, and
those of its own slice that earlier phases have shown (channel slices and spatial phases after
Minnen and Singh, arXiv:2007.08739, and He et al., arXiv:2103.15306). It also follows from where
the symbol is, by a learned bias for each row and each column.

Axes: B batch, D symbols, M mixture components, O outputs, G channels, R rows and C columns of the
grid.
"""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from compressnet.lossy.context import PHASES, PYRAMID_PHASES, context_order, phase_masks, pyramid_phases
from compressnet.lossy.prior import OUTPUTS
from compressnet.networks.dense import HIDDEN_HIGH
from compressnet.networks.program import ANCHORS
from compressnet.training.common.quantize import (
    WEIGHT_LIMIT,
    biases_through,
    leaky,
    over_qualities,
    round_through,
    weight_exponents,
    weights_through,
)
from compressnet.training.lossy.networks.distributions import (
    Distributions,
    output_exponents,
    start_apart,
    to_distributions,
)
from compressnet.training.lossy.networks.formats import DEQUANTIZED_LIMIT, SYMBOL_EXPONENT
from compressnet.training.lossy.networks.layers import Weighted
from compressnet.training.lossy.networks.prior_module import PriorModule


class Neighbourhood(nn.Module):
    """A slice's first layer: a 3x3 convolution with biases by quality, phase, row and column."""

    def __init__(
        self, outputs: int, inputs: int, rows: int, columns: int, *, positions: bool, phases: int = len(PHASES)
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, 3, 3) * 0.7 / math.sqrt(9 * inputs))
        self.bias = nn.Parameter(torch.zeros(ANCHORS, outputs))
        self.phase = nn.Parameter(torch.zeros(phases, outputs))
        self.row: Tensor
        self.column: Tensor
        if positions:
            self.row = nn.Parameter(torch.zeros(rows, outputs))
            self.column = nn.Parameter(torch.zeros(columns, outputs))
        else:  # the same for any number of rows and columns
            self.register_buffer("row", torch.zeros(1, outputs))
            self.register_buffer("column", torch.zeros(1, outputs))
        self.limit = WEIGHT_LIMIT
        self.exponents_O: Tensor | None = None

    def largest_bias(self) -> Tensor:
        """The largest magnitude that the biases can add up to, (1,O)."""
        parts = (self.bias, self.phase, self.row, self.column)
        return sum((part.detach().abs().amax(dim=0, keepdim=True) for part in parts), torch.zeros(1))

    def parts(self, in_exponent: float, out_exponent: float, *, quantized: bool) -> tuple[Tensor, ...]:
        """The weight, and biases by quality (100,O), phase, row and column."""
        if not quantized:
            return self.weight, over_qualities(self.bias), self.phase, self.row, self.column
        scaled = self.weight * 2.0**-in_exponent
        if self.exponents_O is None or not self.training:
            self.exponents_O = weight_exponents(
                scaled, self.largest_bias(), torch.tensor(out_exponent), DEQUANTIZED_LIMIT, self.limit
            )
        scale_O = torch.exp2(self.exponents_O)
        others = (round_through(part * scale_O) / scale_O for part in (self.phase, self.row, self.column))
        weight = weights_through(scaled, self.exponents_O, self.limit) * 2.0**in_exponent
        return weight, biases_through(self.bias, self.exponents_O), *others


class ContextModule(PriorModule):
    """The convolutional entropy model, to be trained."""

    def __init__(
        self, grid: tuple[int, int, int], slices: int, hidden: int, *, positions: bool = True, pyramid: bool = False
    ) -> None:
        """Make one of random weights.

        grid: channels, rows, columns. slices: how many the channels are cut into. hidden: units of
        either hidden layer. positions: whether there are biases for rows and columns. pyramid:
        whether the first slice's first phase is coded from coarse to fine; its layers are then the
        last of each list.
        """
        super().__init__()
        channels, rows, columns = grid
        self.grid = grid
        # as equal as can be, the larger ones last
        self.sizes = [(channels + i) // slices for i in range(slices)]
        order, group_symbols = context_order(
            np.array(grid, np.int32), np.array(self.sizes, np.int32), has_pyramid=pyramid
        )
        self.groups = [group.tolist() for group in np.split(order, np.cumsum(group_symbols)[:-1])]
        self.register_buffer("order", torch.tensor([i for group in self.groups for i in group]))
        known, lattice = phase_masks(rows, columns)
        self.known: Tensor
        self.lattice: Tensor
        self.register_buffer("known", torch.from_numpy(known))
        self.register_buffer("lattice", torch.from_numpy(lattice))
        self.has_pyramid = pyramid
        ends = [sum(self.sizes[: i + 1]) for i in range(len(self.sizes))]
        self.layer1 = nn.ModuleList(Neighbourhood(hidden, end, rows, columns, positions=positions) for end in ends)
        if pyramid:
            ends.append(self.sizes[0])
            self.layer1.append(Neighbourhood(hidden, ends[-1], 1, 1, positions=False, phases=PYRAMID_PHASES))
        self.layer2 = nn.ModuleList(Weighted((hidden, hidden), by_quality=False) for _ in ends)
        outputs = [OUTPUTS * size for _, size in self.spans]
        self.layer3 = nn.ModuleList(Weighted((count, hidden), by_quality=False, gain=0.3) for count in outputs)
        with torch.no_grad():
            for layer, (_, size) in zip(self.layer3, self.spans, strict=True):
                start_apart(layer.bias, size)  # pyright: ignore[reportArgumentType]

    @property
    def spans(self) -> list[tuple[int, int]]:
        """The first channel that each slice's layers code, and how many; the pyramid's last."""
        spans = [(sum(self.sizes[:i]), size) for i, size in enumerate(self.sizes)]
        return [*spans, spans[0]] if self.has_pyramid else spans

    def forward(self, y_hat_BD: Tensor, quality_B: Tensor, *, quantized: bool) -> Distributions:
        """Predict every symbol, in coding order, from the symbols before it."""
        y_BGRC = y_hat_BD.reshape(len(y_hat_BD), *self.grid)
        outputs: list[Tensor] = []
        start = 0
        for index, size in enumerate(self.sizes):
            found = self._slice(index, y_BGRC[:, : start + size], start, quality_B, quantized)
            outputs.append(found.reshape(len(found), OUTPUTS, -1))
            start += size
        return to_distributions(torch.cat(outputs, dim=2)[:, :, self.order], quantized=quantized)

    def _slice(self, index: int, y_BGRC: Tensor, start: int, quality_B: Tensor, quantized: bool) -> Tensor:
        """The outputs of a slice's symbols: (B,5*size,R,C).

        y_BGRC: the channels up to the slice's end.
        All phases at once: what a phase must not see is made zero before the convolution, and the
        positions of other phases after it.
        """
        layer1: Neighbourhood = self.layer1[index]  # pyright: ignore
        weight, by_quality, by_phase, by_row, by_column = self._parts(layer1, quantized)
        by_place = by_row.T[:, :, None] + by_column.T[:, None, :] + torch.einsum("pu,prc->urc", by_phase, self.lattice)
        x = by_place + by_quality[quality_B][:, :, None, None]
        if start:
            x = x + F.conv2d(y_BGRC[:, :start], weight[:, :start], padding=1)
        x = x + own_sums(y_BGRC[:, start:], weight[:, start:], self.known, self.lattice)
        outputs = self._outputs(index, x, quantized)
        if index or not self.has_pyramid:
            return outputs
        outputs = outputs.clone()
        outputs[:, :, ::2, ::2] = self._pyramid(y_BGRC[:, :, ::2, ::2], quality_B, quantized)
        return outputs

    def _pyramid(self, y_BSRC: Tensor, quality_B: Tensor, quantized: bool) -> Tensor:
        """The outputs at the places of the first slice's first phase, (B,5*size,R,C)."""
        layer1: Neighbourhood = self.layer1[-1]  # pyright: ignore
        weight, by_quality, by_phase, _, _ = self._parts(layer1, quantized)
        levels: list[Tensor] = []
        y = y_BSRC
        while True:
            known, lattice = (torch.from_numpy(mask).to(y) for mask in phase_masks(*y.shape[2:]))
            phases = pyramid_phases(len(levels))
            x = torch.einsum("pu,prc->urc", by_phase[phases], lattice) + by_quality[quality_B][:, :, None, None]
            levels.append(x + own_sums(y, weight, known, lattice))
            if max(y.shape[2:]) == 1:
                break
            y = y[:, :, ::2, ::2]
        whole = levels.pop()
        while levels:
            finer = levels.pop().clone()
            finer[:, :, ::2, ::2] = whole
            whole = finer
        return self._outputs(len(self.layer1) - 1, whole, quantized)

    def _parts(self, layer1: Neighbourhood, quantized: bool) -> tuple[Tensor, ...]:
        return layer1.parts(float(SYMBOL_EXPONENT), float(self.exponents["hidden1"]), quantized=quantized)

    def _outputs(self, index: int, x: Tensor, quantized: bool) -> Tensor:
        """From the sums of a first layer, (B,U,R,C), to the outputs."""
        size = self.spans[index][1]
        hidden1, hidden2 = self.exponent("hidden1"), self.exponent("hidden2")
        x = self.hidden("hidden1", leaky(x), quantized=quantized)
        matrix, bias = self.layer2[index](hidden1, hidden2, HIDDEN_HIGH, quantized=quantized)  # pyright: ignore
        x = F.conv2d(x, matrix[:, :, None, None], bias[0])
        x = self.hidden("hidden2", leaky(x), quantized=quantized)
        matrix, bias = self.layer3[index](  # pyright: ignore
            hidden2, output_exponents(size), HIDDEN_HIGH, quantized=quantized
        )
        return F.conv2d(x, matrix[:, :, None, None], bias[0])


def own_sums(y_BSRC: Tensor, weight: Tensor, known: Tensor, lattice: Tensor) -> Tensor:
    """What each phase sees of its own slice, convolved: (B,U,R,C).

    weight: (U,S,3,3). known, lattice: see `compressnet.lossy.context.phase_masks`.
    """
    later = range(1, len(PHASES))
    seen = torch.cat([y_BSRC * known[phase] for phase in later])
    parts = F.conv2d(seen, weight, padding=1).split(len(y_BSRC))
    return sum((part * lattice[phase] for phase, part in zip(later, parts, strict=True)), torch.zeros(1))
