"""Varints, chunks and single blocks: round trips, and nothing but CorruptError for anything else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compressnet.codec.single import pack_single, unpack_single
from compressnet.container.chunks import is_critical, pack_chunk, unpack_chunk, unpack_chunk_head
from compressnet.errors import CorruptError
from compressnet.wire import Reader, pack_varint

IDENTITY = bytes(range(32))


@given(value=st.integers(0, 1 << 62))
def test_varints_round_trip(value: int) -> None:
    reader = Reader(pack_varint(value), "here")
    assert reader.varint(value) == value
    reader.end()


def test_literal_varints() -> None:
    assert [pack_varint(value).hex() for value in (0, 1, 127, 128, 300, 16384)] == [
        "00", "01", "7f", "8001", "ac02", "808001",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("data", "limit", "message"),
    [
        (b"\x05", 4, "beyond the limit of 4"),
        (b"\xff" * 20, 1 << 62, "beyond the limit"),
        (b"\x80\x00", 9, "longer than need be"),
        (b"\x80", 900, "cut off"),
        (b"", 9, "cut off"),
    ],
)
def test_bad_varints_are_refused(data: bytes, limit: int, message: str) -> None:
    with pytest.raises(CorruptError, match=f"here.*{message}"):
        Reader(data, "here").varint(limit)


def test_a_reader_wants_all_bytes_read() -> None:
    reader = Reader(b"abc", "here")
    assert reader.take(2) == b"ab"
    with pytest.raises(CorruptError, match="here has 1 bytes too many"):
        reader.end()


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


@given(
    kind=st.integers(0, 1 << 16),
    axis=st.booleans(),
    quality=st.integers(0, 99),
    images=st.integers(1, 1 << 16),
    payload=st.binary(max_size=50),
)
def test_single_blocks_round_trip(kind: int, axis: bool, quality: int, images: int, payload: bytes) -> None:
    single = unpack_single(pack_single(kind, axis, quality, images, payload, IDENTITY), IDENTITY)
    assert (single.kind, single.channels_axis, single.quality, single.images) == (kind, axis, quality, images)
    assert single.payload == payload


def test_a_literal_single_block() -> None:
    data = pack_single(0, False, 60, 1, b"\xaa\xbb", IDENTITY)
    assert data.hex() == "3c0001" + data[3:5].hex() + "aabb"
    assert len(data) == 7


@pytest.mark.parametrize("quality", [101, 255])
def test_methods_of_later_versions_are_refused(quality: int) -> None:
    with pytest.raises(CorruptError, match=f"at quality {quality}, which this version does not read"):
        unpack_single(pack_single(0, False, quality, 1, b"", IDENTITY), IDENTITY)


def test_a_block_of_no_images_is_refused() -> None:
    with pytest.raises(CorruptError, match="holds 0 images"):
        unpack_single(pack_single(0, False, 60, 0, b"", IDENTITY), IDENTITY)


@given(data=st.binary(max_size=40))
def test_arbitrary_bytes_are_no_single_block(data: bytes) -> None:
    with pytest.raises(CorruptError):
        unpack_single(data + b"\0", IDENTITY)


@given(values=st.lists(st.integers(0, 1 << 40), max_size=30), rest=st.binary(max_size=9))
def test_many_varints_are_read_as_one_by_one(values: list[int], rest: bytes) -> None:
    data = b"".join(map(pack_varint, values)) + rest
    reader = Reader(data, "here")
    assert reader.varints(len(values), 1 << 40).tolist() == values
    assert reader.take(reader.left) == rest


@given(data=st.binary(max_size=30), count=st.integers(0, 10), limit=st.sampled_from([0, 127, 128, 1 << 30]))
def test_many_varints_of_arbitrary_bytes(data: bytes, count: int, limit: int) -> None:
    single, many = Reader(data, "here"), Reader(data, "here")
    try:
        expected = [single.varint(limit) for _ in range(count)]
    except CorruptError:
        with pytest.raises(CorruptError, match="here"):
            many.varints(count, limit)
    else:
        assert many.varints(count, limit).tolist() == expected
        assert many.left == single.left
