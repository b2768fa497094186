"""Frozen networks as models in torch again."""

from __future__ import annotations

import pytest

from compressnet.codec.file import from_bytes
from compressnet.training.freeze.check import check_frozen
from compressnet.training.freeze.thaw import design_of, thaw
from conftest import CONFORMANCE, KINDS
from make_conformance import blobs


@pytest.mark.parametrize("name", KINDS)
def test_a_thawed_network_computes_the_same(name: str) -> None:
    path = CONFORMANCE / f"{name}.codec"
    network = from_bytes(path.read_bytes(), str(path)).networks[0]
    assert network.encoder is not None
    images = blobs(40, network.kind, 5)
    check_frozen(thaw(network, design_of(network, name)), network, images, network.encoder.nodes[-1].arrays["bound"])
