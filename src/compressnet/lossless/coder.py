"""The lossless coder: images <-> payloads by a pixel model, every value as it was.

Axes: N images (of one or several blocks), n some of them, H rows, W columns, C channels.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from compressnet.coding.coder import LOSSLESS, LOSSLESS_QUALITY, Coder, Values
from compressnet.errors import CodecRefusedError
from compressnet.images.kinds import Images, Kind
from compressnet.limits import LOSSLESS_VALUES_LIMIT, Cost
from compressnet.lossless.costs import pixels_cost, pixels_together
from compressnet.lossless.model import PixelModel
from compressnet.lossless.payload import pack_payload, unpack_payload
from compressnet.lossless.pixels import PixelCoder, pixel_coder
from compressnet.networks.program import Backend

PROBE_SIDE_PX = 12
"""The sides of the probe's images, at most: each pixel is a step, and it is run before a codec is
trusted."""
PROBE_IMAGES = 3


class LosslessNetwork:
    """The pixel model for images of some number of channels.

    May be used by several threads at once.
    """

    def __init__(self, model: PixelModel, backend: Backend) -> None:
        self.model, self._backend = model, backend
        self._is_checked = False

    @functools.cached_property
    def pixels(self) -> PixelCoder:
        """The model, compiled when it is first used."""
        return pixel_coder(self.model, self._backend)

    def cost_of(self, kind: Kind, images: int) -> Cost:
        """What coding images of a kind takes."""
        return pixels_cost(self.model, kind, images)

    @property
    def probe_cost(self) -> Cost:
        """What `check_probe` takes."""
        height, width = self._probe_size
        return self.cost_of((height, width, self.model.channels), PROBE_IMAGES)

    @property
    def _probe_size(self) -> tuple[int, int]:
        height, width = (min(side, PROBE_SIDE_PX) for side in self.model.size or (PROBE_SIDE_PX, PROBE_SIDE_PX))
        return height, width

    def write_blocks(self, images_NHWC: Images, counts: Sequence[int]) -> tuple[list[bytes], NDArray[np.float64]]:
        """The payloads of blocks of images, and the ideal code length of each image in bits, (N,).

        images_NHWC: those of all blocks, one after the other. counts: how many images each block
        holds.
        """
        step = pixels_together(images_NHWC.shape[1:], self.model)
        starts = range(0, len(images_NHWC), step)
        written = [self.pixels.write(images_NHWC[start : start + step]) for start in starts]
        payloads = [payload for part, _ in written for payload in part]
        bits_N = np.concatenate([np.zeros(0), *(bits for _, bits in written)])
        bounds = np.cumsum([0, *counts]).tolist()
        return [pack_payload(payloads[start:stop]) for start, stop in pairwise(bounds)], bits_N

    def read_payloads(
        self,
        payloads: Sequence[bytes],
        counts: Sequence[int],
        size: tuple[int, int],
        chosen: Sequence[NDArray[np.int64]] | None = None,
    ) -> Images:
        """Images (N,H,W,C) of blocks of `counts` images of a size, one block after the other.

        chosen: which images of each block, all by default. Raises CorruptError.
        """
        alone: list[bytes] = []
        for i, (payload, count) in enumerate(zip(payloads, counts, strict=True)):
            alone += unpack_payload(payload, count, range(count) if chosen is None else chosen[i].tolist())
        step = pixels_together((*size, self.model.channels), self.model)
        parts = [self.pixels.read(alone[start : start + step], size) for start in range(0, len(alone), step)]
        return np.concatenate(parts) if parts else self.pixels.read([], size)

    def check_probe(self) -> None:
        """Raises CodecRefusedError where this machine does not reproduce the model; looks once."""
        if not self._is_checked:
            if self.probe_sha256() != self.model.probe.tobytes():
                raise CodecRefusedError("the payload of its probe for lossless coding differs")
            self._is_checked = True

    def probe_sha256(self) -> bytes:
        """SHA-256 of the payload of derived images."""
        images = probe_images(*self._probe_size, self.model.channels)
        (payload,), _ = self.write_blocks(images, [len(images)])
        return hashlib.sha256(payload).digest()


class LosslessCoder(Coder):
    """A pixel model for images of one size: values are pixels uint8 (N,H,W,C)."""

    method = LOSSLESS
    has_symbols = False
    written_values = read_values = LOSSLESS_VALUES_LIMIT
    codes_alone = True
    quality = LOSSLESS_QUALITY

    def __init__(self, network: LosslessNetwork, kind: Kind) -> None:
        self.runner, self.kind = network, kind
        self.ahead_images = network.pixels.ahead_images

    def cost_of(self, images: int) -> Cost:
        """Each of them alone."""
        return self.runner.cost_of(self.kind, images)

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
        return self.runner.pixels.bits(values)

    def check_probe(self) -> None:
        """Codes the model's probe; looks once."""
        self.runner.check_probe()


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
