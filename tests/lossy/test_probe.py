"""Probes without images: their symbols follow from the alphabets alone."""

from __future__ import annotations

import numpy as np

from compressnet.codec.bundle import Bundle
from compressnet.lossy.probe import derived_symbols


def test_derived_symbols_reach_further_from_image_to_image(tiny_bundle: Bundle) -> None:
    network = tiny_bundle.networks[0]
    symbols = derived_symbols(network.prior, network.qualities)
    assert symbols.shape == (2, 8, len(network.prior.order))
    for symbols_PD, quality in zip(symbols, network.qualities, strict=True):
        bound_D = network.symbol_bounds(quality)
        largest_P = np.abs(symbols_PD).max(axis=1)
        assert largest_P[:3].tolist() == [0, 1, 3]
        assert largest_P[7] > 0.8 * bound_D.max()
        assert np.all(np.abs(symbols_PD) <= bound_D)


def test_derived_symbols_are_these(tiny_bundle: Bundle) -> None:
    """docs/FORMAT.md, "Probe", by hand, for the last symbol of the last image."""
    network = tiny_bundle.networks[0]
    low, _ = network.qualities
    last = len(network.prior.order) - 1
    x = (7 * (last + 1) + last) * 0x9E3779B1 % 2**32
    x = (x ^ x >> 15) * 0x85EBCA77 % 2**32
    bound = min(int(network.symbol_bounds(low)[last]), 127)
    assert derived_symbols(network.prior, network.qualities)[0, 7, last] == (x ^ x >> 13) % (2 * bound + 1) - bound
