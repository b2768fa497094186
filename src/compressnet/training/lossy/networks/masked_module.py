"""The masked MLP in torch: the entropy model that sees all symbols of earlier groups.

Axes: B batch, D symbols, M mixture components. Real values throughout; with `quantized` they are
exact multiples of the integers' steps.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from compressnet.lossy.prior import OUTPUTS
from compressnet.networks.dense import HIDDEN_HIGH
from compressnet.training.common.quantize import leaky, over_qualities
from compressnet.training.lossy.networks.distributions import (
    Distributions,
    output_exponents,
    start_apart,
    to_distributions,
)
from compressnet.training.lossy.networks.formats import DEQUANTIZED_LIMIT, SYMBOL_EXPONENT
from compressnet.training.lossy.networks.layers import Weighted, bias_rows
from compressnet.training.lossy.networks.prior_module import PriorModule


class MaskedModule(PriorModule):
    """A masked MLP over groups of symbols: it predicts each group from the groups before it.

    After MADE (Germain et al., arXiv:1502.03509), with hidden units that belong to groups, so that
    decoding computes every unit once. Means and scales are in units of the dequantized symbols.
    """

    def __init__(self, groups: list[list[int]], hidden: list[int]) -> None:
        """groups: symbol indices in order of coding; hidden: units of each group."""
        super().__init__()
        sizes = [len(group) for group in groups]
        group_of_symbol = torch.repeat_interleave(torch.arange(len(groups)), torch.tensor(sizes))
        group_of_unit = torch.repeat_interleave(torch.arange(len(groups)), torch.tensor(hidden))
        group_of_output = group_of_symbol.repeat(OUTPUTS)
        total, units = len(group_of_symbol), len(group_of_unit)
        self.mask1: Tensor
        self.mask2: Tensor
        self.mask3: Tensor
        self.register_buffer("order", torch.tensor([i for group in groups for i in group]))
        self.register_buffer("mask1", (group_of_unit[:, None] > group_of_symbol[None]).float())
        self.register_buffer("mask2", (group_of_unit[:, None] >= group_of_unit[None]).float())
        self.register_buffer("mask3", (group_of_output[:, None] >= group_of_unit[None]).float())
        self.groups, self.units = groups, hidden
        self.layer1 = Weighted((units, total), by_quality=True)
        self.layer2 = Weighted((units, units), by_quality=False)
        self.layer3 = Weighted((OUTPUTS * total, units), by_quality=False, gain=0.3)
        with torch.no_grad():
            for layer, mask in zip(self.layers(), (self.mask1, self.mask2, self.mask3), strict=True):
                seen = mask.sum(dim=1, keepdim=True).clamp_min(1)
                layer.weight.mul_(mask * torch.sqrt(mask.shape[1] / seen))
            start_apart(self.layer3.bias, total)

    def layers(self) -> tuple[Weighted, Weighted, Weighted]:
        """The three layers, in order."""
        return self.layer1, self.layer2, self.layer3

    def masked(self, index: int, *, quantized: bool) -> tuple[Tensor, Tensor]:
        """Weight and biases of layer 0, 1 or 2, with its mask applied."""
        layer = self.layers()[index]
        mask = (self.mask1, self.mask2, self.mask3)[index]
        if not quantized:
            return layer.weight * mask, over_qualities(layer.bias)
        hidden1, hidden2 = self.exponent("hidden1"), self.exponent("hidden2")
        in_exponents = (torch.tensor(float(SYMBOL_EXPONENT)), hidden1, hidden2)[index]
        in_largest = (DEQUANTIZED_LIMIT, HIDDEN_HIGH, HIDDEN_HIGH)[index]
        out_exponents = (hidden1, hidden2, output_exponents(len(self.order)).to(self.order.device))[index]
        return layer.quantized(layer.weight * mask, in_exponents, out_exponents, in_largest)

    def forward(self, y_hat_BD: Tensor, quality_B: Tensor, *, quantized: bool) -> Distributions:
        """Predict every symbol, in coding order, from the symbols of earlier groups."""
        x = y_hat_BD[:, self.order]
        for index in range(3):
            weight, bias = self.masked(index, quantized=quantized)
            x = F.linear(x, weight) + bias_rows(bias, quality_B)
            if index < 2:
                x = self.hidden(f"hidden{index + 1}", leaky(x), quantized=quantized)
        return to_distributions(x.reshape(len(x), OUTPUTS, -1), quantized=quantized)
