"""Which images another coder takes into fewer bytes, all that comes with it counted."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from compressnet.codec.codec import Codec
from compressnet.coding.coder import LOSSLESS_QUALITY, Coder
from compressnet.coding.stored import StoredCoder
from compressnet.container.index import pack_positions
from compressnet.images.kinds import Images

TRIED_ABOVE_QUALITY = 70
"""Up to here lossless coding is not tried beside lossy: writing would take six times as
long, for hardly any image that gets smaller (docs/EXPERIMENTS.md, "The better coder")."""
PLACE_BYTES = 5
"""About what the index takes for an image that stands apart from its neighbours, where many do."""


def alternative(codec: Codec | None, coder: Coder) -> Coder | None:
    """A coder without any loss that may take fewer bytes than this one; None where there is none.

    Beside a lossy coder it is the codec's lossless one, beside a lossless one storing.
    """
    if coder.exact:
        return StoredCoder(coder.kind)
    if codec is None or coder.quality <= TRIED_ABOVE_QUALITY or codec.why_not(coder.kind, LOSSLESS_QUALITY) is not None:
        return None
    return codec.coder(coder.kind, LOSSLESS_QUALITY)


def cheaper(
    bits_N: NDArray[np.float64], other: Coder, images_NHWC: Images, fixed_bytes: Callable[[Coder], int]
) -> NDArray[np.bool_]:
    """Which images the other coder takes into no more bits than they have now, (N,).

    fixed_bytes: gives what the archive takes for a coder besides its images; 0 where it takes
    nothing. No image goes to the other coder where that, and what the index takes for their order,
    is more than they save.
    """
    other_N = other.bits(images_NHWC)
    cheaper_N = other_N <= bits_N
    if not cheaper_N.any() or not (fixed := fixed_bytes(other)):
        return cheaper_N
    saved_bytes = (bits_N - other_N)[cheaper_N].sum() / 8
    return cheaper_N if saved_bytes > fixed + _order_bytes(cheaper_N) else np.zeros_like(cheaper_N)


def _order_bytes(moved_N: NDArray[np.bool_]) -> int:
    """What the index takes for the order of images if some are moved to the end."""
    places_N = np.empty(len(moved_N), np.uint32)
    places_N[np.argsort(moved_N, kind="stable")] = np.arange(len(moved_N), dtype=np.uint32)
    return len(pack_positions(places_N))
