"""The compiled core gives the bytes and pixels of NumPy, in each variant that this CPU runs."""

from __future__ import annotations

import numpy as np
import pytest

import compressnet
from backends import CORES
from compressnet.coding.coder import Coder
from compressnet.errors import CorruptError, InputError
from compressnet.images import open_collection
from compressnet.native.backend import NativeBackend
from compressnet.native.library import find_core
from compressnet.networks.numpy import NumpyBackend

pytestmark = pytest.mark.skipif(not CORES, reason="no compiled core")
IMAGES = open_collection("mnist").load()[:12, ..., None]
KIND = (28, 28, 1)


def coders(codec: str, variant: str, quality: int) -> tuple[Coder, Coder]:
    """NumPy's and the core's; finding one runs its probe."""
    part = compressnet.load(codec, "numpy").bundle.part_at(quality)
    assert part is not None
    native = part.coders(codec, NativeBackend(find_core(variant), threads=1))
    return part.coders(codec, NumpyBackend()).find(KIND, quality), native.find(KIND, quality)


@pytest.mark.parametrize("variant", CORES)
@pytest.mark.parametrize("quality", [0, 46, 99, 100])
@pytest.mark.parametrize("codec", ["mnist", "fashion-mnist"])
def test_values_payloads_and_images(codec: str, quality: int, variant: str) -> None:
    numpy, native = coders(codec, variant, quality)
    values = numpy.values_of(IMAGES)
    np.testing.assert_array_equal(native.values_of(IMAGES), values)
    bits, native_bits = np.zeros(len(IMAGES)), np.zeros(len(IMAGES))
    payloads = numpy.write(values, [1, 11], bits)
    assert native.write(values, [1, 11], native_bits) == payloads
    np.testing.assert_allclose(native_bits, bits, atol=1e-5)
    np.testing.assert_allclose(native.bits(values), bits, atol=1e-5)
    np.testing.assert_array_equal(native.read(payloads, [1, 11]), values)
    np.testing.assert_array_equal(native.images_of(values), numpy.images_of(values))


@pytest.mark.parametrize(("quality", "payloads"), [(46, 30), (100, 8)])
def test_damaged_payloads_give_what_numpy_gives(quality: int, payloads: int) -> None:
    numpy, native = coders("mnist", CORES[0], quality)
    (payload,) = numpy.write(numpy.values_of(IMAGES[:2]), [2])
    generator = np.random.default_rng(0)
    for _ in range(payloads):
        damaged = bytearray(payload)
        damaged[int(generator.integers(len(damaged)))] ^= int(generator.integers(1, 256))
        expected = outcome(numpy, bytes(damaged))
        assert outcome(native, bytes(damaged)) == expected


def outcome(coder: Coder, payload: bytes) -> bytes | None:
    """What a payload is read as; None where it is refused."""
    try:
        return coder.read([payload], [2]).tobytes()
    except CorruptError:
        return None


def test_a_variant_that_there_is_not() -> None:
    with pytest.raises(InputError, match=r"the variant 6502 is not in the compiled core; this CPU runs: \w"):
        find_core("6502")
