"""Images of fewer channels in a network of more: exact both ways, and frozen as in torch."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from compressnet.lossy.promotion import Mapping, demotion, network_channels, promotion
from compressnet.networks.numpy import run_node
from compressnet.training.lossy.networks.channels import mapped
from compressnet.training.lossy.networks.pixels import to_pixels

PAIRS = [(few, many) for few, many in itertools.product(range(1, 5), repeat=2) if network_channels({few, many}) == many]
CHANGING = [(few, many) for few, many in PAIRS if few != many]


def pixels(channels: int, seed: int = 0) -> np.ndarray:
    """Images (6,5,7,C), extremes among them."""
    images = np.random.default_rng(seed).integers(0, 256, (6, 5, 7, channels)).astype(np.uint8)
    images[0], images[1] = 0, 255
    return images


def by_node(mapping: Mapping, images_NHWC: np.ndarray) -> np.ndarray:
    node = mapping.node("x", "y")
    found = run_node(node, [images_NHWC.transpose(0, 3, 1, 2).astype(np.float32)], 50)
    return found.transpose(0, 2, 3, 1).astype(np.uint8)


def by_torch(mapping: Mapping, images_NHWC: np.ndarray) -> np.ndarray:
    found = mapped(mapping, to_pixels(images_NHWC, torch.float64), quantized=True) * 64
    assert torch.equal(found, found.round())
    return found.numpy().transpose(0, 2, 3, 1).astype(np.uint8)


@pytest.mark.parametrize(("few", "many"), CHANGING)
def test_there_and_back_is_exact(few: int, many: int) -> None:
    images = pixels(few)
    there, back = promotion(few, many), demotion(many, few)
    assert there is not None
    assert back is not None
    promoted = by_node(there, images)
    assert promoted.shape[-1] == many
    assert np.array_equal(by_torch(there, images), promoted)
    assert np.array_equal(by_node(back, promoted), images)
    assert np.array_equal(by_torch(back, promoted), images)


@pytest.mark.parametrize(("few", "many"), CHANGING)
def test_torch_and_the_frozen_node_agree_on_any_pixels(few: int, many: int) -> None:
    """A decoder gives colours that no promotion gave."""
    images, back = pixels(many, seed=1), demotion(many, few)
    assert back is not None
    assert np.array_equal(by_torch(back, images), by_node(back, images))


def test_what_the_channels_become() -> None:
    grey, opaque = promotion(1, 3), promotion(3, 4)
    both, seen = promotion(2, 4), promotion(1, 2)
    assert grey is not None
    assert opaque is not None
    assert both is not None
    assert seen is not None
    assert by_node(grey, np.array([[[[7]]]], np.uint8)).tolist() == [[[[7, 7, 7]]]]
    assert by_node(opaque, np.array([[[[1, 2, 3]]]], np.uint8)).tolist() == [[[[1, 2, 3, 255]]]]
    assert by_node(both, np.array([[[[9, 4]]]], np.uint8)).tolist() == [[[[9, 9, 9, 4]]]]
    assert by_node(seen, np.array([[[[9]]]], np.uint8)).tolist() == [[[[9, 255]]]]


@settings(max_examples=200, deadline=None)
@given(colour=st.tuples(*[st.integers(0, 255)] * 3))
def test_grey_of_colour_weighs_green_twice_and_rounds_half_up(colour: tuple[int, int, int]) -> None:
    mapping = demotion(3, 1)
    assert mapping is not None
    red, green, blue = colour
    expected = (red + 2 * green + blue + 2) // 4
    image = np.array(colour, np.uint8).reshape(1, 1, 1, 3)
    assert by_node(mapping, image).item() == by_torch(mapping, image).item() == expected


def test_equal_channels_need_no_mapping() -> None:
    for channels in range(1, 5):
        assert promotion(channels, channels) is None
        assert demotion(channels, channels) is None


def test_one_network_for_all_has_colour_and_alpha_where_any_image_has() -> None:
    assert {channels: network_channels({channels}) for channels in range(1, 5)} == {1: 1, 2: 2, 3: 3, 4: 4}
    assert network_channels({1, 2}) == 2
    assert network_channels({1, 3}) == 3
    assert network_channels({2, 3}) == network_channels({1, 2, 3, 4}) == 4
