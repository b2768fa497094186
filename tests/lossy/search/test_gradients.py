"""The gradient graph against the codec: the same loss at whole symbols, and a slope that predicts
changes."""

from __future__ import annotations

import numpy as np
import pytest

import compressnet
from compressnet.codec.codec import Codec
from compressnet.lossy.search.onnx import OnnxGradient
from conftest import CONFORMANCE
from make_conformance import blobs


def planes(images: np.ndarray, codec: Codec) -> np.ndarray:
    return images.reshape(len(images), *codec.kinds[0]).transpose(0, 3, 1, 2).astype(np.float32)


@pytest.mark.parametrize("quality", [0, 60, 99])
def test_latents_round_to_the_encoders_symbols(tiny: Codec, tiny_images: np.ndarray, quality: int) -> None:
    network = tiny.bundle.networks[0]
    latents = OnnxGradient(network, quality).latents(planes(tiny_images, tiny))
    bound_D = network.symbol_bounds(quality)
    rounded = np.clip(np.floor(latents + 0.5), -bound_D, bound_D)
    assert np.array_equal(rounded, tiny.encoder(tiny_images, quality))


@pytest.mark.parametrize("quality", [20, 60, 99])
def test_loss_is_the_cost_of_whole_symbols(shipped: Codec, mnist: np.ndarray, quality: int) -> None:
    images = mnist[:50]
    network = shipped.coder((28, 28, 1), quality).runner
    symbols = shipped.encoder(images, quality)
    loss, gradient = OnnxGradient(network.network, quality).loss(symbols, planes(images, shipped), 40.0)
    assert gradient.shape == symbols.shape
    expected = network.costs(images[..., None], symbols, quality, 40.0)
    assert loss == pytest.approx(expected, rel=0.05, abs=1)
    assert loss.mean() == pytest.approx(expected.mean(), rel=0.005)


@pytest.mark.parametrize("size", [(9, 5), (70, 40), (16, 290)])
def test_a_pyramid_costs_what_the_codec_says(size: tuple[int, int]) -> None:
    kind = (*size, 4)
    codec = compressnet.load(CONFORMANCE / "any16.codec")
    network, images = codec.coder(kind, 99).runner, blobs(3, kind, 5)
    symbols = codec.encoder(images, 99)
    x = images.transpose(0, 3, 1, 2).astype(np.float32)
    for lam in (0.0, 20.0):
        loss, gradient = OnnxGradient(network.network, 99).loss(symbols, x, lam)
        expected = network.costs(images, symbols, 99, lam)
        assert loss == pytest.approx(expected, rel=0.02, abs=2)
        assert gradient.shape == symbols.shape
        assert np.isfinite(gradient).all()


def test_a_pyramids_slope_foretells_what_a_step_costs() -> None:
    """Small steps either way cost what the gradient says."""
    kind = (150, 90, 4)
    codec = compressnet.load(CONFORMANCE / "any16.codec")
    images = blobs(16, kind, 6)
    symbols = codec.encoder(images, 99).astype(np.float32)
    model = OnnxGradient(codec.coder(kind, 99).runner.network, 99)
    x = images.transpose(0, 3, 1, 2).astype(np.float32)
    steps = np.random.default_rng(1).normal(size=symbols.shape).astype(np.float32)
    ahead, behind = (model.loss(symbols + sign * 0.1 * steps, x, 0.0)[0] for sign in (1, -1))
    _, gradient = model.loss(symbols, x, 0.0)
    foretold = 0.2 * (gradient * steps).sum(axis=1)
    assert np.corrcoef(foretold, ahead - behind)[0, 1] > 0.98
    assert (ahead - behind).std() == pytest.approx(foretold.std(), rel=0.1)


def test_gradient_leads_back_from_changed_symbols(shipped: Codec, mnist: np.ndarray) -> None:
    """The encoder's symbols are close to the best, so from others the loss falls on the way back
    to them."""
    images = mnist[:64]
    generator = np.random.default_rng(0)
    for quality in (40, 95):
        network = shipped.coder((28, 28, 1), quality).runner.network
        symbols = shipped.encoder(images, quality).astype(np.float32)
        away = generator.choice([-1.0, 1.0], symbols.shape) * (np.abs(symbols) < network.symbol_bounds(quality))
        _, gradient = OnnxGradient(network, quality).loss(
            (symbols + away).astype(np.float32), planes(images, shipped), 100.0
        )
        along = (gradient * away).sum(axis=1) / np.linalg.norm(gradient, axis=1) / np.linalg.norm(away, axis=1)
        assert along.mean() > 0.1  # by chance within 0.03 of 0
