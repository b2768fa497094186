"""Images <-> payloads by a pixel model, each image alone.

In NumPy, the k-th pixel of all images is coded at once, so that the work is in matrix products;
each image has a range coder of its own. Writing and reading are one pass, which differs in where
values come from: `code` either appends the symbols that are known, or gives those that it reads.

Axes: N images, n some of them, H rows, W columns, C planes, A alphabet.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from compressnet.coding.lockstep import LOCKSTEP_IMAGES
from compressnet.coding.range_lanes import LaneDecoder, LaneEncoder
from compressnet.coding.softmax import TOTAL_BITS
from compressnet.images.kinds import Images
from compressnet.lossless.model import PixelModel
from compressnet.lossless.plane_pass import Code, Frequencies, Indices, Plane, PlanePass
from compressnet.lossless.planes import from_planes, to_planes
from compressnet.networks.program import Backend
from compressnet.threads import one_blas_thread


class PixelCoder(ABC):
    """A pixel model ready to run, with its range coder; may be used by several threads."""

    ahead_images: ClassVar[int]
    """As of a `Coder`."""

    @abstractmethod
    def write(self, images_NHWC: Images) -> tuple[list[bytes], NDArray[np.float64]]:
        """The payload of each image, and what `bits` gives."""

    @abstractmethod
    def read(self, payloads: Sequence[bytes], size: tuple[int, int]) -> Images:
        """The image (H,W,C) of each payload, (N,H,W,C). Raises CorruptError."""

    def bits(self, images_NHWC: Images) -> NDArray[np.float64]:
        """The ideal code length of images in bits, (N,); takes as long as writing."""
        return self.write(images_NHWC)[1]


class PixelBackend(ABC):
    """A backend that has pixel models of its own; those of all others run in NumPy."""

    @abstractmethod
    def pixel_coder(self, model: PixelModel) -> PixelCoder:
        """A proved pixel model made ready to run."""


def pixel_coder(model: PixelModel, backend: Backend) -> PixelCoder:
    """A proved pixel model made ready to run on a backend."""
    return backend.pixel_coder(model) if isinstance(backend, PixelBackend) else NumpyPixelCoder(model)


class NumpyPixelCoder(PixelCoder):
    """The definition, in NumPy."""

    ahead_images = LOCKSTEP_IMAGES

    def __init__(self, model: PixelModel) -> None:
        self._channels = model.channels
        self._planes = [Plane(plane) for plane in model.planes]

    def write(self, images_NHWC: Images) -> tuple[list[bytes], NDArray[np.float64]]:
        """The payload of each image, and what `bits` gives."""
        lanes = LaneEncoder(len(images_NHWC))
        bits_N = np.zeros(len(images_NHWC))

        def code(chosen_n: Indices, frequencies_An: Frequencies, symbols_n: Indices | None) -> Indices:
            assert symbols_n is not None
            bits_N[chosen_n] += TOTAL_BITS - np.log2(frequencies_An[symbols_n, np.arange(len(symbols_n))])
            lanes.encode(chosen_n, frequencies_An, symbols_n)
            return symbols_n

        self.code_planes(to_planes(images_NHWC), code, is_known=True)
        return lanes.finish(), bits_N

    def read(self, payloads: Sequence[bytes], size: tuple[int, int]) -> Images:
        """The image (H,W,C) of each payload, (N,H,W,C). Raises CorruptError."""
        lanes = LaneDecoder(payloads)

        def code(chosen_n: Indices, frequencies_An: Frequencies, _: Indices | None) -> Indices:
            return lanes.decode(chosen_n, frequencies_An)

        planes_NCHW = np.zeros((len(payloads), self._channels, *size), np.uint8)
        self.code_planes(planes_NCHW, code, is_known=False)
        return from_planes(planes_NCHW)

    @one_blas_thread()
    def code_planes(self, planes_NCHW: Images, code: Code, *, is_known: bool) -> None:
        """Code all planes, into `planes_NCHW` where they are not known."""
        planes_CHWN = np.ascontiguousarray(planes_NCHW.transpose(1, 2, 3, 0))
        for number, plane in enumerate(self._planes):
            PlanePass(plane, planes_CHWN[: number + 1], self._planes[:number], code, is_known=is_known).run()
        if not is_known:
            planes_NCHW[...] = planes_CHWN.transpose(3, 0, 1, 2)
