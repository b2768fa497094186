"""Fake quantization: floats that hold exactly what the integer networks will hold.

Straight-through gradients (Bengio et al., arXiv:1308.3432) with power-of-two steps. In float32 the values are
already exact, as every accumulator stays under 2^24; the freeze checks them again in float64.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx

from compressnet.exact import ANCHOR_STEP, EXACT_BELOW, QUALITIES, SHIFT_LIMIT


class _Quantize(torch.autograd.Function):
    """clamp(floor(x * scale + 1/2), low, high) / scale; the gradient passes where it does not clamp."""

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
    def forward(ctx: FunctionCtx, weight: Tensor, scale: Tensor) -> Tensor:
        return (weight * scale).add_(0.5).floor_().clamp_(-127, 127).div_(scale)

    @staticmethod
    def backward(ctx: FunctionCtx, *grads: Tensor) -> tuple[Tensor, None]:
        return grads[0], None


def round_through(x: Tensor) -> Tensor:
    """floor(x + 1/2) forward, the identity backward."""
    return x + (torch.floor(x + 0.5) - x).detach()


def quantize_through(x: Tensor, exponents: Tensor, low: int, high: int) -> Tensor:
    """Round to steps of 2^-exponent and clamp to [low, high] steps; no gradient where it clamps.

    x: (B,C,...); exponents: (C,), or () for all channels alike.
    """
    scale = torch.exp2(exponents).to(x.dtype)
    return _Quantize.apply(x, scale.reshape(scale.shape + (1,) * (x.dim() - 2)) if scale.dim() else scale, low, high)


def over_qualities(anchors_AO: Tensor) -> Tensor:
    """Linear interpolation of the anchors: (12,O) -> (100,O); a single row stays one."""
    if len(anchors_AO) == 1:
        return anchors_AO
    quality = torch.arange(QUALITIES, device=anchors_AO.device)
    lower = quality // ANCHOR_STEP
    upper = torch.clamp(lower + 1, max=len(anchors_AO) - 1)
    step = (quality % ANCHOR_STEP).to(anchors_AO.dtype)[:, None] / ANCHOR_STEP
    return anchors_AO[lower] * (1 - step) + anchors_AO[upper] * step


def biases_through(anchors_AO: Tensor, exponents_O: Tensor) -> Tensor:
    """Biases at every quality, rounded as the integer networks do (`compressnet.exact.bias_at`): (1 or 100, O)."""
    scale_O = torch.exp2(exponents_O)
    integers_AO = torch.floor(anchors_AO.detach() * scale_O + 0.5)
    real_QO = over_qualities(anchors_AO)
    exact_QO = torch.floor(over_qualities(integers_AO) + 0.5) / scale_O
    if len(anchors_AO) > 1:
        quality = torch.arange(QUALITIES, device=anchors_AO.device)
        lower = quality // ANCHOR_STEP
        upper = torch.clamp(lower + 1, max=len(anchors_AO) - 1)
        step = (quality % ANCHOR_STEP)[:, None].to(torch.float64)
        sums = integers_AO.double()[lower] * (ANCHOR_STEP - step) + integers_AO.double()[upper] * step
        exact_QO = torch.floor(sums / ANCHOR_STEP + 0.5).to(anchors_AO.dtype) / scale_O
    return real_QO + (exact_QO - real_QO).detach()


def weight_exponents(weight: Tensor, bias_AO: Tensor, out_exponents: Tensor, in_largest: int) -> Tensor:
    """Each output channel's exponent e, the integers being round(w * 2^e) and round(b * 2^e): (O,), whole floats.

    weight: what multiplies integers of up to in_largest. out_exponents: (O,) or (), of the outputs' steps.
    The largest e for which |w| <= 127 and sum|w| * max|x| + |b| < 2^24 hold and the shift after the sum stays
    within +-SHIFT_LIMIT. So the freeze never meets a network that it must refuse.
    """
    with torch.no_grad():
        rows = weight.detach().flatten(1)
        largest_O = rows.abs().amax(dim=1).clamp_min(2.0**-30)
        exponents_O = torch.floor(torch.log2(127.49 / largest_O))
        room_O = rows.abs().sum(dim=1) * in_largest + bias_AO.detach().abs().amax(dim=0)
        exponents_O = torch.minimum(
            exponents_O, torch.floor(torch.log2((EXACT_BELOW - 1) / room_O.clamp_min(2.0**-30)))
        )
        limit_O = torch.zeros_like(exponents_O) + SHIFT_LIMIT + out_exponents
        exponents_O = torch.clamp(torch.minimum(exponents_O, limit_O), -16, 24)
        for _ in range(2):  # what rounding adds can reach the bound only where it was met within a hair
            integers = torch.floor(rows * torch.exp2(exponents_O)[:, None] + 0.5).abs()
            bias_O = bias_AO.detach().abs().amax(dim=0) * torch.exp2(exponents_O) + 1
            over_O = (integers.sum(dim=1) * in_largest + bias_O >= EXACT_BELOW) | (integers.amax(dim=1) > 127)
            exponents_O = exponents_O - over_O.to(exponents_O.dtype)
    return exponents_O


def weights_through(weight: Tensor, exponents_O: Tensor) -> Tensor:
    """Weights rounded to integers times 2^-exponent, per output channel."""
    return _QuantizeWeight.apply(weight, torch.exp2(exponents_O).reshape(-1, *([1] * (weight.dim() - 1))))
