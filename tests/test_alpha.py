"""Images with alpha: colour that is not seen is neither kept nor made up."""

from __future__ import annotations

import io

import numpy as np
import pytest

import compressnet
from compressnet.alpha import clear_hidden, hidden_colour
from compressnet.codec import Codec, for_encoding
from conftest import CONFORMANCE


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
    assert clear_hidden(clean) is clean
    opaque = images[..., :3]
    assert clear_hidden(opaque) is opaque


def test_nothing_decodes_to_hidden_colour(alpha: Codec, images: np.ndarray) -> None:
    raw = alpha.network((8, 8, 4), 60).decode(alpha.encoder(images), 60)
    assert hidden_colour(raw).any()
    decoded = alpha.decoder(alpha.encoder(for_encoding(images)))
    assert not hidden_colour(decoded).any()
    assert np.array_equal(alpha.decompress(alpha.compress(images)), decoded)
    stream = io.BytesIO()
    compressnet.compress(images, stream, alpha)
    assert np.array_equal(compressnet.open(stream.getvalue())[:], decoded)


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
