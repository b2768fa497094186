"""The lossy coder: the battery of all coders, over the conformance codecs, with NumPy and ONNX."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import compressnet
from coder_tests import CoderTests
from compressnet.coding.coder import LOSSY, Coder
from compressnet.errors import CodecError


class TestLossyCoder(CoderTests):
    @pytest.fixture(params=[("onnx", 60), ("numpy", 60), ("onnx", 0), ("onnx", 99)], ids=str)
    def coder(self, request: pytest.FixtureRequest, tiny_path: Path) -> Coder:
        backend, quality = request.param
        codec = compressnet.load(tiny_path, backend=backend, threads=1)
        return codec.coder(codec.kinds[0], quality)

    @pytest.fixture
    def images_NHWC(self, tiny_images: np.ndarray, coder: Coder) -> np.ndarray:
        return tiny_images.reshape(-1, *coder.kind)

    def test_symbols_are_those_of_the_codec(
        self, coder: Coder, images_NHWC: np.ndarray, tiny: compressnet.Codec
    ) -> None:
        assert coder.method == LOSSY
        assert not coder.exact
        symbols = coder.values_of(images_NHWC)
        assert symbols.dtype == np.int16
        assert np.array_equal(symbols, tiny.encoder(images_NHWC, coder.quality))
        assert coder.read(coder.write(symbols, [23]), [23]).dtype == np.int16


def test_what_an_archive_embeds_cannot_encode(tiny: compressnet.Codec, tiny_images: np.ndarray) -> None:
    part = tiny.bundle.parts[0].without_encoder()
    assert part.identity == tiny.bundle.identity
    coder = part.coders("part", tiny.backend).coder(tiny.kinds[0], 60)
    with pytest.raises(CodecError, match="has no encoder"):
        coder.values_of(tiny_images.reshape(-1, *coder.kind))
