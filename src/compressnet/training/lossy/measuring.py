"""What a model in training is worth on held-out images, and whether going on pays.

Axes: N images, H rows, W columns, C channels, B batch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch

from compressnet.images.alpha import with_hidden_of
from compressnet.images.kinds import Images
from compressnet.images.metrics import psnr_of_mse, ssim
from compressnet.training.common.options import Measured
from compressnet.training.lossy.networks.formats import PIXEL_EXPONENT, PIXEL_LIMIT
from compressnet.training.lossy.networks.model import Model
from compressnet.training.lossy.networks.pixels import to_pixels
from compressnet.training.lossy.parts import Part

MEASURED_TOGETHER = 128
JUDGED_OVER, PAYS = 0.2, 0.003
"""A training pays while it lowers the cost by 0.3 % over a fifth of its schedule."""


def measure(
    parts: Sequence[Part],
    models: Sequence[Model],
    quality: int,
    count: int,
    *,
    quantized: bool,
    with_ssim: bool = False,
) -> Measured:
    """Measure `count` held-out images, each part's share with the part's model.

    The colour of fully transparent pixels does not count.
    """
    total = sum(len(part.sample) for part in parts)
    bits = squares = 0.0
    images = values = 0
    similar: list[tuple[int, float]] = []
    for part, model in zip(parts, models, strict=True):
        chosen = part.sample[: -(-min(count, total) * len(part.sample) // total)]
        decoded, some_bits = _decoded(model, chosen, quality, part.device, quantized)
        seen = with_hidden_of(decoded, chosen)
        bits, squares = bits + some_bits, squares + float(np.square(seen.astype(np.int64) - chosen).sum())
        images, values = images + len(chosen), values + chosen.size
        value = ssim(chosen, seen) if with_ssim else None
        if value is not None:
            similar.append((len(chosen), value))
    weight = sum(count for count, _ in similar)
    return Measured(
        quality=quality,
        bytes_per_image=bits / 8 / images,
        psnr=psnr_of_mse(squares / values / 255**2),
        ssim=sum(count * value for count, value in similar) / weight if weight else None,
    )


def _decoded(
    model: Model, images_NHWC: Images, quality: int, device: torch.device, quantized: bool
) -> tuple[Images, float]:
    """Images (N,H,W,C) as they come back, and the bits of all of them."""
    parts: list[Images] = []
    bits = 0.0
    with torch.no_grad():
        for i in range(0, len(images_NHWC), MEASURED_TOGETHER):
            x = to_pixels(images_NHWC[i : i + MEASURED_TOGETHER], torch.float32).to(device)
            quality_B = torch.full((len(x),), quality, device=device)
            outcome = model(x, quality_B, quantized=quantized)
            pixels = torch.clamp(torch.floor(outcome.x_hat * 2**PIXEL_EXPONENT + 0.5), 0, PIXEL_LIMIT)
            parts.append(pixels.permute(0, 2, 3, 1).to(torch.uint8).cpu().numpy())
            bits += float(outcome.bits_B.sum())
    return np.concatenate(parts), bits


def cost_of(points: Sequence[Measured], lambdas: Sequence[float], values: int) -> float:
    """The training's loss at some qualities, summed; values: pixels times channels of an image."""
    cost = 0.0
    for point in points:
        weight = lambdas[point.quality]
        squares = 10 ** (-point.psnr / 10) * values
        cost += (8 * point.bytes_per_image + weight * squares) / math.sqrt(weight)
    return cost


class Returns:
    """Costs so far: (share of the schedule, qualities, cost)."""

    def __init__(self, costs: Sequence[tuple[float, tuple[int, int], float]] = ()) -> None:
        self.costs = list(costs)

    def note(self, share: float, qualities: tuple[int, int], cost: float) -> None:
        """Remember a cost."""
        self.costs.append((share, qualities, cost))

    def pay(self, share: float, qualities: tuple[int, int], cost: float) -> bool:
        """Whether the cost is clearly below those of a while ago.

        True if no cost of the same qualities is as old.
        """
        before = [old for when, which, old in self.costs if which == qualities and when <= share - JUDGED_OVER]
        return not before or cost <= (1 - PAYS) * min(before)
