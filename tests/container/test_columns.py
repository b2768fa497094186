"""Labels and names: round trips, and one error for each malformation."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compressnet.container.columns import as_labels, as_names, pack_labels, pack_names, unpack_labels, unpack_names
from compressnet.errors import CorruptError, InputError

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
    [b"", b"\x00", b"\x00nonsense", b"\x02" + zlib.compress(b""), b"\x00" + zlib.compress(bytes(1 << 20)), b"\x01"],
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
