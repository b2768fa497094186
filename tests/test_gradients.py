"""The gradient graph against the codec: the same loss at whole symbols, and a slope that foretells changes."""

from __future__ import annotations

import numpy as np
import pytest

from compressnet.backends.onnx import OnnxGradient
from compressnet.codec import Codec


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
    network = shipped.network((28, 28, 1), quality)
    symbols = shipped.encoder(images, quality)
    loss, gradient = OnnxGradient(network.network, quality).loss(symbols, planes(images, shipped), 40.0)
    assert gradient.shape == symbols.shape
    expected = network.costs(images[..., None], symbols, quality, 40.0)
    assert loss == pytest.approx(expected, rel=0.02, abs=1)
    assert loss.mean() == pytest.approx(expected.mean(), rel=0.003)


def test_gradient_foretells_what_a_change_of_symbols_does(shipped: Codec, mnist: np.ndarray) -> None:
    quality, images = 95, mnist[:64]
    x, symbols = planes(images, shipped), shipped.encoder(images, quality).astype(np.float32)
    weight = 500.0
    machine = OnnxGradient(shipped.network((28, 28, 1), quality).network, quality)
    _, gradient = machine.loss(symbols, x, weight)
    generator = np.random.default_rng(0)
    rows = np.arange(len(images))
    slopes, changes = [], []
    for _ in range(40):
        column = generator.integers(0, symbols.shape[1], len(images))
        up, down = symbols.copy(), symbols.copy()
        up[rows, column] += 1
        down[rows, column] -= 1
        changes.append((machine.loss(up, x, weight)[0] - machine.loss(down, x, weight)[0]) / 2)
        slopes.append(gradient[rows, column])
    assert np.corrcoef(np.concatenate(slopes), np.concatenate(changes))[0, 1] > 0.8
