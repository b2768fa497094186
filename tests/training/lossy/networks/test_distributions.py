"""The bits that a training counts, against those that the frequencies cost."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from compressnet.coding.mixture import Mixture, frequency_weights, make_tables
from compressnet.training.lossy.networks.distributions import mixture_bits


@settings(max_examples=50, deadline=None)
@given(
    means=st.lists(st.integers(-600, 600), min_size=2, max_size=2),
    scales=st.lists(st.integers(10, 56), min_size=2, max_size=2),
    weight=st.integers(1, 255),
)
def test_the_training_loss_counts_what_the_frequencies_cost(means: list[int], scales: list[int], weight: int) -> None:
    def row(value: int) -> np.ndarray:
        return np.array([value], np.int32)

    mixture = Mixture(means=(row(means[0]), row(means[1])), scales=(row(scales[0]), row(scales[1])), weight=row(weight))
    bound = 63
    frequencies = frequency_weights(make_tables(), mixture, bound)[0] + 1
    k = torch.arange(-bound, bound + 1, dtype=torch.float64)[None]
    bits = mixture_bits(
        k,
        torch.tensor(means, dtype=torch.float64)[:, None, None] / 32,
        (torch.tensor(scales, dtype=torch.float64)[:, None, None] - 40) / 8,
        torch.full((1, 1), weight / 256, dtype=torch.float64),
    )[0].numpy()
    expected = (frequencies / 2**24 * np.log2(2**24 / frequencies)).sum()
    assert (frequencies / 2**24 * bits).sum() == pytest.approx(expected, abs=0.03)
