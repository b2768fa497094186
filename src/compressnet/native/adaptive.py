"""Adaptive models run by the compiled core.

Axes: H rows, W columns, B bytes of a pixel.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from itertools import pairwise
from typing import Self

import numpy as np
from numpy.typing import NDArray

from compressnet.adaptive.model import (
    SEEN_PIXELS_LIMIT,
    AdaptiveCoderModel,
    AdaptiveSettings,
    Picture,
    PictureShape,
    require_room,
)
from compressnet.adaptive.tables import tables
from compressnet.errors import InputError
from compressnet.native.library import Core, check_status
from compressnet.native.models import Memory, Model
from compressnet.native.structures import Arrays, CnAdaptiveSettings, CnPicture

_BYTE_LIMIT, _END_LIMIT = 14, 16
"""A payload has at most 14 bytes a byte, and 16 more."""
_PAYLOADS_BYTES = 1 << 24
"""Room for payloads that are written in one call, where one image does not need more."""


def settings_structure(settings: AdaptiveSettings, arrays: Arrays) -> CnAdaptiveSettings:
    """Settings, with the tables."""
    made = tables()
    return CnAdaptiveSettings(
        table_bits=settings.table_bits,
        flags=settings.flags,
        bytes=settings.bytes,
        histograms=settings.histograms,
        squash=arrays.pointer(made.squash, np.uint16),
        stretch=arrays.pointer(made.stretch, np.int16),
        logarithm=arrays.pointer(made.logarithm, np.uint16),
    )


class NativeAdaptiveModel(AdaptiveCoderModel):
    """A model in the compiled core.

    pixels: room, for all pixels that it is to learn, and for those of the largest picture that it
    is then to code alone. Raises InputError where they are more than a model can have.
    """

    def __init__(self, core: Core, settings: AdaptiveSettings, pixels: int) -> None:
        _require_pixels(pixels)
        arrays, functions = Arrays(), core.functions
        structure = settings_structure(settings, arrays)
        description, address = ctypes.addressof(structure), ctypes.c_void_p()
        size = functions.cn_adaptive_size(core.address, description, pixels)
        memory = Memory.of(size)
        make = functions.cn_adaptive_make
        status = make(core.address, description, pixels, memory.address, size, ctypes.addressof(address))
        check_status(status, "made an adaptive model")
        assert address.value is not None
        self._model, self._pixels, self._learned = Model(functions, memory, address.value), pixels, 0
        self._scratch_bytes, self._scratch_memory = 0, Memory.of(0)

    def allow(self, fresh_bytes: int) -> None:
        """Set what a payload may take."""
        self._model.functions.cn_adaptive_allow(self._model.address, fresh_bytes)

    def learn_write(self, pictures: Sequence[Picture]) -> tuple[bytes, list[int]]:
        """One payload of some pictures, and how many bytes were written after each."""
        shapes = [picture.shape for picture in pictures]
        self._require_room(*shapes)
        structures, values = _structures(pictures)
        buffer, ends_N = _payload_room(pictures), np.empty(len(pictures), np.uintp)
        status = self._model.functions.cn_adaptive_learn_write(
            *(self._model.address, ctypes.addressof(structures), len(pictures)),
            *(buffer.ctypes.data, len(buffer), ends_N.ctypes.data),
        )
        check_status(status, f"learned from {len(values)} pictures")
        self._learned += sum(shape.pixels for shape in shapes)
        ends = [int(end) for end in ends_N]
        return buffer[: ends[-1] if ends else 0].tobytes(), ends

    def learn_read(self, payload: bytes, shapes: Sequence[PictureShape]) -> list[Picture]:
        """The pictures of `learn_write`."""
        self._require_room(*shapes)
        pictures = [_empty(shape) for shape in shapes]
        structures, _ = _structures(pictures)
        status = self._model.functions.cn_adaptive_learn_read(
            self._model.address, ctypes.addressof(structures), len(pictures), payload, len(payload)
        )
        check_status(status, f"learned from {len(pictures)} pictures")
        self._learned += sum(shape.pixels for shape in shapes)
        return pictures

    def write(self, picture: Picture) -> bytes:
        """The payload of a picture alone."""
        return self.write_all(picture.shape, picture.values_HWB[None])[0]

    def read(self, payload: bytes, shape: PictureShape) -> Picture:
        """The picture of `write`."""
        return Picture(self.read_all(shape, [payload])[0], shape)

    def write_all(self, shape: PictureShape, images_NHWB: NDArray[np.uint8]) -> list[bytes]:
        """The payload of each of some images of a shape (N,H,W,B), each alone."""
        self._require_room(shape)
        images_NHWB = np.ascontiguousarray(images_NHWB)
        room_bytes = _BYTE_LIMIT * shape.pixels * shape.pixel_bytes + _END_LIMIT
        together = max(1, _PAYLOADS_BYTES // room_bytes)
        payloads: list[bytes] = []
        for start in range(0, len(images_NHWB), together):
            part = images_NHWB[start : start + together]
            structures, _values = _structures([Picture(image, shape) for image in part])
            buffer, lengths_N = np.empty(len(part) * room_bytes, np.uint8), np.empty(len(part), np.uintp)
            scratch = self._scratch(structures)
            status = self._model.functions.cn_adaptive_write(
                *(self._model.address, ctypes.addressof(structures), len(part), buffer.ctypes.data, len(buffer)),
                *(lengths_N.ctypes.data, scratch.address),
            )
            check_status(status, "wrote pictures")
            bounds = np.cumsum([0, *lengths_N.tolist()]).tolist()
            payloads += [buffer[begin:end].tobytes() for begin, end in pairwise(bounds)]
        return payloads

    def read_all(self, shape: PictureShape, payloads: Sequence[bytes]) -> NDArray[np.uint8]:
        """The images (N,H,W,B) of payloads, each alone."""
        self._require_room(shape)
        images_NHWB = np.empty((len(payloads), *shape.axes), np.uint8)
        if not payloads:
            return images_NHWB
        structures, _values = _structures([Picture(image, shape) for image in images_NHWB])
        lengths_N = np.array([len(payload) for payload in payloads], np.uintp)
        scratch = self._scratch(structures)
        status = self._model.functions.cn_adaptive_read(
            *(self._model.address, ctypes.addressof(structures), len(payloads), b"".join(payloads)),
            *(lengths_N.ctypes.data, scratch.address),
        )
        check_status(status, "read pictures")
        return images_NHWB

    def copy(self, pixels: int) -> Self:
        """A model for another thread."""
        _require_pixels(pixels)
        require_room(self._learned, 0, pixels)
        functions, address = self._model.functions, ctypes.c_void_p()
        size = functions.cn_adaptive_copy_size(self._model.address, pixels)
        memory = Memory.of(size)
        status = functions.cn_adaptive_copy(
            self._model.address, pixels, memory.address, size, ctypes.addressof(address)
        )
        check_status(status, "copied an adaptive model")
        assert address.value is not None
        made = type(self).__new__(type(self))
        made._model, made._pixels, made._learned = Model(functions, memory, address.value), pixels, self._learned
        made._scratch_bytes, made._scratch_memory = 0, Memory.of(0)
        return made

    def _require_room(self, *shapes: PictureShape) -> None:
        require_room(self._learned, sum(shape.pixels for shape in shapes), self._pixels)

    def _scratch(self, structures: ctypes.Array[CnPicture]) -> Memory:
        """Scratch for pictures; the model keeps it, as it is large."""
        needed = self._model.functions.cn_adaptive_scratch(self._model.address, ctypes.addressof(structures))
        if needed > self._scratch_bytes:
            self._scratch_bytes, self._scratch_memory = needed, Memory.of(needed)
        return self._scratch_memory


def _structures(pictures: Sequence[Picture]) -> tuple[ctypes.Array[CnPicture], list[object]]:
    """Pictures, and what has to live for as long as they are used.

    Values that the core writes to lie as it wants them already.
    """
    values = [np.ascontiguousarray(picture.values_HWB) for picture in pictures]
    structures = (CnPicture * len(pictures))(
        *(
            CnPicture(
                height=picture.shape.height,
                width=picture.shape.width,
                channels=picture.shape.channels,
                deep=picture.shape.deep,
                values=array.ctypes.data,
            )
            for picture, array in zip(pictures, values, strict=True)
        )
    )
    return structures, [*values]


def _empty(shape: PictureShape) -> Picture:
    return Picture(np.empty((shape.height, shape.width, shape.pixel_bytes), np.uint8), shape)


def _payload_room(pictures: Sequence[Picture]) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    values = sum(picture.values_HWB.size for picture in pictures)
    return np.empty(_BYTE_LIMIT * values + _END_LIMIT, np.uint8)


def _require_pixels(pixels: int) -> None:
    if not 0 <= pixels <= SEEN_PIXELS_LIMIT:
        raise InputError(f"an adaptive model for {pixels:,} pixels; there may be up to {SEEN_PIXELS_LIMIT:,}")
