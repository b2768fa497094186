"""Blocks: literal bytes, round trips, unknown methods, and only CorruptError for anything else."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compressnet.container.block import Block, block_kind, pack_block, unpack_block
from compressnet.errors import CorruptError

BLOCK = Block(method=1, quality=60, kind=0, codec=0, images=200, payload=b"\xaa\xbb")


def test_literal_bytes() -> None:
    assert pack_block(BLOCK).hex() == "01" + "3c" + "00" + "00" + "c801" + "02" + "aabb"


@given(
    method=st.integers(0, 255),
    quality=st.integers(0, 255),
    kind=st.integers(0, 1 << 16),
    codec=st.integers(0, 255),
    images=st.integers(1, 1 << 16),
    payload=st.binary(max_size=50),
)
def test_round_trip(method: int, quality: int, kind: int, codec: int, images: int, payload: bytes) -> None:
    block = Block(method=method, quality=quality, kind=kind, codec=codec, images=images, payload=payload)
    assert unpack_block(pack_block(block), "here") == block


@given(data=st.binary(max_size=40))
def test_arbitrary_bytes(data: bytes) -> None:
    try:
        block = unpack_block(data, "here")
    except CorruptError:
        return
    assert pack_block(block) == data


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (pack_block(BLOCK) + b"\0", "1 bytes too many"),
        (pack_block(BLOCK)[:-1], "cut off"),
        (bytes.fromhex("013c00000000"), "holds no image"),
    ],
)
def test_malformed_blocks_are_refused(data: bytes, message: str) -> None:
    with pytest.raises(CorruptError, match=f"here.*{message}"):
        unpack_block(data, "here")


def test_the_kind_can_be_read_from_the_first_bytes() -> None:
    assert block_kind(pack_block(replace(BLOCK, kind=70))[:5], "here") == 70
    with pytest.raises(CorruptError, match="here"):
        block_kind(b"\x01\x3c\xff\xff\xff", "here")
