"""Images with alpha: colour that is not seen is neither kept nor made up, and costs nothing."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import compressnet
from compressnet.codec.codec import Codec
from compressnet.images.alpha import clear_hidden, fill_hidden, hidden_colour, with_hidden_of
from conftest import CONFORMANCE

with_alpha = st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 9), st.sampled_from([2, 4])).flatmap(
    lambda shape: hnp.arrays(np.uint8, shape, elements=st.sampled_from([0, 0, 0, 1, 100, 254, 255]))
)


@pytest.fixture(scope="module")
def alpha() -> Codec:
    return compressnet.load(CONFORMANCE / "alpha.codec", threads=1)


@pytest.fixture
def images() -> np.ndarray:
    images = np.random.default_rng(5).integers(0, 256, (12, 8, 8, 4)).astype(np.uint8)
    images[:, :4, :, 3] = 0
    images[:, 4:, :, 3] |= 1
    return images


def test_hidden_colour_is_found_and_removed(images: np.ndarray) -> None:
    hidden = hidden_colour(images)
    assert hidden[:, :4].mean() > 0.9
    assert not hidden[:, 4:].any()
    clean = clear_hidden(images)
    assert not clean[:, :4].any()
    assert np.array_equal(clean[:, 4:], images[:, 4:])
    assert not hidden_colour(clean).any()
    assert np.array_equal(clear_hidden(clean), clean)


@pytest.mark.parametrize("channels", [1, 3])
def test_images_without_alpha_hide_nothing(images: np.ndarray, channels: int) -> None:
    opaque = images[..., :channels]
    assert clear_hidden(opaque) is opaque
    assert fill_hidden(opaque) is opaque
    assert with_hidden_of(opaque, np.zeros_like(opaque)) is opaque
    assert not hidden_colour(opaque).any()


@settings(max_examples=200, deadline=None)
@given(images=with_alpha)
def test_what_is_filled_in_lies_within_what_is_seen(images: np.ndarray) -> None:
    filled = fill_hidden(images)
    seen = images[..., -1] > 0
    assert np.array_equal(filled[seen], images[seen])
    assert np.array_equal(filled[..., -1], images[..., -1])
    assert np.array_equal(fill_hidden(filled), filled)
    assert np.array_equal(fill_hidden(clear_hidden(images)), filled)
    for image, before, visible in zip(filled, images, seen, strict=True):
        if visible.any():
            colours = before[visible][:, :-1]
            assert (image[..., :-1] >= colours.min(axis=0)).all()
            assert (image[..., :-1] <= colours.max(axis=0)).all()
        else:
            assert not image.any()


def test_colour_is_filled_in_ring_by_ring() -> None:
    row = np.zeros((1, 1, 5, 2), np.uint8)
    row[0, 0, 0], row[0, 0, 4] = (10, 255), (21, 1)
    assert fill_hidden(row)[0, 0, :, 0].tolist() == [10, 10, 16, 21, 21]  # the mean of 10 and 21 rounds up
    assert fill_hidden(row)[0, 0, :, 1].tolist() == [255, 0, 0, 0, 1]


@settings(max_examples=100, deadline=None)
@given(images=with_alpha, data=st.data())
def test_only_what_is_seen_is_left_to_compare(images: np.ndarray, data: st.DataObject) -> None:
    decoded = data.draw(hnp.arrays(np.uint8, images.shape))
    taken = with_hidden_of(decoded, images)
    seen = images[..., -1] > 0
    assert np.array_equal(taken[seen], decoded[seen])
    assert np.array_equal(taken[~seen][:, :-1], images[~seen][:, :-1])
    assert np.array_equal(taken[..., -1], decoded[..., -1])
    assert np.array_equal(with_hidden_of(fill_hidden(images), images), images)


def test_the_encoder_does_not_see_hidden_colour(alpha: Codec, images: np.ndarray) -> None:
    for quality in (0, 60, 99):
        symbols = alpha.encoder(images, quality)
        for other in (clear_hidden(images), fill_hidden(images)):
            assert np.array_equal(alpha.encoder(other, quality), symbols)
            assert alpha.compress(other, quality) == alpha.compress(images, quality)
    coder = alpha.coder((8, 8, 4), 60)
    assert np.array_equal(coder.values_of(images, 4), coder.values_of(clear_hidden(images), 4))


def test_hidden_colour_costs_nothing(alpha: Codec, images: np.ndarray) -> None:
    network = alpha.coder((8, 8, 4), 60).runner
    symbols = alpha.encoder(images, 60)
    costs = network.costs(images, symbols, 60, 100.0)
    assert np.array_equal(network.costs(clear_hidden(images), symbols, 60, 100.0), costs)


def test_hidden_colour_is_kept_where_asked_for(alpha: Codec, images: np.ndarray) -> None:
    images[6:] = clear_hidden(images[6:])
    for options in ({"exact_alpha": True}, {"max_error": 0}):
        stream = io.BytesIO()
        written = compressnet.compress(images, stream, alpha, **options)  # pyright: ignore
        assert written.reasons["colour under alpha 0"] == 6
        assert np.array_equal(compressnet.open(stream.getvalue())[:6], images[:6])


def test_images_that_differ_in_hidden_colour_alone_are_equal(alpha: Codec, images: np.ndarray) -> None:
    stream = io.BytesIO()
    written = compressnet.compress([images, clear_hidden(images)], stream, alpha)
    assert written.duplicates == 12
