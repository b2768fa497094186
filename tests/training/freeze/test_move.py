"""A frozen network on other qualities."""

from __future__ import annotations

import numpy as np
import pytest

from compressnet.codec.file import from_bytes
from compressnet.lossy.coder import CodecNetwork
from compressnet.networks.numpy import NumpyBackend
from compressnet.training.freeze.move import moved
from conftest import CONFORMANCE, KINDS
from make_conformance import blobs


@pytest.mark.parametrize("name", KINDS)
def test_moved_qualities_give_what_the_old_ones_did(name: str) -> None:
    path = CONFORMANCE / f"{name}.codec"
    network = from_bytes(path.read_bytes(), str(path)).networks[0]
    images = blobs(40, network.kind, 5)
    again = moved(network, (30, 99), (65, 99), images)
    assert again.lambdas is not None
    assert network.lambdas is not None
    old, new = (CodecNetwork(each, NumpyBackend()) for each in (network, again))
    for old_quality, new_quality in ((65, 30), (99, 99)):  # those that are old qualities
        symbols = old.encode(images, old_quality)
        assert (new.encode(images, new_quality) == symbols).mean() > 0.98
        ideal = old.entropy.bits(symbols, old_quality).sum()
        assert new.entropy.bits(symbols, new_quality).sum() == pytest.approx(ideal, rel=0.01)
        error = np.abs(old.decode(symbols, old_quality).astype(int) - new.decode(symbols, new_quality)).mean()
        assert error < 1
        assert again.lambdas[new_quality] == pytest.approx(network.lambdas[old_quality], rel=1e-4)
    assert again.qualities == (30, 99)
