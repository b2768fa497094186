"""The tables of adaptive models: squash, stretch and logarithm, by their formulas."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray


@cache
def squash_table() -> NDArray[np.uint16]:
    """(4096,): the probability of 16 bits that i - 2048 is the logit of, in 1/256."""
    shares = (65536 / (1 + math.exp((2048 - i) / 256)) for i in range(4096))
    return np.array([min(65520, max(16, math.floor(share + 0.5))) for share in shares], np.uint16)


@cache
def stretch_table() -> NDArray[np.int16]:
    """(4096,): the logit of (i + 1/2) / 4096, in 1/256."""
    logits = (round(256 * math.log((i + 0.5) / (4095.5 - i))) for i in range(4096))
    return np.array([min(2047, max(-2047, logit)) for logit in logits], np.int16)


@cache
def logarithm_table() -> NDArray[np.uint16]:
    """(4096,): the logarithm of i + 1, in 1/256."""
    return np.array([math.floor(256 * math.log(i + 1) + 0.5) for i in range(4096)], np.uint16)
