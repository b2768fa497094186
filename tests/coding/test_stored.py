"""Stored payloads: every packing, predictor and step against the page's decoder, and CorruptError
for anything else."""

from __future__ import annotations

import lzma
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from coder_tests import CoderTests
from compressnet.coding.coder import Coder
from compressnet.coding.stored import StoredCoder, coarsest_step, in_steps, largest_error, pack_stored, unpack_stored
from compressnet.errors import CorruptError
from reference_decoder import decode_stored

STEPS = st.integers(0, 127).map(lambda n: 2 * n + 1)
IMAGES = arrays.arrays(
    np.uint8, st.tuples(st.integers(1, 3), st.integers(1, 5), st.integers(1, 5), st.integers(1, 4)), fill=st.just(7)
)
FILTERS = [{"id": lzma.FILTER_LZMA2, "dict_size": 4096}]


def packed(packing: int, values: bytes) -> bytes:
    if packing == 2:
        return lzma.compress(values, lzma.FORMAT_RAW, filters=FILTERS)
    return zlib.compress(values) if packing else values


@settings(max_examples=150, deadline=None)
@given(images=IMAGES, step=STEPS)
def test_images_come_back_in_steps(images: np.ndarray, step: int) -> None:
    payload = pack_stored(images, step)
    assert len(payload) <= 3 + images.size
    decoded, found = unpack_stored(payload, len(images), images.shape[1:], "here")
    assert found == step
    assert np.array_equal(decoded, in_steps(images, step))
    assert np.abs(decoded.astype(int) - images).max() <= largest_error(step) == (step - 1) // 2
    assert np.array_equal(decode_stored(payload, len(images), images.shape[1:]), decoded)
    assert np.array_equal(in_steps(decoded, step), decoded)


@settings(max_examples=300, deadline=None)
@given(
    values=IMAGES,
    packing=st.integers(0, 2),
    step=STEPS,
    predictor=st.integers(0, 3),
    green=st.booleans(),
    interleaved=st.booleans(),
)
def test_every_arrangement_is_read_as_the_page_says(
    values: np.ndarray, packing: int, step: int, predictor: int, green: bool, interleaved: bool
) -> None:
    count, *kind = values.shape
    levels = (255 + (step - 1) // 2) // step + 1
    arrangement = predictor + 4 * (green and kind[2] >= 3) + 8 * interleaved
    payload = bytes([packing, step, arrangement]) + packed(
        packing, (values.astype(int) % levels).astype(np.uint8).tobytes()
    )
    decoded, _ = unpack_stored(payload, count, tuple(kind), "here")
    assert np.array_equal(decoded, decode_stored(payload, count, tuple(kind)))


def test_literal_bytes() -> None:
    image = np.array([[0, 10], [255, 128]], np.uint8)[None, :, :, None]
    assert pack_stored(image, 1).hex() == "000100" + "000aff80"
    assert pack_stored(image, 21).hex() == "001500" + "00000c06"
    assert in_steps(image, 21).ravel().tolist() == [0, 0, 252, 126]


def test_smooth_and_flat_images_shrink() -> None:
    rows, columns = np.mgrid[:32, :32]
    smooth = np.stack([rows * 3 + columns * 2 + i for i in range(8)]).astype(np.uint8)[..., None]
    assert len(pack_stored(smooth, 1)) < smooth.size / 20
    assert len(pack_stored(np.full((64, 32, 32, 4), 9, np.uint8), 1)) < 200


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (b"", "cut off"),
        (b"\x03\x01\x00" + bytes(8), "packing 3"),
        (b"\x00\x02\x00" + bytes(8), "step 2"),
        (b"\x00\x01\x10" + bytes(8), "arrangement 16"),
        (b"\x00\x01\x04" + bytes(8), "green"),
        (b"\x00\x01\x00" + bytes(7), "7 values and not 8"),
        (b"\x00\x01\x00" + bytes(9), "9 values and not 8"),
        (b"\x00\xff\x00" + bytes([2] * 8), "beyond its 2 levels"),
        (b"\x01\x01\x00" + zlib.compress(bytes(8)) + b"\0", "does not end"),
        (b"\x01\x01\x00" + zlib.compress(bytes(1 << 24)), "does not end"),
        (b"\x02\x01\x00" + packed(2, bytes(1 << 24)), "does not end"),
        (b"\x02\x01\x00\x03\x00", "damaged"),
        (b"\x02\x01\x00" + packed(2, bytes(8))[:-1], "does not end"),
    ],
)
def test_malformed_payloads_are_refused(payload: bytes, message: str) -> None:
    with pytest.raises(CorruptError, match=f"here.*{message}"):
        unpack_stored(payload, 2, (2, 2, 1), "here")


@settings(max_examples=200, deadline=None)
@given(images=IMAGES, step=STEPS, at=st.integers(0, 1 << 16), change=st.integers(1, 255))
def test_a_changed_byte_gives_images_or_an_error_of_ours(images: np.ndarray, step: int, at: int, change: int) -> None:
    payload = bytearray(pack_stored(images, step))
    payload[at % len(payload)] ^= change
    try:
        decoded, _ = unpack_stored(bytes(payload), len(images), images.shape[1:], "here")
    except CorruptError:
        return
    assert decoded.shape == images.shape


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=60), packing=st.integers(0, 2))
def test_arbitrary_bytes(data: bytes, packing: int) -> None:
    try:
        decoded, _ = unpack_stored(bytes([packing, 1, 3]) + data, 2, (2, 2, 1), "here")
    except CorruptError:
        return
    assert decoded.shape == (2, 2, 2, 1)


class TestStoredCoder(CoderTests):
    @pytest.fixture(params=[((5, 7, 3), 1), ((4, 4, 1), 1), ((5, 7, 4), 9), ((3, 3, 2), 255)], ids=str)
    def coder(self, request: pytest.FixtureRequest) -> Coder:
        return StoredCoder(*request.param)

    @pytest.fixture
    def images_NHWC(self, coder: Coder) -> np.ndarray:
        noise = np.random.default_rng(0).integers(0, 256, (23, *coder.kind))
        return np.where(noise % 3, 200, noise).astype(np.uint8)


@settings(max_examples=100, deadline=None)
@given(images=IMAGES, step=STEPS)
def test_values_are_written_in_the_coarsest_step_that_keeps_them(images: np.ndarray, step: int) -> None:
    coder = StoredCoder(images.shape[1:], step)
    values = coder.values_of(images)
    found = coarsest_step(values)
    assert found >= step
    assert np.array_equal(in_steps(values, found), values)
    assert not any(np.array_equal(in_steps(values, more), values) for more in range(found + 2, 256, 2))
    assert coder.write(values, [len(values)])[0][1] == found


def test_coders_of_one_kind_and_step_are_equal() -> None:
    assert len({StoredCoder((2, 2, 1)), StoredCoder((2, 2, 1), 1), StoredCoder((2, 2, 1), 3)}) == 2
