"""Pixel models run by the compiled core, with its range coder.

Axes: N images, H rows, W columns, C channels.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from compressnet.images.kinds import Images
from compressnet.lossless.model import PixelModel, PlaneModel
from compressnet.lossless.pixels import PixelCoder
from compressnet.native.library import BIT, Core, check_status
from compressnet.native.models import Memory, Model, make_model
from compressnet.native.structures import Arrays, CnDense, CnPixelModel, CnPlane
from compressnet.threads import spread_rows

_PART_IMAGES = 16
"""Images that are worth a call."""
_PAYLOADS_BYTES = 1 << 24
"""Room for payloads that are written in one call, where one image does not need more."""


def pixel_structure(model: PixelModel, arrays: Arrays) -> CnPixelModel:
    """A proved pixel model."""
    height, width = model.size or (0, 0)
    planes = [_plane(plane, arrays) for plane in model.planes]
    return CnPixelModel(channels=model.channels, height=height, width=width, planes=arrays.structures(CnPlane, planes))


def _plane(plane: PlaneModel, arrays: Arrays) -> CnPlane:
    return CnPlane(
        background=plane.background,
        near_rows=len(plane.near),
        far_rows=len(plane.far),
        across_rows=len(plane.across),
        near_columns=plane.near_table.shape[1],
        far_columns=plane.far_table.shape[1],
        across_columns=plane.across_table.shape[2],
        seen_columns=plane.seen_table.shape[1],
        **arrays.pointers(plane, np.int8, "near", "far", "across", "near_table", "far_table", "across_table"),
        **arrays.pointers(plane, np.int8, "seen_table", "seen_shift"),
        **arrays.pointers(plane, np.int32, "seen_bias", "row", "column", "quiet"),
        layers=len(plane.layers),
        layer=arrays.structures(CnDense, [arrays.dense(layer) for layer in plane.layers]),
        flag=arrays.dense(plane.flag),
        high=arrays.dense(plane.high),
        low1=arrays.dense(plane.low1),
        low2=arrays.dense(plane.low2),
    )


class NativePixelCoder(PixelCoder):
    """A pixel model made ready to run, for images with up to 2^16 values."""

    ahead_images = 1

    def __init__(self, model: Model, channels: int, threads: int) -> None:
        self._model, self._functions = model, model.functions
        self._channels, self._threads = channels, threads

    def write(self, images_NHWC: Images) -> tuple[list[bytes], NDArray[np.float64]]:
        """The payload of each image, and what `bits` gives; on all threads."""
        images_NHWC = np.ascontiguousarray(images_NHWC)
        lengths_N, counted_N = np.empty(len(images_NHWC), np.uintp), np.empty(len(images_NHWC), np.uint64)

        def write(rows: slice) -> list[bytes]:
            return self._write(images_NHWC[rows], lengths_N[rows], counted_N[rows])

        parts = spread_rows(write, len(images_NHWC), _PART_IMAGES, self._threads)
        return [payload for part in parts for payload in part], counted_N / BIT

    def _write(
        self, images_NHWC: Images, lengths_N: NDArray[np.unsignedinteger], counted_N: NDArray[np.unsignedinteger]
    ) -> list[bytes]:
        """The payload of each image; its length and bits are filled in."""
        height, width, channels = images_NHWC.shape[1:]
        scratch = self._scratch(height, width)
        room_bytes = 8 * height * width * channels + 16
        step = min(len(images_NHWC), max(1, _PAYLOADS_BYTES // room_bytes))
        buffer = np.empty(step * room_bytes, np.uint8)
        payloads: list[bytes] = []
        for start in range(0, len(images_NHWC), step):
            part = images_NHWC[start : start + step]
            status = self._functions.cn_pixels_write(
                *(self._model.address, height, width, part.ctypes.data, len(part)),
                *(buffer.ctypes.data, len(buffer), lengths_N[start:].ctypes.data),
                *(counted_N[start:].ctypes.data, scratch.address),
            )
            check_status(status, "wrote pixels")
            payloads += _cut(buffer.data, lengths_N[start : start + step])
        return payloads

    def read(self, payloads: Sequence[bytes], size: tuple[int, int]) -> Images:
        """The image (H,W,C) of each payload, (N,H,W,C), on all threads. Raises CorruptError."""
        images_NHWC = np.empty((len(payloads), *size, self._channels), np.uint8)
        lengths_N = np.array([len(payload) for payload in payloads], np.uintp)

        def read(rows: slice) -> None:
            scratch = self._scratch(*size)
            status = self._functions.cn_pixels_read(
                *(self._model.address, *size, b"".join(payloads[rows]), lengths_N[rows].ctypes.data),
                *(images_NHWC[rows].ctypes.data, len(images_NHWC[rows]), scratch.address),
            )
            check_status(status, "read pixels")

        spread_rows(read, len(payloads), _PART_IMAGES, self._threads)
        return images_NHWC

    def _scratch(self, height: int, width: int) -> Memory:
        return Memory.of(self._functions.cn_pixels_scratch(self._model.address, height, width))


def _cut(buffer: memoryview, lengths_N: NDArray[np.unsignedinteger]) -> list[bytes]:
    """Payloads that lie one after the other."""
    ends = np.cumsum(lengths_N).tolist()
    return [bytes(buffer[start:end]) for start, end in zip([0, *ends], ends, strict=False)]


def make_pixel_coder(core: Core, model: PixelModel, threads: int = 1) -> NativePixelCoder | None:
    """A proved pixel model made ready to run; None where the core cannot run it."""
    arrays = Arrays()
    made = make_model(core, "pixels", pixel_structure(model, arrays))
    return None if made is None else NativePixelCoder(made, model.channels, threads)
