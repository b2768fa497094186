"""Range coders in lockstep: every lane's payload is what one coder writes alone, and gives it
back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compressnet.coding.range_coder import PayloadDecoder, PayloadEncoder
from compressnet.coding.range_lanes import LaneDecoder, LaneEncoder
from compressnet.errors import CorruptError
from reference_decoder import RangeDecoder
from reference_encoder import RangeEncoder

ONE = 1 << 24


def random_steps(generator: np.random.Generator, lanes: int, steps: int) -> list[tuple[np.ndarray, ...]]:
    """Lanes, frequencies (A,n) and symbols of each step: skewed, so that some cost 24 bits."""
    found = []
    for _ in range(steps):
        chosen = np.flatnonzero(generator.random(lanes) < 0.8)
        alphabet = int(generator.choice([2, 3, 16]))
        weights = generator.exponential(1, (alphabet, len(chosen))) ** 9
        frequencies = np.floor(weights / weights.sum(axis=0) * (ONE - alphabet)) + 1
        frequencies[0] += ONE - frequencies.sum(axis=0)
        found.append((chosen, frequencies, generator.integers(0, alphabet, len(chosen))))
    return found


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**32), lanes=st.integers(1, 9), steps=st.integers(0, 60))
def test_lanes_are_coders_of_their_own(seed: int, lanes: int, steps: int) -> None:
    taken = random_steps(np.random.default_rng(seed), lanes, steps)
    encoder, references = LaneEncoder(lanes), [RangeEncoder() for _ in range(lanes)]
    alone = [PayloadEncoder() for _ in range(lanes)]
    for chosen, frequencies, symbols in taken:
        encoder.encode(chosen, frequencies, symbols)
        for i, lane in enumerate(chosen):
            references[lane].append(int(symbols[i]), frequencies[:, i].astype(np.int64))
            alone[lane].encode(symbols[i : i + 1].astype(np.int32), frequencies[:, i][None] - 1)
    payloads = encoder.finish()
    assert payloads == [reference.finish() for reference in references]
    assert payloads == [one.finish() for one in alone]
    decoder = LaneDecoder(payloads)
    for chosen, frequencies, symbols in taken:
        assert np.array_equal(decoder.decode(chosen, frequencies), symbols)


@pytest.mark.parametrize("steps", [1, 2, 5, 30])
def test_a_carry_goes_as_far_as_it_has_to(steps: int) -> None:
    """The interval closes in on 4000..., from below, and in the end lies above: a carry through
    all words."""
    encoder, reference = LaneEncoder(3), RangeEncoder()
    taken: list[tuple[np.ndarray, int]] = []

    def append(frequencies: list[int], symbol: int) -> None:
        column = np.array([frequency for frequency in frequencies if frequency])
        reference.append(symbol, column)
        taken.append((np.repeat(column[:, None], 3, axis=1).astype(np.float64), symbol))
        encoder.encode(np.arange(3), taken[-1][0], np.full(3, symbol))

    for step in range(steps + 1):
        target = 0x40 << 8 * (7 + 4 * reference.n)
        left = (target - reference.lower) // (reference.range >> 24)
        append(*(([left, 1, ONE - 1 - left], int(left > 0)) if step < steps else ([left + 1, ONE - 1 - left], 1)))
    payloads = encoder.finish()
    assert payloads == [reference.finish()] * 3
    assert payloads[0].startswith(b"\x40" + bytes(2 * steps))
    decoder = LaneDecoder(payloads)
    for frequencies, symbol in taken:
        assert decoder.decode(np.arange(3), frequencies).tolist() == [symbol] * 3


def test_nothing_is_no_bytes() -> None:
    assert LaneEncoder(0).finish() == []
    assert LaneEncoder(2).finish() == [b"", b""]
    LaneDecoder([])


@settings(max_examples=200, deadline=None)
@given(
    payloads=st.lists(st.binary(max_size=20), min_size=1, max_size=4),
    seed=st.integers(0, 99),
    steps=st.integers(1, 40),
)
def test_any_bytes_decode_as_by_one_coder_alone(payloads: list[bytes], seed: int, steps: int) -> None:
    decoder = LaneDecoder(payloads)
    alone, references = [PayloadDecoder(payload) for payload in payloads], [RangeDecoder(one) for one in payloads]
    for chosen, frequencies, _ in random_steps(np.random.default_rng(seed), len(payloads), steps):
        try:
            expected = [
                int(alone[lane].decode(frequencies[:, i][None] - 1)[0]) for i, lane in enumerate(chosen.tolist())
            ]
        except CorruptError:
            with pytest.raises(CorruptError):
                decoder.decode(chosen, frequencies)
            return
        assert decoder.decode(chosen, frequencies).tolist() == expected
        columns = frequencies.astype(np.int64).T
        assert [references[lane].next(columns[i]) for i, lane in enumerate(chosen.tolist())] == expected


def test_a_payload_that_does_not_fit_is_refused() -> None:
    """The largest point lies beyond all quantiles where the range is not a multiple of 2^24."""
    with pytest.raises(CorruptError, match="does not fit the codec's frequencies"):
        LaneDecoder([b"", b"\xff" * 8]).decode(np.arange(2), np.full((2, 2), ONE / 2))
