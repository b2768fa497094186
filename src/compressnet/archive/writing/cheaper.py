"""Which images another coder takes into fewer bytes, all that comes with it counted."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from compressnet.archive.writing.outcome import NO_NETWORK
from compressnet.codec.codec import Codec
from compressnet.coding.coder import ADAPTIVE, LOSSLESS_QUALITY, Coder
from compressnet.coding.stored import StoredCoder
from compressnet.container.index import pack_positions
from compressnet.images.forms import Form
from compressnet.images.kinds import Images, Kind, size_text
from compressnet.images.metrics import mse_per_image

TRIED_ABOVE_QUALITY = 70
"""Up to here lossless coding is not tried beside lossy: writing would take six times as
long, for hardly any image that gets smaller (docs/EXPERIMENTS.md, "The better coder")."""
BLOCK_BYTES = 40
"""About what one more block takes: its chunk, its record, its line in the index."""


def alternative(codec: Codec, coder: Coder) -> Coder | None:
    """A coder without any loss that may take fewer bytes than this one; None where there is none.

    Beside a lossy coder it is the codec's lossless one, beside a lossless one storing.
    """
    if coder.exact:
        return StoredCoder(coder.kind)
    if coder.quality <= TRIED_ABOVE_QUALITY:
        return None
    return without_loss(codec, coder.kind)


def without_loss(codec: Codec, kind: Kind) -> Coder | None:
    """The codec's coder without loss for images of a kind; None where it has none."""
    if codec.why_not(kind, LOSSLESS_QUALITY) is not None:
        return None
    return codec.coder(kind, LOSSLESS_QUALITY)


def learned_rival(codec: Codec, coder: Coder) -> Coder | None:
    """A coder with a largest error that was learned from the collection, beside a lossy one.

    None where the codec has none, or none with an error.
    """
    learned = codec.learned_coder(coder.kind, deep=False) if coder.has_symbols else None
    return None if learned is None or learned.exact else learned


def better_learned(
    rival: Coder, images_NHWC: Images, decoded_NHWC: Images, bits_N: NDArray[np.float64], most_mse: float
) -> tuple[Images, NDArray[np.bool_]]:
    """What images come back as that a rival that was learned codes better, and which, (N,).

    Those are images that take fewer bits with it than bits_N, or whose decoded ones are off by a
    mean squared error of more than `most_mse`, pixels in [0,1].
    """
    values = rival.values_of(images_NHWC)
    moved_N = (rival.bits(values) < bits_N) | (mse_per_image(images_NHWC, decoded_NHWC) > most_mse)
    return values[moved_N], moved_N


def why_learned(codec: Codec, form: Form, quality: int) -> str:
    """Why images of a form are coded by what was learned from the collection."""
    if form.deep:
        return "16 bits"
    if codec.why_not(form.kind, quality) is None and codec.coder(form.kind, quality).method != ADAPTIVE:
        return "fewer bytes for the same error"
    return f"{NO_NETWORK}{size_text(form.kind)}"


class Choice:
    """Chooses, group by group, which images go to another coder.

    A codec's part that an archive has to embed is paid for once, by all groups. It is taken as
    soon as the groups so far, with those that went without it, would save more than it takes.
    """

    def __init__(self, fixed_bytes: Callable[[Coder], int]) -> None:
        """fixed_bytes: gives what the archive still takes for a coder besides its images."""
        self._fixed_bytes = fixed_bytes
        self._forgone_bytes = 0.0

    def cheaper(self, bits_N: NDArray[np.float64], other: Coder, other_N: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which images another coder takes into no more bits, other_N, than they have now, (N,).

        None, where that saves less than what comes with it: the order in the index, a block, and a
        codec's part.
        """
        cheaper_N = other_N <= bits_N
        if not cheaper_N.any() or not (fixed := self._fixed_bytes(other)):
            return cheaper_N
        saved_bytes = (bits_N - other_N)[cheaper_N].sum() / 8 - order_bytes(cheaper_N)
        if saved_bytes > BLOCK_BYTES and saved_bytes + self._forgone_bytes > fixed:
            return cheaper_N
        self._forgone_bytes += max(0.0, saved_bytes - BLOCK_BYTES)
        return np.zeros_like(cheaper_N)


def order_bytes(moved_N: NDArray[np.bool_]) -> int:
    """What the index takes for the order of images if some are moved to the end; 0 if none are."""
    if not moved_N.any():
        return 0
    places_N = np.empty(len(moved_N), np.uint32)
    places_N[np.argsort(moved_N, kind="stable")] = np.arange(len(moved_N), dtype=np.uint32)
    return len(pack_positions(places_N))
