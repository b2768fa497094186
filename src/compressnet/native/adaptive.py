"""Adaptive models in the compiled core.

Axes: N images, H rows, W columns.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from compressnet.adaptive.model import AdaptiveModel, AdaptiveSettings, Shape
from compressnet.adaptive.tables import logarithm_table, squash_table, stretch_table
from compressnet.images.kinds import Images
from compressnet.native.library import Core, check_status
from compressnet.native.models import Memory
from compressnet.native.structures import Arrays, CnAdaptiveSettings, CnPicture

_PAYLOADS_BYTES = 1 << 24
"""Room for payloads that are written in one call, where one image does not need more."""


class NativeAdaptiveModel(AdaptiveModel):
    """A model, with room for images of so many pixels in all; an image alone finds more room."""

    def __init__(self, core: Core, memory: Memory, address: int, pixels: int) -> None:
        self._core, self._memory, self._address, self._pixels = core, memory, address, pixels
        self._functions = core.functions
        self._learned_pixels = 0
        self._scratch_bytes, self._scratch = 0, Memory.of(0)

    @classmethod
    def of(cls, core: Core, settings: AdaptiveSettings, pixels: int) -> NativeAdaptiveModel:
        """A model that has learned nothing."""
        arrays = Arrays()
        structure = CnAdaptiveSettings(
            table_bits=settings.table_bits,
            flags=settings.flags,
            bytes=settings.bytes,
            histograms=settings.histograms,
            squash=arrays.pointer(squash_table(), np.uint16),
            stretch=arrays.pointer(stretch_table(), np.int16),
            logarithm=arrays.pointer(logarithm_table(), np.uint16),
        )
        described = ctypes.addressof(structure)
        size = core.functions.cn_adaptive_size(core.address, described, pixels)
        memory, address = Memory.of(size), ctypes.c_void_p()
        made = core.functions.cn_adaptive_make(
            core.address, described, pixels, memory.address, size, ctypes.addressof(address)
        )
        check_status(made, "made an adaptive model")
        assert address.value is not None
        return cls(core, memory, address.value, pixels)

    def copy(self, pixels: int | None = None) -> NativeAdaptiveModel:
        """Another one that has learned the same; pixels: how many it has room for."""
        pixels = self._pixels if pixels is None else pixels
        size = self._functions.cn_adaptive_copy_size(self._address, pixels)
        memory, address = Memory.of(size), ctypes.c_void_p()
        made = self._functions.cn_adaptive_copy(self._address, pixels, memory.address, size, ctypes.addressof(address))
        check_status(made, "copied an adaptive model")
        assert address.value is not None
        copied = NativeAdaptiveModel(self._core, memory, address.value, pixels)
        copied._learned_pixels = self._learned_pixels
        return copied

    def learn_write(self, images: Sequence[tuple[Shape, Images]]) -> bytes:
        """Images (H,W,bytes) in one payload; the model learns from them."""
        kept = [np.ascontiguousarray(values) for _, values in images]
        pictures = _pictures([shape for shape, _ in images], kept)
        buffer = np.empty(4 * sum(values.nbytes for values in kept) + 16, np.uint8)
        ends_N = np.zeros(max(1, len(images)), np.uintp)
        status = self._functions.cn_adaptive_learn_write(
            *(self._address, ctypes.addressof(pictures), len(images)),
            *(buffer.ctypes.data, len(buffer), ends_N.ctypes.data),
        )
        check_status(status, "learned pictures")
        self._learned_pixels += sum(shape.height * shape.width for shape, _ in images)
        return buffer[: ends_N[-1]].tobytes()

    def learn_read(self, shapes: Sequence[Shape], payload: bytes) -> list[Images]:
        """The images (H,W,bytes) again, of their shapes; the model learns from them."""
        images = [np.empty(shape.axes, np.uint8) for shape in shapes]
        pictures = _pictures(shapes, images)
        status = self._functions.cn_adaptive_learn_read(
            self._address, ctypes.addressof(pictures), len(images), payload, len(payload)
        )
        check_status(status, "learned pictures")
        self._learned_pixels += sum(shape.height * shape.width for shape in shapes)
        return images

    def write(self, shape: Shape, images_NHWC: Images) -> list[bytes]:
        """Images (N,H,W,bytes) of a shape, each alone; the model is then as it was."""
        images_NHWC = np.ascontiguousarray(images_NHWC)
        self._make_room(shape)
        room_bytes = 4 * int(np.prod(shape.axes)) + 16
        step = max(1, _PAYLOADS_BYTES // room_bytes)
        payloads: list[bytes] = []
        for start in range(0, len(images_NHWC), step):
            part = images_NHWC[start : start + step]
            pictures, scratch = self._prepared(shape, part)
            buffer, lengths_N = np.empty(len(part) * room_bytes, np.uint8), np.empty(len(part), np.uintp)
            status = self._functions.cn_adaptive_write(
                *(self._address, ctypes.addressof(pictures), len(part)),
                *(buffer.ctypes.data, len(buffer), lengths_N.ctypes.data, scratch.address),
            )
            check_status(status, "wrote pictures")
            bounds = np.cumsum([0, *lengths_N.tolist()]).tolist()
            payloads += [buffer[a:b].tobytes() for a, b in pairwise(bounds)]
        return payloads

    def read(self, shape: Shape, payloads: Sequence[bytes]) -> Images:
        """The images (N,H,W,bytes) of payloads; the model is then as it was."""
        self._make_room(shape)
        images_NHWC = np.empty((len(payloads), *shape.axes), np.uint8)
        pictures, scratch = self._prepared(shape, images_NHWC)
        lengths_N = np.array([len(payload) for payload in payloads], np.uintp)
        status = self._functions.cn_adaptive_read(
            *(self._address, ctypes.addressof(pictures), len(payloads)),
            *(b"".join(payloads), lengths_N.ctypes.data, scratch.address),
        )
        check_status(status, "read pictures")
        return images_NHWC

    def _make_room(self, shape: Shape) -> None:
        """Move to larger memory where an image does not fit beside what was learned."""
        needed = self._learned_pixels + shape.height * shape.width
        if needed > self._pixels:
            larger = self.copy(needed)
            self._memory, self._address, self._pixels = larger._memory, larger._address, needed

    def _prepared(self, shape: Shape, images_NHWC: Images) -> tuple[ctypes.Array[CnPicture], Memory]:
        """Images as the core gets them, and the scratch of this model, large enough for one."""
        pictures = _pictures([shape] * len(images_NHWC), list(images_NHWC))
        needed = self._functions.cn_adaptive_scratch(self._address, ctypes.addressof(pictures)) if len(pictures) else 0
        if needed > self._scratch_bytes:
            self._scratch_bytes, self._scratch = needed, Memory.of(needed)
        return pictures, self._scratch


def _pictures(shapes: Sequence[Shape], images: Sequence[NDArray[np.uint8]]) -> ctypes.Array[CnPicture]:
    """Descriptions of images (H,W,bytes), which have to live as long."""
    return (CnPicture * len(shapes))(
        *(
            CnPicture(
                height=shape.height,
                width=shape.width,
                channels=shape.channels,
                deep=int(shape.deep),
                values=values.ctypes.data,
            )
            for shape, values in zip(shapes, images, strict=True)
        )
    )
