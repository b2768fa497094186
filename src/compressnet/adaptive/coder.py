"""The adaptive coder: images <-> payloads by a model that has learned a primer.

Axes: N images (of one or several blocks), n some of them, H rows, W columns, C bytes of a pixel.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from compressnet.adaptive.model import AdaptiveCoderModel, PictureShape
from compressnet.adaptive.payload import pack_payload, unpack_payload
from compressnet.adaptive.primer import PIXEL_WORK, PLACE_BYTES, Primer, levels_of, values_of_levels
from compressnet.coding.coder import ADAPTIVE, LOSSLESS_QUALITY, Coder, Values
from compressnet.errors import CorruptError
from compressnet.images.alpha import has_alpha
from compressnet.images.kinds import Images
from compressnet.limits import BLOCK_VALUES_LIMIT, Cost
from compressnet.threads import Lock

HELD = 2
"""How often the values of images are held while they are read."""
SPARE_PIXELS = 1 << 16
"""Room that a model has at least for an image alone."""


class PrimedModel:
    """A model that has learned a primer, and the primer's images; for several threads.

    Each thread that codes borrows a copy of the model.
    """

    def __init__(self, model: AdaptiveCoderModel, primer: Primer) -> None:
        """model: one that has learned nothing. Raises CorruptError."""
        self.images = [picture.values_HWB for picture in model.learn_read(primer.payload, primer.shapes)]
        primer.check(self.images)
        self._learned, self._pixels = model, primer.pixels
        self.model_bytes = primer.model_bytes
        self._free: list[tuple[int, AdaptiveCoderModel]] = []
        """Models with room for so many pixels."""
        self._lock = Lock()
        both = zip(primer.shapes, self.images, strict=True)
        self._number_of = {(shape, image.tobytes()): i for i, (shape, image) in enumerate(both)}
        self._shapes = primer.shapes

    def number_of(self, shape: PictureShape, image: Images) -> int | None:
        """Which of the primer's images this one (H,W,C) is; None where it is none of them."""
        return self._number_of.get((shape, image.tobytes()))

    def image(self, number: int, shape: PictureShape) -> Images:
        """An image of the primer, which has this shape. Raises CorruptError."""
        if number >= len(self.images) or self._shapes[number] != shape:
            raise CorruptError(f"the payload means image {number} of the primer, which is not there or of another size")
        return self.images[number]

    @contextmanager
    def borrowed(self, shape: PictureShape) -> Generator[AdaptiveCoderModel]:
        """A model for one thread and images of a shape, for as long as this lasts."""
        needed = self._pixels + shape.pixels
        with self._lock:
            room, model = self._free.pop() if self._free else (0, self._learned)
            if room < needed:
                room = max(needed, self._pixels + SPARE_PIXELS)
                model = self._learned.copy(room)
        try:
            yield model
        finally:
            with self._lock:
                self._free.append((room, model))


def alone_cost(shape: PictureShape, images: int, model_bytes: int, held: int = HELD) -> Cost:
    """What reading images alone takes, with a copy of a model of so many bytes.

    held: how often their values are.
    """
    values = shape.pixels * shape.pixel_bytes
    memory = model_bytes + PLACE_BYTES * shape.pixels + held * images * values
    return Cost(memory=memory, work=PIXEL_WORK * shape.pixels * images)


class AdaptiveCoder(Coder):
    """Images of one kind, each coded alone: values are pixels uint8 (N,H,W,C) as they are read."""

    method = ADAPTIVE
    has_symbols = False
    written_values = read_values = BLOCK_VALUES_LIMIT
    codes_alone = True

    def __init__(self, primed: PrimedModel, shape: PictureShape, error: int) -> None:
        """error: the largest one of values of 8 bits."""
        self.primed, self.shape, self.kind = primed, shape, shape.axes
        self.error = 0 if shape.deep else error
        self.quality = LOSSLESS_QUALITY - self.error

    def cost_of(self, images: int) -> Cost:
        """A model for one thread, and images."""
        held = HELD + 2 * (self.error > 0)
        return alone_cost(self.shape, images, self.primed.model_bytes, held)

    @property
    def exact(self) -> bool:
        """Whether no error is allowed."""
        return self.error == 0

    @property
    def keeps_hidden_colour(self) -> bool:
        """Always, within the error."""
        return True

    def values_of(self, images_NHWC: Images, effort: int = 1) -> Images:
        """What the images are read as; there is nothing to search."""
        del effort
        return self._values(self._levels(images_NHWC))

    def write(self, values: Values, counts: Sequence[int], bits_N: NDArray[np.float64] | None = None) -> list[bytes]:
        """The payload of each block."""
        levels = self._levels(values)
        coded = self._coded(levels)
        if bits_N is not None:
            bits_N[:] = [8 * (1 if isinstance(one, int) else 1 + len(one)) for one in coded]
        bounds = np.cumsum([0, *counts]).tolist()
        return [pack_payload(coded[start:stop]) for start, stop in pairwise(bounds)]

    def read(self, payloads: Sequence[bytes], counts: Sequence[int]) -> Images:
        """Images (N,H,W,C). Raises CorruptError."""
        return self.read_some(payloads, counts, [np.arange(count) for count in counts])

    def read_some(
        self, payloads: Sequence[bytes], counts: Sequence[int], chosen: Sequence[NDArray[np.int64]]
    ) -> Images:
        """Images (n,H,W,C); no others are decoded. Raises CorruptError."""
        coded: list[bytes | int] = []
        for payload, count, images in zip(payloads, counts, chosen, strict=True):
            coded += unpack_payload(payload, count, images.tolist())
        alone = [one for one in coded if not isinstance(one, int)]
        if len(alone) == len(coded):  # large images are not held twice
            return self._values(self._read_alone(alone))
        levels = np.empty((len(coded), *self.kind), np.uint8)
        for i, one in enumerate(coded):
            if isinstance(one, int):
                levels[i] = self.primed.image(one, self.shape)
        levels[[i for i, one in enumerate(coded) if not isinstance(one, int)]] = self._read_alone(alone)
        return self._values(levels)

    def _read_alone(self, payloads: Sequence[bytes]) -> Images:
        """The levels of images that have payloads of their own."""
        if not payloads:
            return np.empty((0, *self.kind), np.uint8)
        with self.primed.borrowed(self.shape) as model:
            return model.read_all(self.shape, payloads)

    def images_of(self, values: Values) -> Images:
        """The values, which are the images."""
        return values

    def bits(self, values: Values) -> NDArray[np.float64]:
        """What each image takes; takes as long as writing."""
        bits_N = np.zeros(len(values))
        self.write(values, [len(values)], bits_N)
        return bits_N

    def check_probe(self) -> None:
        """The primer's checksum was compared when its images were decoded."""

    def _coded(self, levels_NHWC: Images) -> list[bytes | int]:
        """The payload of each image, or its number in the primer where that counts up by one."""
        numbers = [self.primed.number_of(self.shape, image) for image in levels_NHWC]
        following: int | None = None
        for i, number in enumerate(numbers):
            if number is not None and following not in (None, number):
                numbers[i] = None
            elif number is not None:
                following = number + 1
        alone = [i for i, number in enumerate(numbers) if number is None]
        coded: list[bytes | int] = [0 if number is None else number for number in numbers]
        if alone:
            with self.primed.borrowed(self.shape) as model:
                payloads = model.write_all(self.shape, levels_NHWC[alone])
            for i, payload in zip(alone, payloads, strict=True):
                coded[i] = payload
        return coded

    def _levels(self, values: Images) -> Images:
        return levels_of(values, self.error, with_alpha=has_alpha(self.shape.channels))

    def _values(self, levels: Images) -> Images:
        return values_of_levels(levels, self.error, with_alpha=has_alpha(self.shape.channels))
