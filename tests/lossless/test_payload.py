"""The payload of a block of images that are coded alone: any of them back, and what is refused."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compressnet.errors import CorruptError
from compressnet.lossless.payload import pack_payload, unpack_payload

PAYLOADS = st.lists(st.binary(max_size=300), min_size=1, max_size=20)


@given(images=PAYLOADS, data=st.data())
def test_round_trip(images: list[bytes], data: st.DataObject) -> None:
    chosen = data.draw(st.lists(st.integers(0, len(images) - 1)))
    packed = pack_payload(images)
    assert unpack_payload(packed, len(images), range(len(images))) == images
    assert unpack_payload(packed, len(images), chosen) == [images[image] for image in chosen]


def test_one_image_has_no_overhead() -> None:
    assert pack_payload([b"pixels"]) == b"pixels"
    assert pack_payload([b""]) == b""
    assert unpack_payload(b"", 1, [0]) == [b""]


def test_literal_bytes() -> None:
    assert pack_payload([b"a" * 200, b"", b"bc"]) == b"\xc8\x01\x00" + b"a" * 200 + b"bc"


@pytest.mark.parametrize(
    ("payload", "count", "message"),
    [
        (b"\x03abc", 3, "has a number beyond the limit of 4"),
        (b"\x02\x02abc", 3, "is cut off"),
        (b"\x05abc", 2, "has a number beyond the limit of 4"),
        (b"\x81\x00" + bytes(200), 2, "has a number that is longer than need be"),
        (b"", 2, "is cut off"),
        (b"\x00\x00", 4, "is cut off"),
    ],
)
def test_what_does_not_fit_is_refused(payload: bytes, count: int, message: str) -> None:
    with pytest.raises(CorruptError, match=message):
        unpack_payload(payload, count, [0])


@settings(max_examples=300)
@given(payload=st.binary(max_size=40), count=st.integers(1, 12))
def test_any_bytes_are_payloads_or_an_error_of_ours(payload: bytes, count: int) -> None:
    with contextlib.suppress(CorruptError):
        images = unpack_payload(payload, count, range(count))
        assert pack_payload(images) == payload
