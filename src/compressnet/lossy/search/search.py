"""Effort above 1: a search for symbols that cost less than the encoder's.

The cost is rate + lambda * distortion, and one pass of the encoder gives the symbols to improve.
The first step is stochastic Gumbel annealing (Yang, Bamler and Mandt, "Improving Inference for
Neural Image Compression", arXiv:2006.04240): latents move along the gradient while each is rounded
up or down at random, less and less so. Then single symbols move by 1, greedily. All is judged in
integers, by the frequencies and pixels that decoding will give: an image keeps the encoder's
symbols where the search found none that are cheaper.

Axes: N images, D symbols, H rows, W columns, C channels.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Integers = NDArray[np.int32]

STEPS = {2: 0, 3: 0, 4: 8, 5: 16, 6: 28, 7: 50, 8: 80, 9: 130}
"""Steps along the gradient for each effort."""
ROUNDS = {2: 6, 3: 12, 4: 14, 5: 18, 6: 24, 7: 32, 8: 42, 9: 54}
"""Changes of one symbol that are tried after them."""
ROUNDS_PER_GRADIENT = 4
STEP_SYMBOLS = (0.02, 0.035)
"""How far a latent moves in a step, about, in units of symbols: where alphabets are small, and
where they are large."""
SMALL_BOUND, LARGE_BOUND = 5, 13
FIRST_TEMPERATURE, LAST_TEMPERATURE = 0.8, 0.2
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


Costs = Callable[[Integers], NDArray[np.float64]]
"""Exact bits + weight * squared error (N,) of whole symbols (N,D)."""


def search(
    gradient: Gradient,
    costs: Costs,
    x_NCHW: Float32,
    symbols_ND: Integers,
    bound_D: NDArray[np.integer],
    weight: float,
    effort: int,
) -> Integers:
    """Symbols (N,D), within +-bound, that cost no more than the given ones for any image.

    For most images they cost less.
    """
    cost_N = costs(symbols_ND)
    if STEPS[effort]:
        found_ND = anneal(gradient, x_NCHW, bound_D, weight, STEPS[effort]).astype(np.int32)
        symbols_ND, cost_N = _cheaper((symbols_ND, cost_N), (found_ND, costs(found_ND)))
    return _refine(gradient, costs, x_NCHW, (symbols_ND, cost_N), bound_D, weight, ROUNDS[effort])


def _cheaper(
    old: tuple[Integers, NDArray[np.float64]], new: tuple[Integers, NDArray[np.float64]]
) -> tuple[Integers, NDArray[np.float64]]:
    """For each image, the cheaper of two sets of symbols, and its cost."""
    better_N = new[1] < old[1]
    return np.where(better_N[:, None], new[0], old[0]), np.where(better_N, new[1], old[1])


def _refine(
    gradient: Gradient,
    costs: Costs,
    x_NCHW: Float32,
    best: tuple[Integers, NDArray[np.float64]],
    bound_D: NDArray[np.integer],
    weight: float,
    rounds: int,
) -> Integers:
    """Move one symbol of each image by 1 in each round, where that is cheaper: greedy descent.

    A symbol moves against its gradient's sign; the steepest one that has not been tried comes
    first.
    """
    rows = np.arange(len(x_NCHW))
    untried_ND = np.broadcast_to(bound_D > 0, best[0].shape).copy()
    gradient_ND = np.zeros(best[0].shape, np.float32)
    for i in range(rounds):
        if i % ROUNDS_PER_GRADIENT == 0:
            _, gradient_ND = gradient.loss(best[0].astype(np.float32), x_NCHW, weight)
        moved_ND = best[0] - np.sign(gradient_ND).astype(np.int32)
        possible_ND = untried_ND & (np.abs(moved_ND) <= bound_D)
        chosen = np.where(possible_ND, np.abs(gradient_ND), -1).argmax(axis=1)
        changed_ND = best[0].copy()
        changed_ND[rows, chosen] = np.where(possible_ND[rows, chosen], moved_ND[rows, chosen], best[0][rows, chosen])
        untried_ND[rows, chosen] = False
        best = _cheaper(best, (changed_ND, costs(changed_ND)))
    return best[0]


def anneal(gradient: Gradient, x_NCHW: Float32, bound_D: NDArray[np.integer], weight: float, steps: int) -> Float32:
    """Symbols (N,D) after some steps of stochastic Gumbel annealing, within +-bound."""
    generator = np.random.default_rng(0)
    limit_D = bound_D.astype(np.float32)
    rate_D = np.interp(limit_D, (SMALL_BOUND, LARGE_BOUND), STEP_SYMBOLS).astype(np.float32)
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
        rate_D_now = rate_D * np.float32((1 - 0.9 * share) / (1 - FIRST_MOMENT ** (step + 1)))
        root = np.sqrt(second / (1 - SECOND_MOMENT ** (step + 1))) + 1e-8
        y = np.clip(y - rate_D_now * first / root, -limit_D, limit_D).astype(np.float32)
    return np.floor(y + np.float32(0.5))


def _round_at_random(part: Float32, temperature: float, generator: np.random.Generator) -> tuple[Float32, Float32]:
    """How far between rounding down (0) and up (1) each latent goes, and the derivative.

    The derivative is with respect to the fractional part. This is a Gumbel-softmax of two, whose
    noise is logistic; atanh keeps a latent that is nearly whole where it is.
    """
    part = np.clip(part, _MARGIN, 1 - _MARGIN)
    uniform = np.clip(generator.random(part.shape, np.float32), 1e-7, 1 - 1e-7)
    noise = np.log(uniform / (1 - uniform))
    lean = (np.arctanh(part) - np.arctanh(1 - part)) / temperature
    up = 0.5 + 0.5 * np.tanh(0.5 * (lean + noise) / temperature)  # the logistic function, without overflow
    by_part = (1 / (1 - np.square(part)) + 1 / (1 - np.square(1 - part))) / temperature**2
    return up.astype(np.float32), (up * (1 - up) * by_part).astype(np.float32)
