"""Chunks: round trips, and nothing but CorruptError for anything else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compressnet.container.chunks import is_critical, pack_chunk, unpack_chunk, unpack_chunk_head
from compressnet.errors import CorruptError


@given(payload=st.binary(max_size=100))
def test_chunks_round_trip(payload: bytes) -> None:
    data = pack_chunk(b"BLOK", payload)
    assert unpack_chunk(data, "here") == (b"BLOK", payload)
    assert unpack_chunk_head(data[:8], "here") == (b"BLOK", len(payload))


def test_a_literal_chunk() -> None:
    assert pack_chunk(b"HEAD", b"\x01").hex() == "48454144" + "00000001" + "01" + "fa974e58"


def test_every_flip_in_a_chunk_is_seen() -> None:
    data = pack_chunk(b"labl", b"payload")
    for i in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[i // 8] ^= 1 << i % 8
        with pytest.raises(CorruptError, match="here"):
            unpack_chunk(bytes(damaged), "here")


def test_capitals_are_critical() -> None:
    assert is_critical(b"BLOK")
    assert not is_critical(b"labl")
