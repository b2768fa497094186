"""Frequencies: the rule of docs/FORMAT.md in plain integers, their sum, and that they follow the
logistic mixture."""

from __future__ import annotations

import hashlib
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compressnet.coding.mixture import Mixture, Tables, frequency_weights, make_tables
from compressnet.errors import CorruptError

TABLES = make_tables()


def test_the_standard_tables_are_these_integers() -> None:
    """Packed codecs leave them out (docs/FORMAT.md, "Packed codec")."""
    parts = TABLES.cdf.astype("<u2"), TABLES.reciprocal.astype("<i4"), TABLES.weight
    digest = hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()
    assert digest == "4537ab4e89af9b69652283a91045aa32916bd097788dda266bd17690a88517d5"


def frequencies_by_the_rule(means: list[int], scales: list[int], weight: int, bound: int) -> list[int]:
    """docs/FORMAT.md, "Distributions", in Python integers."""
    alphabet = 2 * bound + 1

    def c(j: int, k: int) -> int:
        z = ((32 * k + 16 - means[j]) * int(TABLES.reciprocal[scales[j]])) >> 10
        return (int(TABLES.cdf[min(max(z, -1536), 1536) + 1536]) * (65536 - alphabet)) >> 16

    def g(k: int) -> int:
        if k < -bound:
            return 0
        return 256 * (65536 - alphabet) if k == bound else weight * c(0, k) + (256 - weight) * c(1, k)

    return [g(k) - g(k - 1) + 256 for k in range(-bound, bound + 1)]


def mixture(means: list[int], scales: list[int], weight: int) -> Mixture:
    def row(value: int) -> np.ndarray:
        return np.array([value], np.int32)

    return Mixture(means=(row(means[0]), row(means[1])), scales=(row(scales[0]), row(scales[1])), weight=row(weight))


@settings(max_examples=200, deadline=None)
@given(
    means=st.lists(st.integers(-4096, 4096), min_size=2, max_size=2),
    scales=st.lists(st.integers(0, 80), min_size=2, max_size=2),
    weight=st.integers(1, 255),
    bound=st.integers(1, 127),
)
def test_frequencies_follow_the_rule(means: list[int], scales: list[int], weight: int, bound: int) -> None:
    weights = frequency_weights(TABLES, mixture(means, scales, weight), bound)
    frequencies = [int(w) + 1 for w in weights[0]]
    assert frequencies == frequencies_by_the_rule(means, scales, weight, bound)
    assert sum(frequencies) == 1 << 24
    assert min(frequencies) >= 256


def test_frequencies_are_those_of_the_mixture() -> None:
    means, scales, weight, bound = [40, -70], [44, 52], 180, 20
    weights = frequency_weights(TABLES, mixture(means, scales, weight), bound)[0]

    def cdf(k: float) -> float:
        parts = [1 / (1 + math.exp(-(k - m / 32) / 2 ** ((s - 40) / 8))) for m, s in zip(means, scales, strict=True)]
        return weight / 256 * parts[0] + (1 - weight / 256) * parts[1]

    for k in range(-10, 11):
        assert (weights[k + bound] + 1) / 2**24 == pytest.approx(cdf(k + 0.5) - cdf(k - 0.5), abs=2e-3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cdf": np.flip(TABLES.cdf)}, "it has to rise"),
        ({"cdf": TABLES.cdf[1:]}, "have shapes"),
        ({"reciprocal": np.zeros_like(TABLES.reciprocal)}, "out of range"),
        ({"reciprocal": np.full_like(TABLES.reciprocal, (1 << 17) + 1)}, "out of range"),
        ({"weight": np.zeros_like(TABLES.weight)}, "out of range"),
    ],
)
def test_tables_that_could_go_wrong_are_refused(changes: dict[str, np.ndarray], message: str) -> None:
    TABLES.check()
    broken: Tables = replace(TABLES, **changes)
    with pytest.raises(CorruptError, match=message):
        broken.check()
