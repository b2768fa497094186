"""Images as they are given, on their way to the router.

pictures -> digests -> no hidden colour, where it is not kept -> equal ones once -> coded, by form

Axes: N images, H rows, W columns, C channels.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compressnet.archive.writing.distinct import DistinctImages, digests_of
from compressnet.archive.writing.outcome import Outcome
from compressnet.archive.writing.settings import Settings
from compressnet.coding.coder import LOSSLESS_QUALITY
from compressnet.errors import InputError
from compressnet.images.alpha import clear_hidden, hidden_colour
from compressnet.images.forms import Form
from compressnet.images.kinds import Images, Pictures, eight_bits, picture_kind, size_text
from compressnet.images.modes import forms_of
from compressnet.limits import CHANNELS_LIMIT, SIDE_LIMIT_PX

TAKEN_IMAGES = 4096
"""Images that are taken together."""
TAKEN_BYTES = 1 << 25
"""Of images that are taken together, where these are large."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Portion:
    """New images of one form."""

    form: Form
    images_NHWC: Images
    """What is coded of them."""
    numbers: NDArray[np.int64]


class Intake:
    """Takes arrays of pictures, and gives what is new in them."""

    def __init__(self, settings: Settings, outcome: Outcome) -> None:
        """outcome: is told what does not go along."""
        self._settings, self._outcome = settings, outcome
        self._keeps_hidden = settings.bounds.keep_hidden_colour or settings.quality == LOSSLESS_QUALITY
        self.distinct = DistinctImages()
        self.given = bytearray()
        """The digests, one after the other, of all images as they were given; none where something
        may be lost."""

    def take(self, pictures: Pictures) -> Iterator[Portion]:
        """New images among pictures (n,H,W) or (n,H,W,C).

        Raises InputError for what cannot be written.
        """
        kind = picture_kind(pictures)
        if not all(0 < side <= SIDE_LIMIT_PX for side in kind[:2]) or not 0 < kind[2] <= CHANNELS_LIMIT:
            raise InputError(
                f"images of {size_text(kind)} (height, width, channels): 1 to {SIDE_LIMIT_PX} pixels a side "
                f"and 1 to {CHANNELS_LIMIT} channels are possible"
            )
        self._require_possible(pictures)
        # Bytes of 16 bits may come in the other order, which digests and forms are not to see.
        pictures = pictures.astype(pictures.dtype.newbyteorder("="), copy=False)
        together = max(1, min(TAKEN_IMAGES, TAKEN_BYTES // (math.prod(kind) * pictures.itemsize)))
        for start in range(0, len(pictures), together):
            yield from self._take_some(pictures[start : start + together])

    def _require_possible(self, pictures: Pictures) -> None:
        """Raises InputError for 16 bits where something may be lost."""
        bounds = self._settings.bounds
        if bounds.max_error:
            eight_bits(pictures, f"a largest error of {bounds.max_error} is for 8 bits")
        if not self._settings.loses_nothing:
            eight_bits(pictures, f"quality {self._settings.quality} is for 8 bits")

    def _take_some(self, pictures: Pictures) -> Iterator[Portion]:
        """New images among few enough to be held once more."""
        digests = digests_of(pictures)
        if self._settings.loses_nothing:
            self.given += b"".join(digests)
        if not self._keeps_hidden and pictures.ndim == 4 and pictures.dtype == np.uint8:
            images = eight_bits(pictures)
            hidden = int(hidden_colour(images).any(axis=(1, 2)).sum())
            self._outcome.hidden_cleared += hidden
            if hidden:
                pictures = clear_hidden(images)
                digests = digests_of(pictures)
        rows, numbers = self.distinct.add(digests)
        new = pictures if len(rows) == len(pictures) else pictures[rows]
        for form, chosen in forms_of(new, self._settings.tight):
            self._outcome.grey += len(chosen) if form.grey else 0
            self._outcome.opaque += len(chosen) if form.opaque else 0
            yield Portion(
                form=form,
                images_NHWC=form.coded(new if len(chosen) == len(new) else new[chosen]),
                numbers=numbers[chosen],
            )
