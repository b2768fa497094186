"""Pixel models in the compiled core: NumPy's bytes and images, and the same refusals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends import CORES
from compressnet.errors import CorruptError
from compressnet.lossless.model import PixelModel
from compressnet.lossless.pixels import NumpyPixelCoder, PixelCoder
from compressnet.native.library import find_core
from compressnet.native.pixels import make_pixel_coder
from pixel_models import images_for, make_pixel_model

pytestmark = pytest.mark.skipif(not CORES, reason="no compiled core")
MODELS = [
    *(make_pixel_model(channels, counts=channels != 2) for channels in (1, 2, 3, 4)),
    make_pixel_model(1, (9, 7)),
    make_pixel_model(3, (4, 12), counts=False),
]


def native(core: str, model: PixelModel) -> PixelCoder:
    coder = make_pixel_coder(find_core(core), model)
    assert coder is not None
    return coder


@settings(max_examples=40, deadline=None)
@given(
    model=st.sampled_from(MODELS),
    images=st.integers(0, 4),
    share=st.sampled_from([0.0, 0.05, 1.0]),
    seed=st.integers(0, 1000),
    data=st.data(),
)
def test_any_images(model: PixelModel, images: int, share: float, seed: int, data: st.DataObject) -> None:
    size = model.size or (data.draw(st.integers(1, 13)), data.draw(st.integers(1, 13)))
    pixels = images_for(model, images, size, seed, share)
    payloads, bits = NumpyPixelCoder(model).write(pixels)
    for core in CORES:
        coder = native(core, model)
        found, found_bits = coder.write(pixels)
        assert found == payloads
        assert found_bits == pytest.approx(bits, abs=1e-6)
        assert coder.bits(pixels) == pytest.approx(bits, abs=1e-6)
        assert np.array_equal(coder.read(payloads, size), pixels)


def outcome(coder: PixelCoder, payloads: list[bytes], size: tuple[int, int]) -> bytes | None:
    try:
        return coder.read(payloads, size).tobytes()
    except CorruptError:
        return None


@settings(max_examples=100, deadline=None)
@given(model=st.sampled_from(MODELS), payload=st.binary(max_size=100), others=st.booleans())
def test_any_bytes(model: PixelModel, payload: bytes, others: bool) -> None:
    size = model.size or (5, 4)
    good, _ = NumpyPixelCoder(model).write(images_for(model, 2, size, 0, 0.3))
    payloads = [good[0], payload, good[1]] if others else [payload]
    expected = outcome(NumpyPixelCoder(model), payloads, size)
    for core in CORES:
        assert outcome(native(core, model), payloads, size) == expected


def test_more_images_than_one_call_takes() -> None:
    model = MODELS[3]
    pixels = images_for(model, 9, (128, 128), 0, 0.001)
    coder = native(CORES[0], model)
    payloads, bits = coder.write(np.concatenate([pixels] * 4))
    alone = [coder.write(pixels[i : i + 1])[0][0] for i in range(9)]
    assert payloads == alone * 4
    assert bits.tolist() == bits[:9].tolist() * 4
    assert np.array_equal(coder.read(alone, (128, 128)), pixels)
