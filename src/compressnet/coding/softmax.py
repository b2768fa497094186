"""Logits to frequencies by an integer softmax: what pixel models use."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LOGIT_STEPS = 64
"""Logits are in 1/64 of a nat."""
EXP_STEPS = 1024
EXP_BITS = 20
TOTAL_BITS = 24
LEAST_FREQUENCY = 16


def exp_table() -> NDArray[np.int64]:
    """(1024,): 2^20 e^(-i/64), rounded.

    The same integers on every machine: no value lies within 10^-4 of where its rounding turns.
    """
    return np.floor(np.exp(np.arange(EXP_STEPS) / -LOGIT_STEPS) * (1 << EXP_BITS) + 0.5).astype(np.int64)


_EXP = exp_table().astype(np.float64)


def frequencies(logits_An: NDArray[np.float32]) -> NDArray[np.float64]:
    """Frequencies (A,n) of n symbols from their logits: each at least 16, their sum 2^24.

    Logits are whole numbers, one for each of the A symbols of the alphabet.

    Softmax, in integers: e = exp_table[max - logit], F = 16 + e * (2^24 - 16 A) div sum(e); what
    is missing from the sum goes to the first of the largest logits. Numerators are below 2^53 and
    quotients below 2^24, with denominators below 2^25: no quotient is so close below a whole
    number that float64 would round it up to that, so `div` is exact.
    """
    alphabet = len(logits_An)
    below = (logits_An.max(axis=0) - logits_An).astype(np.int64)
    shares = _EXP.take(below, mode="clip")
    sums_n = shares.sum(axis=0)
    shares *= (1 << TOTAL_BITS) - LEAST_FREQUENCY * alphabet
    shares /= sums_n
    np.floor(shares, out=shares)
    shares += LEAST_FREQUENCY
    shares[logits_An.argmax(axis=0), np.arange(logits_An.shape[1])] += (1 << TOTAL_BITS) - shares.sum(axis=0)
    return shares
