"""Single blocks: round trips, and nothing but CorruptError for anything else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compressnet.codec.single import Single, pack_single, unpack_single
from compressnet.errors import CorruptError

IDENTITY = bytes(range(32))


def made(kind: int, axis: bool, quality: int, images: int, payload: bytes) -> Single:
    return Single(kind=kind, channels_axis=axis, quality=quality, images=images, payload=payload)


@given(
    kind=st.integers(0, 1 << 16),
    axis=st.booleans(),
    quality=st.integers(0, 99),
    images=st.integers(1, 1 << 16),
    payload=st.binary(max_size=50),
)
def test_single_blocks_round_trip(kind: int, axis: bool, quality: int, images: int, payload: bytes) -> None:
    single = unpack_single(pack_single(made(kind, axis, quality, images, payload), IDENTITY), IDENTITY)
    assert (single.kind, single.channels_axis, single.quality, single.images) == (kind, axis, quality, images)
    assert single.payload == payload


def test_a_literal_single_block() -> None:
    data = pack_single(made(0, False, 60, 1, b"\xaa\xbb"), IDENTITY)
    assert data.hex() == "3c0001" + data[3:5].hex() + "aabb"
    assert len(data) == 7


@pytest.mark.parametrize("quality", [101, 255])
def test_methods_of_later_versions_are_refused(quality: int) -> None:
    with pytest.raises(CorruptError, match=f"at quality {quality}, which this version does not read"):
        unpack_single(pack_single(made(0, False, quality, 1, b""), IDENTITY), IDENTITY)


def test_a_block_of_no_images_is_refused() -> None:
    with pytest.raises(CorruptError, match="holds 0 images"):
        unpack_single(pack_single(made(0, False, 60, 0, b""), IDENTITY), IDENTITY)


@given(data=st.binary(max_size=40))
def test_arbitrary_bytes_are_no_single_block(data: bytes) -> None:
    with pytest.raises(CorruptError):
        unpack_single(data + b"\0", IDENTITY)
