"""Stored and lossy blocks of an open archive, and what is refused of them."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import compressnet
from compressnet.coding.stored import pack_stored
from compressnet.container.block import Block
from compressnet.container.writer import ContainerWriter
from compressnet.errors import CorruptError, InputError
from compressnet.images.forms import Form
from conftest import CONFORMANCE

IMAGES = np.random.default_rng(3).integers(0, 256, (5, 4, 6, 3)).astype(np.uint8)


def archive(method: int, quality: int, payload: bytes, images: int = 5) -> bytes:
    stream = io.BytesIO()
    writer = ContainerWriter(stream, [], [Form(shape=(4, 6, 3))])
    writer.add(Block(method=method, quality=quality, kind=0, codec=0, images=images, payload=payload))
    writer.finish(None)
    return stream.getvalue()


def test_a_stored_block_needs_no_codec() -> None:
    opened = compressnet.open(archive(0, 100, pack_stored(IMAGES, 1)))
    assert opened.codecs == []
    assert np.array_equal(opened[:], IMAGES)
    assert np.array_equal(opened[[3, 3, -1]], IMAGES[[3, 3, 4]])
    opened.check()
    assert opened.ideal_bytes() == 0


@pytest.mark.parametrize(
    ("method", "quality", "message"),
    [
        (2, 100, "block 0 refers to codec 0, but the archive has none"),
        (1, 60, "block 0 refers to codec 0, but the archive has none"),
        (0, 60, "block 0 is stored and has the quality 60"),
    ],
)
def test_blocks_that_say_something_odd(method: int, quality: int, message: str) -> None:
    with pytest.raises(CorruptError, match=message):
        compressnet.open(archive(method, quality, pack_stored(IMAGES, 1)))[0]


@pytest.mark.parametrize(
    ("method", "message"),
    [
        (2, "block 0 is lossless, but the codec tiny-grey has no lossless part"),
        (9, "block 0 was coded by the method 'number 9', which this version"),
    ],
)
def test_methods_that_are_not_read_are_refused(method: int, message: str) -> None:
    data = (CONFORMANCE / "grey.cnet").read_bytes()
    with compressnet.open(data) as opened:
        container = opened.container
        stream = io.BytesIO()
        writer = ContainerWriter(stream, container.codecs, container.kinds)
        writer.add(Block(method=method, quality=100, kind=0, codec=0, images=1, payload=b""))
        writer.finish(None)
    with pytest.raises(CorruptError, match=message):
        compressnet.open(stream.getvalue())[0]


@settings(max_examples=150, deadline=None)
@given(at=st.integers(0, 1 << 16), change=st.integers(1, 255), images=st.integers(1, 9))
def test_damage_that_checksums_miss_is_an_error_of_ours(at: int, change: int, images: int) -> None:
    payload = bytearray(pack_stored(IMAGES, 3))
    payload[at % len(payload)] ^= change
    try:
        found = compressnet.open(archive(0, 100, bytes(payload), images))[0]
    except CorruptError as error:
        assert "block 0" in str(error)  # noqa: PT017
        return
    assert found.shape == IMAGES.shape[1:]


def test_a_stored_image_has_no_symbols() -> None:
    with compressnet.open(CONFORMANCE / "mixed.cnet") as opened:
        assert opened.symbols[:5].shape[0] == 5
        with pytest.raises(InputError, match=r"mixed\.cnet: image 5 is stored and has no symbols"):
            opened.symbols[3:9]
