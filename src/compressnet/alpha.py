"""Images with alpha: 2 or 4 channels, the last one alpha. What colour lies under alpha 0 is not seen."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

ALPHA_CHANNELS = (2, 4)
"""Numbers of channels of which the last one is alpha."""

Images = NDArray[np.uint8]


def hidden_colour(images: Images) -> NDArray[np.bool_]:
    """Which pixels have colour under alpha 0: (...,C) to (...,), or one False where there is no alpha."""
    if images.shape[-1] not in ALPHA_CHANNELS:
        return np.zeros((1,) * (images.ndim - 1), np.bool_)
    return (images[..., -1] == 0) & images[..., :-1].any(axis=-1)


def without_hidden_colour(images: Images) -> Images:
    """Images (...,C) with colour 0 under alpha 0; the same array where there is none."""
    hidden = hidden_colour(images)
    if not hidden.any():
        return images
    cleaned = images.copy()
    cleaned[hidden] = 0
    return cleaned
