"""Fake quantization: floats that hold exactly what the integer networks will hold.

Straight-through gradients (Bengio et al., arXiv:1308.3432) with power-of-two steps. In float32 the
values are already exact, as every accumulator stays under 2^24; the freeze checks them again in
float64.
"""

from __future__ import annotations

import functools

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.function import FunctionCtx

from compressnet.networks.program import ANCHOR_STEP, ANCHORS, LEAKY_SHIFT, QUALITIES
from compressnet.networks.proof import EXACT_BELOW, SHIFT_LIMIT

Integers = NDArray[np.int64]
WEIGHT_LIMIT = 127
"""The largest magnitude of int8 weights."""


class _Quantize(torch.autograd.Function):
    """clamp(floor(x * scale + 1/2), low, high) / scale; no gradient where it clamps."""

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor, scale: Tensor, low: int, high: int) -> Tensor:
        steps = (x * scale).add_(0.5).floor_()
        y = steps.clamp(low, high)
        ctx.save_for_backward((steps == y).to(x.dtype))
        return y.mul_(1 / scale)

    @staticmethod
    def backward(ctx: FunctionCtx, *grads: Tensor) -> tuple[Tensor, None, None, None]:
        (inside,) = ctx.saved_tensors
        return grads[0] * inside, None, None, None


class _QuantizeWeight(torch.autograd.Function):
    """Weights to int8 times a scale per output; the gradient passes everywhere."""

    @staticmethod
    def forward(ctx: FunctionCtx, weight: Tensor, scale: Tensor, limit: int) -> Tensor:
        return (weight * scale).add_(0.5).floor_().clamp_(-limit, limit).div_(scale)

    @staticmethod
    def backward(ctx: FunctionCtx, *grads: Tensor) -> tuple[Tensor, None, None]:
        return grads[0], None, None


def round_through(x: Tensor) -> Tensor:
    """floor(x + 1/2) forward, the identity backward."""
    return x + (torch.floor(x + 0.5) - x).detach()


def quantize_through(x: Tensor, exponents: Tensor, low: int, high: int) -> Tensor:
    """Round to steps of 2^-exponent and clamp to [low, high] steps; no gradient where it clamps.

    x: (B,C,...); exponents: (C,), or () for all channels alike.
    """
    scale = torch.exp2(exponents).to(x.dtype)
    return _Quantize.apply(x, scale.reshape(scale.shape + (1,) * (x.dim() - 2)) if scale.dim() else scale, low, high)


@functools.cache
def _shares(device: torch.device, dtype: torch.dtype) -> Tensor:
    """How many ninths of each anchor a quality is made of: (100,12), whole numbers."""
    quality = torch.arange(QUALITIES)
    lower = quality // ANCHOR_STEP
    shares = torch.zeros(QUALITIES, ANCHORS)
    shares[quality, lower] = (ANCHOR_STEP - quality % ANCHOR_STEP).float()
    shares[quality, torch.clamp(lower + 1, max=ANCHORS - 1)] += (quality % ANCHOR_STEP).float()
    return shares.to(device, dtype)


def over_qualities(anchors_AO: Tensor) -> Tensor:
    """Linear interpolation of the anchors: (12,O) -> (100,O); a single row stays one."""
    if len(anchors_AO) == 1:
        return anchors_AO
    return _shares(anchors_AO.device, anchors_AO.dtype) @ anchors_AO / ANCHOR_STEP


def biases_through(anchors_AO: Tensor, exponents_O: Tensor) -> Tensor:
    """Biases at every quality, rounded as by `networks.numpy.bias_at`: (1 or 100, O)."""
    scale_O = torch.exp2(exponents_O)
    exact_QO = torch.floor(anchors_AO.detach() * scale_O + 0.5)
    if len(anchors_AO) > 1:
        # whole numbers, so the sums are exact in any order
        sums = _shares(anchors_AO.device, torch.float64) @ exact_QO.double()
        exact_QO = torch.floor(sums / ANCHOR_STEP + 0.5).to(anchors_AO.dtype)
    real_QO = over_qualities(anchors_AO)
    return real_QO + (exact_QO / scale_O - real_QO).detach()


def weight_exponents(
    weight: Tensor, bias_AO: Tensor, out_exponents: Tensor, in_largest: int, limit: int = WEIGHT_LIMIT
) -> Tensor:
    """Each output channel's exponent e, for integers round(w * 2^e) and round(b * 2^e): (O,).

    It is the largest whole e for which |w| <= limit and sum|w| * max|x| + |b| < 2^24 hold and the
    shift after the sum stays within +-SHIFT_LIMIT. So the freeze never meets a network that it
    must refuse.

    weight: what multiplies integers of up to in_largest. out_exponents: (O,) or (), of the
    outputs' steps.
    """
    with torch.no_grad():
        rows = weight.detach().flatten(1)
        largest_O = rows.abs().amax(dim=1).clamp_min(2.0**-30)
        exponents_O = torch.floor(torch.log2((limit + 0.49) / largest_O))
        room_O = rows.abs().sum(dim=1) * in_largest + bias_AO.detach().abs().amax(dim=0)
        exponents_O = torch.minimum(
            exponents_O, torch.floor(torch.log2((EXACT_BELOW - 1) / room_O.clamp_min(2.0**-30)))
        )
        limit_O = torch.zeros_like(exponents_O) + SHIFT_LIMIT + out_exponents
        exponents_O = torch.clamp(torch.minimum(exponents_O, limit_O), -16, 24)
        for _ in range(2):  # rounding adds a little, which can be too much close to the bound
            integers = torch.floor(rows * torch.exp2(exponents_O)[:, None] + 0.5).abs()
            bias_O = bias_AO.detach().abs().amax(dim=0) * torch.exp2(exponents_O) + 1
            over_O = (integers.sum(dim=1) * in_largest + bias_O >= EXACT_BELOW) | (integers.amax(dim=1) > limit)
            exponents_O = exponents_O - over_O.to(exponents_O.dtype)
    return exponents_O


def weights_through(weight: Tensor, exponents_O: Tensor, limit: int = WEIGHT_LIMIT) -> Tensor:
    """Weights rounded to integers of up to +-limit times 2^-exponent, per output channel."""
    return _QuantizeWeight.apply(weight, torch.exp2(exponents_O).reshape(-1, *([1] * (weight.dim() - 1))), limit)


def leaky(x: Tensor) -> Tensor:
    """Leaky ReLU of slope 1/8."""
    return F.leaky_relu(x, 2.0**-LEAKY_SHIFT)


def integers_scale(weight: Tensor, in_exponents: Tensor) -> Tensor:
    """What makes weights (O,I,...) take integers as inputs: a factor 2^-exponent for each input.

    in_exponents: () or (C,), where every channel has I/C inputs.
    """
    if in_exponents.dim() == 0:
        return torch.exp2(-in_exponents).to(weight.dtype)
    each = torch.repeat_interleave(in_exponents, weight.shape[1] // len(in_exponents))
    return torch.exp2(-each).to(weight.dtype).reshape(1, -1, *([1] * (weight.dim() - 2)))


def integers(values: torch.Tensor, exponents: torch.Tensor | int) -> Integers:
    """Values in whole steps of 2^-exponent."""
    scaled = values.detach().double() * torch.exp2(torch.as_tensor(exponents, dtype=torch.float64))
    return torch.floor(scaled + 0.5).long().numpy()
