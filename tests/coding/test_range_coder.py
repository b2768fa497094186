"""The range coder behind constriction's interface: round trips, literal bytes, damage."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compressnet.coding.range_coder import PayloadDecoder, PayloadEncoder
from compressnet.errors import CorruptError

ONE = 1 << 24


def random_frequencies(generator: np.random.Generator, count: int, alphabet: int) -> np.ndarray:
    """(count, alphabet) integers >= 1 that sum to 2^24, skewed."""
    weights = generator.exponential(1, (count, alphabet)) ** 4
    frequencies = np.floor(weights / weights.sum(axis=1, keepdims=True) * (ONE - alphabet)).astype(np.int64) + 1
    frequencies[:, 0] += ONE - frequencies.sum(axis=1)
    return frequencies


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**32), count=st.integers(0, 200), alphabet=st.integers(2, 255))
def test_round_trip(seed: int, count: int, alphabet: int) -> None:
    generator = np.random.default_rng(seed)
    weights = (random_frequencies(generator, count, alphabet) - 1).astype(np.float64)
    indices = generator.integers(0, alphabet, count).astype(np.int32)
    encoder = PayloadEncoder()
    half = count // 2
    encoder.encode(indices[:half], weights[:half])
    encoder.encode(indices[half:], weights[half:])
    decoder = PayloadDecoder(encoder.finish())
    assert np.array_equal(decoder.decode(weights), indices)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32), count=st.integers(0, 200), alphabet=st.integers(2, 257))
def test_alike_symbols_are_coded_as_any_others(seed: int, count: int, alphabet: int) -> None:
    generator = np.random.default_rng(seed)
    weights = (random_frequencies(generator, 1, alphabet) - 1).astype(np.float64)
    indices = generator.integers(0, alphabet, count).astype(np.int32)
    encoder, other = PayloadEncoder(), PayloadEncoder()
    encoder.encode_alike(indices, weights[0])
    other.encode(indices, np.repeat(weights, count, axis=0))
    payload = encoder.finish()
    assert payload == other.finish()
    assert np.array_equal(PayloadDecoder(payload).decode_alike(count, weights[0]), indices)


def test_literal_payloads() -> None:
    """Two symbols of equal frequency: one bit each, the shortest bytes, zeros left out at the
    end."""
    halves = np.full((8, 2), ONE // 2 - 1, np.float64)

    def payload(*bits: int) -> bytes:
        encoder = PayloadEncoder()
        encoder.encode(np.array(bits, np.int32), halves[: len(bits)])
        return encoder.finish()

    assert payload() == b""
    assert payload(0) == b""
    assert payload(1) == b"\x80"
    assert payload(1, 0, 1, 0) == b"\xa0"
    assert payload(0, 0, 0, 0, 0, 0, 0, 1) == b"\x01"


def test_probable_symbols_cost_nothing() -> None:
    weights = np.tile([ONE - 2.0, 0.0], (1000, 1))
    encoder = PayloadEncoder()
    encoder.encode(np.zeros(1000, np.int32), weights)
    assert encoder.finish() == b""


def test_a_payload_is_within_a_byte_of_its_ideal_length() -> None:
    generator = np.random.default_rng(5)
    frequencies = random_frequencies(generator, 5000, 31)
    indices = np.array([generator.choice(31, p=row / ONE) for row in frequencies], np.int32)
    encoder = PayloadEncoder()
    encoder.encode(indices, (frequencies - 1).astype(np.float64))
    ideal_bits = 24 * 5000 - np.log2(frequencies[np.arange(5000), indices]).sum()
    assert ideal_bits / 8 - 1 <= len(encoder.finish()) <= ideal_bits / 8 * 1.0002 + 1.5


def test_a_payload_that_does_not_fit_is_refused() -> None:
    """The largest point lies beyond all quantiles where the range is not a multiple of 2^24."""
    weights = np.full((1, 2), ONE // 2 - 1, np.float64)
    with pytest.raises(CorruptError, match="does not fit the codec's frequencies"):
        PayloadDecoder(b"\xff" * 8).decode(weights)
