"""What the core says of calls of adaptive models that Python does not make."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

from adaptive_pictures import ALL, make_picture
from backends import CORES
from compressnet.adaptive.model import SEEN_PIXELS_LIMIT, PictureShape
from compressnet.errors import InputError
from compressnet.native.adaptive import NativeAdaptiveModel, settings_structure
from compressnet.native.library import ARGUMENT, OK, find_core
from compressnet.native.models import Memory
from compressnet.native.structures import Arrays, CnPicture

pytestmark = pytest.mark.skipif(not CORES, reason="no compiled core")
SHAPE = PictureShape(height=5, width=4, channels=4, deep=True)
MEMORY = 2
"""CN_MEMORY."""


def made(pixels: int) -> tuple[ctypes.CDLL, int, Memory]:
    core, arrays, address = find_core(), Arrays(), ctypes.c_void_p()
    structure = settings_structure(ALL, arrays)
    size = core.functions.cn_adaptive_size(core.address, ctypes.addressof(structure), pixels)
    memory = Memory.of(size)
    given = (core.address, ctypes.addressof(structure), pixels, memory.address)
    assert core.functions.cn_adaptive_make(*given, size - 1, ctypes.addressof(address)) == MEMORY
    assert core.functions.cn_adaptive_make(*given, size, ctypes.addressof(address)) == OK
    assert address.value is not None
    return core.functions, address.value, memory


def structure_of(array: np.ndarray, **changes: int) -> CnPicture:
    fields = {"height": SHAPE.height, "width": SHAPE.width, "channels": 4, "deep": 1, "values": array.ctypes.data}
    return CnPicture(**{**fields, **changes})


def test_a_payload_that_does_not_fit_is_an_error_and_writes_no_further() -> None:
    values = np.ascontiguousarray(make_picture(SHAPE, "noise", 1).values_HWB)
    picture, length = structure_of(values), ctypes.c_size_t()
    functions, model, _memory = made(SHAPE.pixels)
    scratch = Memory.of(functions.cn_adaptive_scratch(model, ctypes.addressof(picture)))
    buffer = np.full(1000, 77, np.uint8)

    def write(room: int) -> int:
        given = (model, ctypes.addressof(picture), 1, buffer.ctypes.data, room, ctypes.addressof(length))
        return functions.cn_adaptive_write(*given, scratch.address)

    assert write(len(buffer)) == OK
    needed, payload = length.value, buffer[: length.value].tobytes()
    buffer[:] = 77
    for room in (0, 1, needed // 2, needed - 1):
        assert write(room) == MEMORY
        assert (buffer[room:] == 77).all()
    assert write(needed) == OK
    assert buffer[:needed].tobytes() == payload
    ends = ctypes.c_size_t()
    given = (model, ctypes.addressof(picture), 1, buffer.ctypes.data, needed - 1, ctypes.addressof(ends))
    assert functions.cn_adaptive_learn_write(*given) == MEMORY


@pytest.mark.parametrize(
    "changes",
    [
        {"height": 0},
        {"width": -1},
        {"height": 4097},
        {"channels": 0},
        {"channels": 5},
        {"values": 0},
        {"height": SHAPE.height + 1},
    ],
)
def test_pictures_that_cannot_be_are_refused(changes: dict[str, int]) -> None:
    values = np.ascontiguousarray(make_picture(SHAPE, "noise", 1).values_HWB)
    functions, model, _memory = made(SHAPE.pixels)
    good, bad = structure_of(values), structure_of(values, **changes)
    scratch = Memory.of(functions.cn_adaptive_scratch(model, ctypes.addressof(good)))
    buffer, length = np.empty(1000, np.uint8), ctypes.c_size_t()
    address, out = ctypes.addressof(bad), ctypes.addressof(length)
    assert functions.cn_adaptive_learn_write(model, address, 1, buffer.ctypes.data, 1000, out) == ARGUMENT
    assert functions.cn_adaptive_learn_read(model, address, 1, b"", 0) == ARGUMENT
    assert functions.cn_adaptive_write(model, address, 1, buffer.ctypes.data, 1000, out, scratch.address) == ARGUMENT
    assert functions.cn_adaptive_read(model, address, 1, b"", out, scratch.address) == ARGUMENT


@pytest.mark.parametrize(
    "changes",
    [
        {"table_bits": 9},
        {"table_bits": 23},
        {"flags": 0},
        {"flags": 64},
        {"bytes": 0},
        {"bytes": 1 << 16},
        {"histograms": 1 << 13},
        {"squash": 0},
        {"stretch": 0},
        {"logarithm": 0},
    ],
)
def test_settings_that_cannot_be_are_refused(changes: dict[str, int]) -> None:
    core, arrays, address, memory = find_core(), Arrays(), ctypes.c_void_p(), Memory.of(1 << 23)
    bad = settings_structure(ALL, arrays)
    for name, value in changes.items():
        setattr(bad, name, value)
    assert core.functions.cn_adaptive_size(core.address, ctypes.addressof(bad), 10) == 0
    given = (core.address, ctypes.addressof(bad), 10, memory.address, 1 << 23, ctypes.addressof(address))
    assert core.functions.cn_adaptive_make(*given) == ARGUMENT


def test_models_for_too_many_pixels_are_refused() -> None:
    for pixels in (-1, SEEN_PIXELS_LIMIT + 1):
        with pytest.raises(
            InputError, match=f"an adaptive model for {pixels:,} pixels; there may be up to 134,217,728"
        ):
            NativeAdaptiveModel(find_core(), ALL, pixels)
    functions, model, _memory = made(10)
    assert functions.cn_adaptive_copy_size(model, SEEN_PIXELS_LIMIT + 1) == 0
    assert functions.cn_adaptive_copy_size(model, 0) > 0
