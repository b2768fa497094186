"""Varints: round trips, and nothing but CorruptError for anything else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compressnet.errors import CorruptError
from compressnet.wire import Reader, pack_varint


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
