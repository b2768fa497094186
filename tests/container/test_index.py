"""The index: literal bytes, round trips, and every limit before memory is taken."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compressnet.container.index import Index, pack_index, unpack_index
from compressnet.errors import CorruptError
from compressnet.wire import pack_varint


def index(counts: list[int], places: list[int] | None = None) -> Index:
    return Index(
        images=sum(counts) if places is None else len(places),
        first_block=100,
        extra_bytes=0,
        chunk_bytes_E=np.full(len(counts), 300, np.int64),
        counts_E=np.array(counts, np.int64),
        positions_N=None if places is None else np.array(places, np.uint32),
    )


def test_literal_bytes() -> None:
    assert pack_index(index([3, 0, 2])).hex() == "05" + "03" + "64" + "00" + "00" + "ac0203" + "ac0200" + "ac0202"
    listed = pack_index(index([2], [1, 0, 1]))
    assert listed[:8].hex() == "03" + "01" + "64" + "00" + "01" + "ac0202"
    assert np.frombuffer(zlib.decompress(listed[8:]), "<u4").tolist() == [1, (1 << 32) - 2, 0]


@given(counts=st.lists(st.integers(0, 5), max_size=6), data=st.data())
def test_round_trip(counts: list[int], data: st.DataObject) -> None:
    places = st.lists(st.integers(0, sum(counts) - 1), max_size=20) if sum(counts) else st.just([])
    expected = index(counts, data.draw(st.none() | places))
    found = unpack_index(pack_index(expected), 10**6, "here")
    assert found.images == expected.images
    assert found.counts_E.tolist() == counts
    assert found.chunk_bytes_E.tolist() == expected.chunk_bytes_E.tolist()
    assert (found.positions_N is None) == (expected.positions_N is None)
    if expected.positions_N is not None:
        assert found.positions_N is not None
        assert found.positions_N.tolist() == expected.positions_N.tolist()


def listed(images: int, counts: int, stream: bytes) -> bytes:
    return b"".join(map(pack_varint, (images, 1, 100, 0, 1, 300, counts))) + stream


def steps(*values: int) -> bytes:
    return zlib.compress(np.array(values, "<u4").tobytes())


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"".join(map(pack_varint, (0, 0, 100, 0, 2))), "in the way 2, unknown"),
        (b"".join(map(pack_varint, (4, 1, 100, 0, 0, 300, 3))), "contradicts"),
        (b"".join(map(pack_varint, (1 << 17, 1, 100, 0, 0, 300, 1 << 17))), "beyond the limit"),
        (b"".join(map(pack_varint, (3, 1, 100, 0, 0, 1 << 31, 3))), "beyond the limit"),
        (b"".join(map(pack_varint, (3, 9, 100, 0, 0, 300, 3))), "too short for 9 blocks"),
        (pack_index(index([3])) + b"\0", "too many"),
        (listed(2, 2, steps(0, 1)), "an image beyond the 2"),
        (listed(2, 2, steps(0, 0, 0)), "does not list 2 images"),
        (listed(2, 2, steps(0)), "does not list 2 images"),
        (listed(2, 2, steps(0, 0) + b"\0"), "does not list 2 images"),
        (listed(2, 2, b"nonsense"), "damaged"),
        (listed(1 << 32, 2, steps(0, 0)), "beyond the limit"),
        (listed(1 << 26, 2, zlib.compress(bytes(1000))), "beyond the limit or what"),
    ],
)
def test_malformed_indexes_are_refused(data: bytes, message: str) -> None:
    with pytest.raises(CorruptError, match=f"here.*{message}"):
        unpack_index(data, 10**6, "here")


@settings(max_examples=300)
@given(data=st.binary(max_size=40), places=st.booleans())
def test_arbitrary_bytes(data: bytes, places: bool) -> None:
    packed = listed(3, 3, zlib.compress(data)) if places else data
    try:
        found = unpack_index(packed, 10**6, "here")
    except CorruptError:
        return
    assert found.positions_N is None or (found.positions_N < found.counts_E.sum()).all()
