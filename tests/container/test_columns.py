"""Labels and names: round trips, and one error for each malformation."""

from __future__ import annotations

import contextlib
import lzma
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compressnet.container.columns import as_labels, as_names, pack_labels, pack_names, unpack_labels, unpack_names
from compressnet.errors import BeyondLimitsError, CorruptError, InputError

LINES = st.lists(st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"])), min_size=1)


@given(labels=st.lists(st.integers(-(1 << 63), (1 << 63) - 1), min_size=1, max_size=20))
def test_integer_labels_round_trip(labels: list[int]) -> None:
    packed = pack_labels(as_labels(np.array(labels, np.int64)))
    assert unpack_labels(packed, len(labels), "here").tolist() == labels


@given(labels=st.lists(st.text(st.characters(exclude_characters="\n\0", exclude_categories=["Cs"])), min_size=1))
def test_text_labels_round_trip(labels: list[str]) -> None:
    packed = pack_labels(as_labels(np.array(labels, np.str_)))
    assert unpack_labels(packed, len(labels), "here").tolist() == labels


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00",
        b"\x00nonsense",
        b"\x03" + zlib.compress(b""),
        b"\x02" + zlib.compress(b""),
        b"\x00" + zlib.compress(bytes(1 << 20)),
        b"\x01",
    ],
)
def test_labels_that_do_not_fit_are_refused(data: bytes) -> None:
    with pytest.raises(CorruptError, match="here"):
        unpack_labels(data, 3, "here")


@pytest.mark.parametrize("labels", [[1.5, 2.5], [[1, 2]], ["a\nb"], [None]])
def test_labels_of_other_types_are_refused(labels: list[object]) -> None:
    with pytest.raises(InputError, match="labels have to be"):
        as_labels(labels)


@given(names=LINES)
def test_names_round_trip(names: list[str]) -> None:
    assert unpack_names(pack_names(as_names(names)), len(names), "here") == names


@given(
    names=st.lists(
        st.builds(
            "{}{:0{}d}{}".format,
            st.sampled_from(["", "a/b", "é9"]),
            st.integers(0, 120),
            st.integers(1, 3),
            st.sampled_from(["", ".png", "@2.png"]),
        ),
        min_size=1,
        max_size=40,
    )
)
def test_names_with_numbers_round_trip(names: list[str]) -> None:
    for given_names in (names, sorted(names)):
        assert unpack_names(pack_names(given_names), len(given_names), "here") == given_names


def test_names_that_count_up_or_begin_alike_take_next_to_nothing() -> None:
    counted = [f"tile {i:05}.png" for i in range(99_990, 100_000)] + [f"{i:05}.png" for i in range(2000)]
    assert len(pack_names(counted)) < 100
    folders = [
        f"{folder}/{size}x{size}/{name}-symbolic.svg"
        for folder in ("actions", "apps", "devices")
        for size in (16, 22, 24, 32, 48)
        for name in ("edit-copy", "edit-cut", "go-next", "go-previous", "zoom")
    ]
    deflated = zlib.compress("\n".join(folders).encode(), 9)
    assert len(pack_names(folders)) < 0.9 * len(deflated)
    for names in (counted, folders):
        assert unpack_names(pack_names(names), len(names), "here") == names


def front_coded(shared: list[int], *rests: bytes) -> bytes:
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 20}]
    return b"\x02" + lzma.compress(bytes(shared) + b"\n".join(rests), lzma.FORMAT_RAW, filters=filters)


@pytest.mark.parametrize(
    ("shared", "rests", "message"),
    [
        ([0, 2], [b"a", b"b"], "does not follow"),
        ([255, 0], [b"", b"b"], "does not follow"),
        ([0, 255], [b"9.png", b""], "does not follow"),
        ([0, 255], [b"8.png", b"x"], "does not follow"),
        ([0], [b"a", b"b"], "does not follow"),
        ([0, 0], [b"a", b"b", b"c"], "does not hold 2"),
        ([0, 0], [b"a", b"\xff"], "not UTF-8"),
        ([0, 254], [b"7" * 65535, b"7" * 65300], "bytes"),
    ],
)
def test_front_coded_lines_that_do_not_follow_are_refused(shared: list[int], rests: list[bytes], message: str) -> None:
    with pytest.raises(CorruptError, match=message):
        unpack_names(front_coded(shared, *rests), 2, "here")


def test_lines_that_count_up_cannot_fill_the_memory() -> None:
    data = front_coded([0] + [255] * 9999, b"7" + b"0" * 60_000, *[b""] * 9999)
    with pytest.raises(BeyondLimitsError, match="bytes of names"):
        unpack_names(data, 10_000, "here", 1 << 26)


@given(names=LINES, at=st.integers(0, 1 << 16), value=st.integers(0, 255))
def test_damaged_names_are_refused_or_are_names(names: list[str], at: int, value: int) -> None:
    data = bytearray(pack_names(names))
    data[at % len(data)] = value
    with contextlib.suppress(CorruptError):
        assert len(unpack_names(bytes(data), len(names), "here")) == len(names)


@pytest.mark.parametrize("data", [b"", b"\x01", b"\x00" + zlib.compress(b"a"), pack_names(["a", "b"]) + b"\0"])
def test_names_that_do_not_fit_are_refused(data: bytes) -> None:
    with pytest.raises(CorruptError, match="here"):
        unpack_names(data, 2, "here")
    with pytest.raises(CorruptError, match="here"):
        unpack_names(pack_names(["a", "b"]), 3, "here")


@pytest.mark.parametrize("name", ["a\nb", "\udcff", "x" * 65536, 7])
def test_names_that_are_no_lines_are_refused(name: object) -> None:
    with pytest.raises(InputError, match="name 1"):
        as_names(["a", name])  # type: ignore[list-item]


@given(data=st.binary(max_size=60))
def test_arbitrary_bytes(data: bytes) -> None:
    for unpack in (unpack_labels, unpack_names):
        for damaged in (data, data[:1] + zlib.compress(data[1:])):
            try:
                columns = unpack(damaged, 2, "here")
            except CorruptError:
                continue
            assert len(columns) == 2


def test_labels_that_would_change_are_refused() -> None:
    with pytest.raises(InputError, match=r"label 18446744073709551615 is beyond 2\^63 - 1"):
        as_labels(np.array([2**64 - 1], np.uint64))
    with pytest.raises(InputError, match=r"label 'a\\x00' ends in NUL"):
        as_labels(["a\0", "b"])
