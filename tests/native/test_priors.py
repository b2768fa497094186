"""Entropy models in the compiled core: NumPy's bytes and symbols, and the same refusals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backends import CORES
from compressnet.codec.bundle import Bundle
from compressnet.errors import CorruptError, InputError
from compressnet.lossy.entropy import EntropyCoder, NumpyEntropyCoder
from compressnet.lossy.prior import Prior
from compressnet.native.library import find_core
from compressnet.native.priors import make_entropy_coder

pytestmark = pytest.mark.skipif(not CORES, reason="no compiled core")
EXAMPLES = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
QUALITIES = st.integers(0, 99)


class Both:
    """An entropy model in NumPy and in a variant of the core."""

    def __init__(self, prior: Prior, core: str) -> None:
        native = make_entropy_coder(find_core(core), prior)
        assert native is not None
        self.prior, self.native = prior, native
        self.numpy = NumpyEntropyCoder(prior)


@pytest.fixture(scope="module", params=CORES)
def both(tiny_bundle: Bundle, request: pytest.FixtureRequest) -> Both:
    """Masked and convolutional ones, of random weights."""
    return Both(tiny_bundle.networks[0].prior, request.param)


def symbols_for(prior: Prior, images: int, quality: int, seed: int) -> np.ndarray:
    bound_D = prior.symbol_bounds(quality)
    rng = np.random.default_rng(seed)
    reach_D = np.minimum(bound_D, rng.integers(0, 9) ** 2)
    return rng.integers(-reach_D, reach_D + 1, (images, len(bound_D))).astype(np.int16)


@EXAMPLES
@given(counts=st.lists(st.integers(1, 40), min_size=1, max_size=4), quality=QUALITIES, seed=st.integers(0, 1000))
def test_any_symbols(both: Both, counts: list[int], quality: int, seed: int) -> None:
    numpy, native = both.numpy, both.native
    symbols = symbols_for(both.prior, sum(counts), quality, seed)
    bits, expected_bits = np.full(len(symbols), np.nan), np.zeros(len(symbols))
    payloads = numpy.write(symbols, counts, quality, expected_bits)
    assert native.write(symbols, counts, quality, bits) == payloads
    assert native.write(symbols.astype(np.int64), counts, quality) == payloads
    assert bits == pytest.approx(expected_bits, abs=1e-6)
    assert native.bits(symbols, quality) == pytest.approx(expected_bits, abs=1e-6)
    read = native.read(payloads, counts, quality)
    assert read.dtype == np.int16
    assert np.array_equal(read, symbols)
    assert native.frequencies_sha256(symbols, quality) == numpy.frequencies_sha256(symbols, quality)


def outcome(coder: EntropyCoder, payload: bytes, images: int, quality: int) -> list[list[int]] | str:
    try:
        return coder.read([payload], [images], quality).tolist()
    except CorruptError as error:
        return str(error)


@settings(EXAMPLES, max_examples=60)
@given(payload=st.binary(max_size=60), images=st.integers(1, 3), quality=QUALITIES)
def test_any_bytes(both: Both, payload: bytes, images: int, quality: int) -> None:
    assert outcome(both.native, payload, images, quality) == outcome(both.numpy, payload, images, quality)


@pytest.mark.parametrize("far", [128, -128, 40_000, 65_536, -(1 << 16)])
def test_symbols_outside_of_their_alphabets_are_refused(both: Both, far: int) -> None:
    symbols = symbols_for(both.prior, 3, 60, 0).astype(np.int32)
    symbols[1, 2] = far
    with pytest.raises(InputError, match="outside of their alphabets at quality 60"):
        both.native.write(symbols, [3], 60)
    with pytest.raises(InputError, match="outside of their alphabets at quality 60"):
        both.native.bits(symbols, 60)


def test_bits_of_many_images(both: Both) -> None:
    symbols = symbols_for(both.prior, 2500, 60, 0)
    assert both.native.bits(symbols, 60) == pytest.approx(both.numpy.bits(symbols, 60), abs=1e-6)
