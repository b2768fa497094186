"""Collections: loaded, sampled and surveyed; neighbours of one shape go into one array."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given

from compressnet.errors import InputError
from compressnet.images import Collection, survey
from compressnet.images.collection import BATCH_BYTES, BATCH_IMAGES, batch_images, in_batches
from picture_files import mixed_images, same, singles

GREY = np.random.default_rng(0).integers(0, 256, (7, 5, 4), np.uint8)
COLOUR = np.random.default_rng(1).integers(0, 256, (3, 5, 4, 3), np.uint8)


def collection(*batches: np.ndarray) -> Collection:
    return Collection(name="some", count=sum(map(len, batches)), batches=lambda: iter(batches))


@given(images=mixed_images())
def test_neighbours_of_one_shape_go_together(images: list[np.ndarray]) -> None:
    batches = list(in_batches(images))
    assert same([image for batch in batches for image in batch], images)
    assert all(a.shape[1:] != b.shape[1:] for a, b in pairwise(batches))


def test_arrays_are_bounded() -> None:
    assert batch_images(28 * 28) == BATCH_IMAGES
    assert batch_images(BATCH_BYTES // 3) == 3
    assert batch_images(2 * BATCH_BYTES) == 1
    assert [len(batch) for batch in in_batches(np.zeros((2 * BATCH_IMAGES + 1, 1, 1), np.uint8))] == [2048, 2048, 1]


def test_survey_counts_shapes_in_order_of_appearance() -> None:
    seen: list[int] = []
    assert survey(collection(GREY, COLOUR, GREY), seen.append) == {(5, 4): 14, (5, 4, 3): 3}
    assert seen == [7, 10, 17]


def test_mixed_images_are_no_single_array() -> None:
    mixed = collection(GREY, COLOUR)
    for call in (mixed.load, lambda: mixed.sample(9)):
        with pytest.raises(InputError, match=r"some: images of 5x4x1 and of 5x4x3; one"):
            call()
    assert len(singles(mixed)) == 10
    assert np.array_equal(mixed.load(7), GREY)


@pytest.mark.parametrize("count", [1, 3, 7, 100])
def test_samples_are_spread_over_the_collection(count: int) -> None:
    sample = collection(GREY[:3], GREY[3:6], GREY[6:]).sample(count)
    assert len(sample) == min(count, 7)
    assert np.array_equal(sample[0], GREY[0])
    if count > 1:
        assert np.array_equal(sample[-1], GREY[6])
