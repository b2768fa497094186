"""Effort above 1: a search for symbols with a lower rate + lambda * distortion than one pass of the encoder gives.

Stochastic Gumbel annealing (Yang, Bamler and Mandt, "Improving Inference for Neural Image Compression",
arXiv:2006.04240): latents move along the gradient while each is rounded up or down at random, less and less so.
What it finds is judged in integers, by the frequencies and pixels that decoding will give: an image keeps the
encoder's symbols where the search found none that are cheaper.

Axes: N images, D symbols, H rows, W columns, C channels.
"""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]

STEPS = {2: 6, 3: 10, 4: 16, 5: 25, 6: 35, 7: 50, 8: 70, 9: 100}
"""Steps along the gradient for each effort."""
STEP_SYMBOLS = 0.02
"""How far a latent moves in a step, about, in units of symbols."""
FIRST_TEMPERATURE, LAST_TEMPERATURE = 0.5, 0.1
ANNEALING = 3.0
FIRST_MOMENT, SECOND_MOMENT = 0.9, 0.99
_MARGIN = 1e-4


class Gradient(Protocol):
    """What the search needs of a network at a quality, by some backend; float32 throughout."""

    def latents(self, x_NCHW: Float32) -> Float32:
        """The encoder's symbols before they are rounded, (N,D), of pixels 0 to 255."""
        ...

    def loss(self, k_ND: Float32, x_NCHW: Float32, weight: float) -> tuple[Float32, Float32]:
        """Bits + weight * squared error (N,) of real-valued symbols, and its gradient (N,D)."""
        ...


def anneal(gradient: Gradient, x_NCHW: Float32, bound_D: NDArray[np.integer], weight: float, steps: int) -> Float32:
    """Symbols (N,D) after some steps of stochastic Gumbel annealing, within +-bound."""
    generator = np.random.default_rng(0)
    limit_D = bound_D.astype(np.float32)
    y = np.clip(gradient.latents(x_NCHW), -limit_D, limit_D)
    first, second = np.zeros_like(y), np.zeros_like(y)
    for step in range(steps):
        share = step / steps
        temperature = max(FIRST_TEMPERATURE * math.exp(-ANNEALING * share), LAST_TEMPERATURE)
        below = np.floor(y)
        up, slope = _round_at_random(y - below, temperature, generator)
        _, along_k = gradient.loss(below + up, x_NCHW, weight)
        along_y = along_k * slope
        first += (1 - FIRST_MOMENT) * (along_y - first)
        second += (1 - SECOND_MOMENT) * (np.square(along_y) - second)
        rate = STEP_SYMBOLS * (1 - 0.9 * share) / (1 - FIRST_MOMENT ** (step + 1))
        root = np.sqrt(second / (1 - SECOND_MOMENT ** (step + 1))) + 1e-8
        y = np.clip(y - rate * first / root, -limit_D, limit_D).astype(np.float32)
    return np.floor(y + np.float32(0.5))


def _round_at_random(part: Float32, temperature: float, generator: np.random.Generator) -> tuple[Float32, Float32]:
    """How far between rounding down (0) and up (1) each latent goes, and the derivative by its fractional part.

    A Gumbel-softmax of two, whose noise is logistic; atanh keeps a latent that is nearly whole where it is.
    """
    part = np.clip(part, _MARGIN, 1 - _MARGIN)
    uniform = np.clip(generator.random(part.shape, np.float32), 1e-7, 1 - 1e-7)
    noise = np.log(uniform / (1 - uniform))
    lean = (np.arctanh(part) - np.arctanh(1 - part)) / temperature
    up = 0.5 + 0.5 * np.tanh(0.5 * (lean + noise) / temperature)  # the logistic function, without overflow
    by_part = (1 / (1 - np.square(part)) + 1 / (1 - np.square(1 - part))) / temperature**2
    return up.astype(np.float32), (up * (1 - up) * by_part).astype(np.float32)
