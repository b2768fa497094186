"""A collection as lossless rivals get it: grouped, put back in order, compared value by value."""

from __future__ import annotations

import numpy as np
import pytest

from compressnet.bench.rivals.lossless.stacks import difference, make_stacks, spread
from compressnet.errors import InputError
from drawings import sprites
from mixed_images import deep_batches, mixed_batches


def test_images_come_back_in_their_order() -> None:
    batches = [*mixed_batches(), *deep_batches()]
    stacks = make_stacks(batches, hidden_colour=True)
    expected = [image for batch in batches for image in batch.reshape(*batch.shape[:3], -1)]
    found = list(stacks.in_order())
    assert stacks.images == len(found) == len(expected)
    for image, original in zip(found, expected, strict=True):
        assert image.ndim == (3 if original.shape[2] == 1 else 4)
        assert image.dtype == original.dtype
        assert np.array_equal(image.reshape(original.shape), original)


def test_every_size_mode_and_depth_is_a_part() -> None:
    stacks = make_stacks([*mixed_batches(), *deep_batches()])
    kinds = [(*part.images_NHWC.shape[1:], part.is_deep) for part in stacks.parts]
    assert len(set(kinds)) == len(kinds) == 9
    assert stacks.raw_bytes == sum(batch.nbytes for batch in [*mixed_batches(), *deep_batches()])
    assert stacks.pixels == sum(image.shape[0] * image.shape[1] for batch in mixed_batches() for image in batch) + (
        11 * 16 * 16
    )


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_hidden_colour_is_cleared_unless_it_is_wanted(dtype: type) -> None:
    images = sprites(3, channels=4).astype(dtype)
    images[0, ..., 3] = 255
    cleared = make_stacks([images])
    assert cleared.cleared == 2
    pixels = cleared.parts[0].images_NHWC
    assert pixels.dtype == dtype
    assert not pixels[pixels[..., 3] == 0].any()
    assert np.array_equal(pixels[pixels[..., 3] > 0], images[images[..., 3] > 0])
    kept = make_stacks([images], hidden_colour=True)
    assert kept.cleared == 0
    assert np.array_equal(kept.parts[0].images_NHWC, images)


def test_a_limit_takes_the_first() -> None:
    batches = mixed_batches()
    stacks = make_stacks(batches, limit=5, hidden_colour=True)
    assert stacks.images == 5
    assert np.array_equal(list(stacks.in_order())[4], batches[2][:1])


def test_an_empty_collection_is_refused() -> None:
    with pytest.raises(InputError, match="no images to measure"):
        make_stacks([])


def test_some_images_are_of_every_size() -> None:
    stacks = make_stacks([sprites(200, side_px=8), sprites(2, side_px=12)])
    some = spread(stacks, 20)
    assert [len(part.places_N) for part in some.parts] == [20, 1]
    assert spread(stacks, 500) is stacks


def test_what_did_not_come_back_is_said() -> None:
    stacks = make_stacks([sprites(3, channels=4), sprites(2, channels=1)], hidden_colour=True)
    grey, colour = (part.images_NHWC for part in stacks.parts)
    assert difference(stacks, [grey, colour]) is None
    hidden = np.where(colour[..., 3:] > 0, colour, 0).astype(np.uint8)
    assert difference(stacks, [grey, hidden]) == "3 of 5 images lost colour under alpha 0"
    assert difference(stacks, [grey, colour[..., :3]]) == "3 of 5 images came back with other pixels"
    assert difference(stacks, [grey.astype(np.uint16), colour]) == "2 of 5 images came back with other pixels"
    shown = colour.copy()
    shown[1, ..., 3] ^= 1
    assert difference(stacks, [grey, shown]) == "1 of 5 images came back with other pixels"
