"""The lossless coder: images <-> payloads by a pixel model, every value as it was.

The k-th pixel of all images of some blocks is coded at once, so that the work is in matrix
products; each image has a range coder of its own, so that it can be read alone. Writing and
reading are one pass, which differs in where values come from: `code` either appends the symbols
that are known, or gives those that it reads.

Axes: N images (of one or several blocks), n some of them, H rows, W columns, C planes, A alphabet,
I inputs, E columns.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from compressnet.coding.coder import LOSSLESS, LOSSLESS_QUALITY, Coder, Values
from compressnet.coding.range_lanes import LaneDecoder, LaneEncoder
from compressnet.coding.softmax import TOTAL_BITS
from compressnet.errors import CodecRefusedError
from compressnet.images.kinds import Images, Kind
from compressnet.limits import LOSSLESS_VALUES_LIMIT
from compressnet.lossless.model import PixelModel
from compressnet.lossless.payload import pack_payload, unpack_payload
from compressnet.lossless.plane_pass import Code, Frequencies, Indices, Plane, PlanePass
from compressnet.lossless.planes import from_planes, to_planes

PROBE_SIDE_PX = 12
"""The sides of the probe's images, at most: each pixel is a step, and it is run before a codec is
trusted."""
PROBE_IMAGES = 3


class LosslessNetwork:
    """The pixel model for images of some number of channels.

    May be used by several threads at once.
    """

    def __init__(self, model: PixelModel) -> None:
        self.model = model
        self._planes = [Plane(plane) for plane in model.planes]
        self._is_checked = False

    def write_blocks(self, images_NHWC: Images, counts: Sequence[int]) -> tuple[list[bytes], NDArray[np.float64]]:
        """The payloads of blocks of images, and the ideal code length of each image in bits, (N,).

        images_NHWC: those of all blocks, one after the other. counts: how many images each block
        holds.
        """
        lanes = LaneEncoder(len(images_NHWC))
        bits_N = np.zeros(len(images_NHWC))

        def code(chosen_n: Indices, frequencies_An: Frequencies, symbols_n: Indices | None) -> Indices:
            assert symbols_n is not None
            bits_N[chosen_n] += _bits(frequencies_An, symbols_n)
            lanes.encode(chosen_n, frequencies_An, symbols_n)
            return symbols_n

        self._code_planes(to_planes(images_NHWC), code, is_known=True)
        payloads, bounds = lanes.finish(), np.cumsum([0, *counts]).tolist()
        return [pack_payload(payloads[start:stop]) for start, stop in pairwise(bounds)], bits_N

    def read_payloads(
        self,
        payloads: Sequence[bytes],
        counts: Sequence[int],
        size: tuple[int, int],
        chosen: Sequence[Indices] | None = None,
    ) -> Images:
        """Images (N,H,W,C) of blocks of `counts` images of a size, one block after the other.

        chosen: which images of each block, all by default. Raises CorruptError.
        """
        alone: list[bytes] = []
        for i, (payload, count) in enumerate(zip(payloads, counts, strict=True)):
            alone += unpack_payload(payload, count, range(count) if chosen is None else chosen[i].tolist())
        lanes = LaneDecoder(alone)

        def code(chosen_n: Indices, frequencies_An: Frequencies, _: Indices | None) -> Indices:
            return lanes.decode(chosen_n, frequencies_An)

        planes_NCHW = np.zeros((len(alone), self.model.channels, *size), np.uint8)
        self._code_planes(planes_NCHW, code, is_known=False)
        return from_planes(planes_NCHW)

    def bits_per_image(self, images_NHWC: Images) -> NDArray[np.float64]:
        """The ideal code length of images (N,H,W,C), in bits: (N,)."""
        bits_N = np.zeros(len(images_NHWC))

        def code(chosen_n: Indices, frequencies_An: Frequencies, symbols_n: Indices | None) -> Indices:
            assert symbols_n is not None
            bits_N[chosen_n] += _bits(frequencies_An, symbols_n)
            return symbols_n

        self._code_planes(to_planes(images_NHWC), code, is_known=True)
        return bits_N

    def check_probe(self) -> None:
        """Raises CodecRefusedError where this machine does not reproduce the model; looks once."""
        if not self._is_checked:
            if self.probe_sha256() != self.model.probe.tobytes():
                raise CodecRefusedError("the payload of its probe for lossless coding differs")
            self._is_checked = True

    def probe_sha256(self) -> bytes:
        """SHA-256 of the payload of derived images."""
        height, width = (min(side, PROBE_SIDE_PX) for side in self.model.size or (PROBE_SIDE_PX, PROBE_SIDE_PX))
        images = probe_images(height, width, self.model.channels)
        (payload,), _ = self.write_blocks(images, [len(images)])
        return hashlib.sha256(payload).digest()

    def _code_planes(self, planes_NCHW: Images, code: Code, *, is_known: bool) -> None:
        """Code all planes, into `planes_NCHW` where they are not known."""
        planes_CHWN = np.ascontiguousarray(planes_NCHW.transpose(1, 2, 3, 0))
        for number, plane in enumerate(self._planes):
            PlanePass(plane, planes_CHWN[: number + 1], self._planes[:number], code, is_known=is_known).run()
        if not is_known:
            planes_NCHW[...] = planes_CHWN.transpose(3, 0, 1, 2)


class LosslessCoder(Coder):
    """A pixel model for images of one size: values are pixels uint8 (N,H,W,C)."""

    method = LOSSLESS
    has_symbols = False
    written_values = read_values = LOSSLESS_VALUES_LIMIT
    codes_alone = True
    ahead_images = 256  # together they take five times as long as one of them
    quality = LOSSLESS_QUALITY

    def __init__(self, network: LosslessNetwork, kind: Kind) -> None:
        self.runner, self.kind = network, kind

    @property
    def exact(self) -> bool:
        """Always."""
        return True

    def values_of(self, images_NHWC: Images, effort: int = 1) -> Images:
        """The images themselves; there is nothing to search."""
        del effort
        return images_NHWC

    def write(self, values: Values, counts: Sequence[int], bits_N: NDArray[np.float64] | None = None) -> list[bytes]:
        """The payload of each block."""
        payloads, found_N = self.runner.write_blocks(values, counts)
        if bits_N is not None:
            bits_N[:] = found_N
        return payloads

    def read(self, payloads: Sequence[bytes], counts: Sequence[int]) -> Images:
        """Images (N,H,W,C). Raises CorruptError."""
        return self.runner.read_payloads(payloads, counts, self.kind[:2])

    def read_some(
        self, payloads: Sequence[bytes], counts: Sequence[int], chosen: Sequence[NDArray[np.int64]]
    ) -> Images:
        """Images (n,H,W,C); no others are decoded. Raises CorruptError."""
        return self.runner.read_payloads(payloads, counts, self.kind[:2], chosen)

    def images_of(self, values: Values) -> Images:
        """The values, which are the images."""
        return values

    def bits(self, values: Values) -> NDArray[np.float64]:
        """-log2 of the frequencies of each image's pixels; takes as long as writing."""
        return self.runner.bits_per_image(values)

    def check_probe(self) -> None:
        """Codes the model's probe; looks once."""
        self.runner.check_probe()


def _bits(frequencies_An: Frequencies, symbols_n: Indices) -> NDArray[np.float64]:
    """The ideal code length of symbols, (n,)."""
    return TOTAL_BITS - np.log2(frequencies_An[symbols_n, np.arange(len(symbols_n))])


def probe_images(height: int, width: int, channels: int) -> Images:
    """Images (3,H,W,C) by a rule: runs of the values of a congruential generator.

    The rule is in docs/FORMAT.md, "Probe".
    """
    values = np.zeros(PROBE_IMAGES * height * width * channels, np.uint8)
    state = 1
    value = 0
    for i in range(len(values)):
        state = (1103515245 * state + 12345) & 0x7FFFFFFF
        if state >> 16 & 3 == 0:
            value = state >> 20 & 0xFF if state >> 18 & 3 else 0
        values[i] = value
    return values.reshape(PROBE_IMAGES, height, width, channels)
