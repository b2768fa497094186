"""Pictures and settings for tests of adaptive models."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from compressnet.adaptive.model import BYTE_CONTEXTS, FLAG_CONTEXTS, HISTOGRAMS, AdaptiveSettings, Picture, PictureShape

ALL = AdaptiveSettings(table_bits=12, flags=63, bytes=65535, histograms=8191)
CONTENTS = ("flat", "few", "noise", "gradient", "extreme")


def make_picture(shape: PictureShape, content: str, seed: int) -> Picture:
    rng = np.random.default_rng(seed)
    size, values = (shape.height, shape.width), shape.pixel_bytes
    if content == "flat":
        made = np.broadcast_to(rng.integers(0, 256, values), (*size, values))
    elif content == "few":
        made = rng.integers(0, 256, (3, values))[rng.integers(0, 3, size)]
    elif content == "noise":
        made = rng.integers(0, 256, (*size, values))
    elif content == "extreme":
        made = rng.choice([0, 255, 254], (*size, values))
    else:
        steps = np.add.outer(np.arange(size[0]) * rng.integers(0, 9), np.arange(size[1]) * rng.integers(0, 9))
        made = steps[..., None] + rng.integers(0, 256, values) + rng.integers(0, 2, (*size, values))
    return Picture((made & 255).astype(np.uint8), shape)


def shapes(side_px: int = 9) -> st.SearchStrategy[PictureShape]:
    sides = st.integers(1, side_px)
    return st.builds(PictureShape, height=sides, width=sides, channels=st.integers(1, 4), deep=st.booleans())


def pictures(side_px: int = 9) -> st.SearchStrategy[Picture]:
    return st.builds(make_picture, shapes(side_px), st.sampled_from(CONTENTS), st.integers(0, 20))


def any_settings() -> st.SearchStrategy[AdaptiveSettings]:
    free = st.builds(
        AdaptiveSettings,
        table_bits=st.integers(10, 12) | st.just(17),  # the core forgets in another way where a table is large
        flags=st.integers(1, (1 << FLAG_CONTEXTS) - 1),
        bytes=st.integers(1, (1 << BYTE_CONTEXTS) - 1),
        histograms=st.integers(0, (1 << HISTOGRAMS) - 1),
    )
    return st.just(ALL) | free


def values_of(pictures: list[Picture]) -> list[bytes]:
    return [picture.values_HWB.tobytes() for picture in pictures]
