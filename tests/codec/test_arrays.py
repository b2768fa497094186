"""Integer arrays as bytes: round trips of any values and shapes, damage, and claims that cannot be
true."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from compressnet.codec.arrays import pack_arrays, unpack_arrays
from compressnet.coding.part import Layout
from compressnet.errors import CorruptError

DTYPES = [np.dtype(name) for name in ("int8", "uint8", "int16", "uint16", "int32")]
ARRAYS = st.sampled_from(DTYPES).flatmap(
    lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=9))
)


def layouts_of(arrays: list[np.ndarray]) -> list[Layout]:
    return [Layout(shape=array.shape, dtype=array.dtype) for array in arrays]


def check_round_trip(arrays: list[np.ndarray]) -> bytes:
    packed = pack_arrays(arrays)
    again = unpack_arrays(packed, layouts_of(arrays), "again")
    assert len(again) == len(arrays)
    for array, other in zip(arrays, again, strict=True):
        assert other.dtype == array.dtype
        assert np.array_equal(other, array)
    return packed


def trained(generator: np.random.Generator) -> list[np.ndarray]:
    """Arrays such as codecs have: weights, biases along anchors, gains."""
    spread = np.exp2(generator.uniform(2, 5, (24, 1, 1))) * np.exp2(generator.uniform(-1, 1, (1, 16, 1)))
    weight = np.clip(np.round(generator.logistic(0, spread, (24, 16, 9))), -127, 127).astype(np.int8)
    bias = np.cumsum(generator.normal(0, 300, (12, 24)), axis=0).astype(np.int32)
    gain = np.round(np.exp2(np.linspace(8, 2, 100))[:, None] * generator.uniform(0.9, 1.1, 10)).astype(np.int16)
    return [weight.reshape(24, 16, 3, 3), bias, gain, np.arange(300, dtype=np.int32)]


@settings(max_examples=100, deadline=None)
@given(arrays=st.lists(ARRAYS, max_size=4))
def test_round_trip(arrays: list[np.ndarray]) -> None:
    check_round_trip(arrays)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_extreme_values(dtype: np.dtype) -> None:
    lowest, highest = np.iinfo(dtype).min, np.iinfo(dtype).max
    generator = np.random.default_rng(3)
    check_round_trip(
        [generator.choice(np.array([lowest, highest], dtype), shape) for shape in ((130,), (5, 7), (3, 4, 5))]
    )
    check_round_trip([generator.integers(lowest, highest, (12, 30), dtype, endpoint=True)])
    outlier = np.zeros((6, 40), dtype)
    outlier[2, 3] = highest
    check_round_trip([outlier, np.full((4, 4), lowest, dtype)])


def test_trained_arrays_come_near_their_entropy() -> None:
    arrays = trained(np.random.default_rng(1))
    sizes = [len(pack_arrays([array])) for array in arrays]
    spread = np.abs(arrays[0].astype(float)).reshape(24, -1).mean(axis=1) / (2 * np.log(2))
    entropy_bytes = float((np.log2(spread) + 2 / np.log(2)).mean()) * arrays[0].size / 8
    assert sizes[0] < entropy_bytes  # of logistic distributions, one for each row
    assert sizes[1] < 12 * 24 * 13 / 8
    assert sizes[2] < 1000 * 3 / 8
    assert sizes[3] < 30
    assert len(check_round_trip(arrays)) < sum(sizes)


def test_zeros_cost_next_to_nothing_and_still_can_be_read() -> None:
    assert len(check_round_trip([np.zeros((1100, 1024), np.int8)])) < 1100 * 1024 / 1000


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((), "here has an array without axes"),
        ((1,) * 5, "here has an array .* more than 4"),
        ((1 << 40,), "here claims 1099511627776 numbers in"),
        ((1 << 12, 1 << 12, 2), "here claims 33554432 numbers in"),
    ],
)
def test_other_shapes_are_refused(shape: tuple[int, ...], message: str) -> None:
    packed = pack_arrays(trained(np.random.default_rng(1))[:1])
    with pytest.raises(CorruptError, match=message):
        unpack_arrays(packed, [Layout(shape=shape, dtype=np.dtype(np.int8))], "here")


def test_what_is_wrong_is_told() -> None:
    arrays = [np.arange(50, dtype=np.int16) * 700]
    packed, layouts = pack_arrays(arrays), layouts_of(arrays)
    for damaged, message in (
        (b"", "here is damaged: it is cut off"),
        (bytes([81]) + packed[1:], "here is damaged: it has a scale beyond the last, 80"),
        (packed[:-1], "here is damaged: it is cut off"),
        (packed + b"\0", "here is damaged: it has 1 bytes too many"),
    ):
        with pytest.raises(CorruptError, match=message):
            unpack_arrays(damaged, layouts, "here")


@settings(max_examples=150, deadline=None)
@given(at=st.integers(0, 10_000), flip=st.integers(1, 255), cut=st.booleans())
def test_damage_gives_an_error_or_arrays_of_these_layouts(at: int, flip: int, cut: bool) -> None:
    arrays = trained(np.random.default_rng(1))
    packed, layouts = PACKED, layouts_of(arrays)
    at %= len(packed)
    damaged = packed[:at] if cut else packed[:at] + bytes([packed[at] ^ flip]) + packed[at + 1 :]
    try:
        again = unpack_arrays(damaged, layouts, "damaged")
    except CorruptError:
        return
    assert layouts_of(again) == layouts


PACKED = pack_arrays(trained(np.random.default_rng(1)))
