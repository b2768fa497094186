"""What either entropy model predicts: discretised mixtures of two logistics.

After PixelCNN++ (Salimans et al., arXiv:1701.05517).

Axes: B batch, D symbols, M mixture components.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from compressnet.lossy.prior import MEAN_RANGE, OUTPUTS, SCALE_RANGE, WEIGHT_RANGE
from compressnet.networks.program import Range
from compressnet.training.common.quantize import quantize_through

MEAN_EXPONENT = 7
SCALE_EXPONENT = 3
WEIGHT_EXPONENT = 4
FLOOR = 2.0**-16
"""Every symbol of the alphabet keeps about this probability (docs/FORMAT.md)."""

OUTPUT_EXPONENTS = (MEAN_EXPONENT, SCALE_EXPONENT, MEAN_EXPONENT, SCALE_EXPONENT, WEIGHT_EXPONENT)
"""Of a symbol's outputs: mean, log scale, mean, log scale, weight."""
assert len(OUTPUT_EXPONENTS) == OUTPUTS

Distributions = tuple[Tensor, Tensor, Tensor]
"""Means (M,B,D), log2 scales (M,B,D) and the first component's weight (B,D), in coding order."""


def output_exponents(symbols: int) -> Tensor:
    """The exponents of the outputs for so many symbols, kind by kind: (5*symbols,)."""
    return torch.repeat_interleave(torch.tensor(OUTPUT_EXPONENTS, dtype=torch.float32), symbols)


def start_apart(bias: Tensor, symbols: int) -> None:
    """Let the distributions of so many symbols start with a narrow and a wide component.

    bias: (1, 5*symbols), of the layer that gives them.
    """
    bias[:, symbols : 2 * symbols] = -0.3
    bias[:, 3 * symbols : 4 * symbols] = 0.7


def to_distributions(outputs: Tensor, *, quantized: bool) -> Distributions:
    """The entropy model's outputs (B,5,D), real or fake-quantized, as distributions."""
    mean1, scale1, mean2, scale2, weight = outputs.unbind(1)
    if quantized:
        mean1, mean2 = (_rounded(mean, MEAN_EXPONENT, MEAN_RANGE) for mean in (mean1, mean2))
        scale1, scale2 = (_rounded(scale, SCALE_EXPONENT, SCALE_RANGE) for scale in (scale1, scale2))
        weight = _rounded(weight, WEIGHT_EXPONENT, WEIGHT_RANGE)
    first_BD = torch.clamp(torch.sigmoid(weight), 1 / 256, 255 / 256)
    return torch.stack([mean1, mean2]), torch.stack([scale1, scale2]), first_BD


def _rounded(x_BD: Tensor, exponent: int, limits: Range) -> Tensor:
    """An output of the entropy model, fake-quantized."""
    return quantize_through(x_BD, torch.tensor(float(exponent)), *limits)


def mixture_bits(k_BD: Tensor, mean_MBD: Tensor, log2_scale_MBD: Tensor, first_BD: Tensor) -> Tensor:
    """-log2 of the mixture's mass on the interval k +- 1/2, in units of symbols: (B,D)."""
    inverse_MBD = torch.exp2(-log2_scale_MBD)
    centre_MBD, half_MBD = torch.abs((k_BD - mean_MBD) * inverse_MBD), 0.5 * inverse_MBD
    # the low end is below 0, where a difference loses no digits
    high, low = half_MBD - centre_MBD, -half_MBD - centre_MBD
    log_high, log_low = F.logsigmoid(high), F.logsigmoid(low)
    log_mass = log_high + torch.log(-torch.expm1(torch.clamp(log_low - log_high, max=-1e-6)))
    log_weights = torch.stack([torch.log(first_BD), torch.log1p(-first_BD)])
    log_p = torch.logsumexp(log_mass + log_weights, dim=0)
    return -torch.logaddexp(log_p, torch.full_like(log_p, math.log(FLOOR))) / math.log(2)
