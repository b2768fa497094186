"""The masked MLP in torch: each symbol's distribution from all symbols of earlier groups.

Axes: B batch, D symbols, M mixture components. Real values throughout; with `quantized` they are exact multiples of
the integers' steps.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from compressnet.training.common.quantize import leaky, over_qualities, quantize_through
from compressnet.training.lossy.networks.architecture import SYMBOL_EXPONENT
from compressnet.training.lossy.networks.distributions import output_exponents, settled, to_distributions
from compressnet.training.lossy.networks.layers import DEQUANTIZED_LIMIT, Weighted, bias_rows


class MaskedPrior(nn.Module):
    """A masked MLP over groups of symbols: each group's distributions from the groups before it.

    After MADE (Germain et al., arXiv:1502.03509), with hidden units that belong to groups, so that decoding
    computes every unit once. Each symbol is a mixture of two logistics, discretised
    (PixelCNN++, arXiv:1701.05517), its means and scales in units of the dequantized symbols.
    """

    def __init__(self, groups: list[list[int]], hidden: list[int]) -> None:
        """groups: symbol indices in order of coding; hidden: units of each group."""
        super().__init__()
        sizes = [len(group) for group in groups]
        group_of_symbol = torch.repeat_interleave(torch.arange(len(groups)), torch.tensor(sizes))
        group_of_unit = torch.repeat_interleave(torch.arange(len(groups)), torch.tensor(hidden))
        group_of_output = group_of_symbol.repeat(5)
        total, units = len(group_of_symbol), len(group_of_unit)
        self.order: Tensor
        self.mask1: Tensor
        self.mask2: Tensor
        self.mask3: Tensor
        self.register_buffer("order", torch.tensor([i for group in groups for i in group]))
        self.register_buffer("mask1", (group_of_unit[:, None] > group_of_symbol[None]).float())
        self.register_buffer("mask2", (group_of_unit[:, None] >= group_of_unit[None]).float())
        self.register_buffer("mask3", (group_of_output[:, None] >= group_of_unit[None]).float())
        self.groups, self.hidden = groups, hidden
        self.layer1 = Weighted((units, total), by_quality=True)
        self.layer2 = Weighted((units, units), by_quality=False)
        self.layer3 = Weighted((5 * total, units), by_quality=False, gain=0.3)
        with torch.no_grad():
            for layer, mask in zip(self.layers(), (self.mask1, self.mask2, self.mask3), strict=True):
                seen = mask.sum(dim=1, keepdim=True).clamp_min(1)
                layer.weight.mul_(mask * torch.sqrt(mask.shape[1] / seen))
            self.layer3.bias[:, total : 2 * total] = -0.3
            self.layer3.bias[:, 3 * total : 4 * total] = 0.7
        self.exponents: dict[str, int] = {"hidden1": 4, "hidden2": 4}
        self.observed: dict[str, float] | None = None

    def layers(self) -> tuple[Weighted, Weighted, Weighted]:
        """The three layers, in order."""
        return self.layer1, self.layer2, self.layer3

    def get_extra_state(self) -> dict[str, int]:
        return dict(self.exponents)

    def set_extra_state(self, state: dict[str, int]) -> None:
        self.exponents = dict(state)

    def masked(self, index: int, *, quantized: bool) -> tuple[Tensor, Tensor]:
        """Weight and biases of layer 0, 1 or 2, its mask applied."""
        layer = self.layers()[index]
        mask = (self.mask1, self.mask2, self.mask3)[index]
        in_exponent, in_largest = (
            (float(SYMBOL_EXPONENT), DEQUANTIZED_LIMIT),
            (float(self.exponents["hidden1"]), 223),
            (float(self.exponents["hidden2"]), 223),
        )[index]
        if not quantized:
            return layer.weight * mask, over_qualities(layer.bias)
        hidden1, hidden2 = (torch.tensor(float(self.exponents[name])) for name in ("hidden1", "hidden2"))
        out_exponents = (hidden1, hidden2, output_exponents(len(self.order)).to(self.order.device))[index]
        return layer.quantized(layer.weight * mask, torch.tensor(in_exponent), out_exponents, in_largest)

    def forward(self, y_hat_BD: Tensor, quality_B: Tensor, *, quantized: bool) -> tuple[Tensor, Tensor, Tensor]:
        """Means (M,B,D), log2 scales (M,B,D) and the first component's weight (B,D), in coding order."""
        x = y_hat_BD[:, self.order]
        for index in range(3):
            weight, bias = self.masked(index, quantized=quantized)
            x = F.linear(x, weight) + bias_rows(bias, quality_B)
            if index < 2:
                x = leaky(x)
                name = f"hidden{index + 1}"
                if self.observed is not None:
                    flat = x.detach().flatten()[:1_000_000:5]
                    needed = float(torch.quantile(flat, 0.9999)) / 223
                    self.observed[name] = max(self.observed.get(name, 2.0**-12), needed)
                if quantized:
                    x = quantize_through(x, torch.tensor(float(self.exponents[name])), -32, 223)
        return to_distributions(x.reshape(len(x), 5, -1), quantized=quantized)

    def settle(self) -> None:
        """Fix the hidden exponents from what was observed, and stop observing."""
        self.exponents |= settled(self.observed)
        self.observed = None
