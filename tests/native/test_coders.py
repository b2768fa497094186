"""The battery of all coders on the compiled core, in every variant that this CPU runs."""

from __future__ import annotations

import numpy as np
import pytest

from backends import CORES
from coder_tests import CoderTests
from compressnet.codec.bundle import Bundle
from compressnet.coding.coder import Coder
from compressnet.lossless.part import LosslessPart
from compressnet.native.backend import NativeBackend
from compressnet.native.library import find_core
from pixel_models import images_for, make_pixel_model

pytestmark = pytest.mark.skipif(not CORES, reason="no compiled core")
MODELS = {channels: make_pixel_model(channels, counts=channels != 2) for channels in (1, 2, 3, 4)}


@pytest.fixture(scope="module", params=CORES)
def backend(request: pytest.FixtureRequest) -> NativeBackend:
    return NativeBackend(find_core(request.param), 1)


class TestLossyCoder(CoderTests):
    @pytest.fixture(params=[0, 60, 99])
    def coder(self, request: pytest.FixtureRequest, tiny_bundle: Bundle, backend: NativeBackend) -> Coder:
        kind = tiny_bundle.networks[0].kind
        return tiny_bundle.parts[0].coders("tiny", backend).coder(kind, request.param)

    @pytest.fixture
    def images_NHWC(self, tiny_images: np.ndarray, coder: Coder) -> np.ndarray:
        return tiny_images.reshape(-1, *coder.kind)


class TestLosslessCoder(CoderTests):
    @pytest.fixture(params=[1, 2, 3, 4], ids=lambda channels: f"{channels} channels")
    def coder(self, request: pytest.FixtureRequest, backend: NativeBackend) -> Coder:
        return LosslessPart.of(tuple(MODELS.values())).coders("all", backend).coder((7, 6, request.param), 100)

    @pytest.fixture
    def images_NHWC(self, coder: Coder) -> np.ndarray:
        return images_for(MODELS[coder.kind[2]], 23, coder.kind[:2], share=0.3)
