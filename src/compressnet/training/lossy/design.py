"""Which networks a codec gets: their widths, their qualities, and each quality's lambda.

For images of one size, a short vector of symbols is best at low rates, and a grid of symbols at
higher ones (docs/EXPERIMENTS.md). Such a codec holds a network of each; where the one ends and the
other begins is measured on held-out images. Other collections get a single network (`pictures`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from compressnet.networks.program import QUALITIES
from compressnet.training.lossy.networks.widths import Widths


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """A network to be trained.

    lambda, in bits per unit of summed squared error with pixels in [0,1], is exp(c0 + c1 u + c2
    u^2) for u = (quality - origin) / 100.
    """

    name: str
    widths: Widths
    qualities: tuple[int, int]
    """What it is trained for, both included; neighbours overlap."""
    log_lambda: tuple[float, float, float]
    origin: int
    learning_rate: float = 4e-3
    begins_as_transform: bool = False
    """Whether the linear branches begin as the KLT of the images
    (`compressnet.training.lossy.start`)."""
    encoder_alone: bool = False
    """Whether only the encoder is trained, so that all else decodes as it did."""

    def within(self, qualities: tuple[int, int]) -> tuple[int, int]:
        """Lowest and highest of these qualities that the network is for.

        If it is for none of them, the lowest comes out above the highest.
        """
        return max(self.qualities[0], qualities[0]), min(self.qualities[1], qualities[1])

    def lambdas(self) -> list[float]:
        """Lambda at each of the 100 qualities."""
        c0, c1, c2 = self.log_lambda
        shares = ((quality - self.origin) / QUALITIES for quality in range(QUALITIES))
        return [math.exp(min(c0 + c1 * u + c2 * u * u, math.log(2e4))) for u in shares]


VECTOR = Design(
    name="vector",
    widths=Widths(vector=40, grid=0, hidden_vector=12),
    qualities=(0, 32),
    log_lambda=(math.log(2.5), 12.7, 0.0),
    origin=0,
)
"""Lambda from 2.5 to 60 at quality 25, and on to 145."""

OVERVIEW = Design(
    name="grid",
    widths=Widths(
        vector=8,
        vector_group=4,
        grid=8,
        dense=64,
        hidden_vector=24,
        hidden_grid=16,
        analysis_blocks=3,
        linear=True,
    ),
    qualities=(20, 99),
    log_lambda=(math.log(14.0), 4.92, 4.42),
    origin=25,
)
"""Lambda from 11 to 6700; 14 at quality 25. The entropy model sees the whole image, which suits
images that are laid out alike."""

DETAIL = replace(OVERVIEW, widths=Widths(vector=0, grid=16, slices=4, hidden_slice=48, analysis_blocks=2, linear=True))
"""The same qualities. As many symbols as pixels, and an entropy model that sees neighbourhoods."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """How long to train, and how large the networks are; suits about 20,000 images of 32x32."""

    minutes: float
    fine: int
    coarse: int
    hidden: int
    adapts: bool = False
    """Whether it begins from the shipped network for images of any size, whose widths it keeps."""


ADAPTING_RATE = 2e-4
PRESETS = {
    "fast": Preset(minutes=2, fine=12, coarse=24, hidden=32, adapts=True),
    "balanced": Preset(minutes=20, fine=16, coarse=32, hidden=48),
    "best": Preset(minutes=120, fine=24, coarse=48, hidden=64),
}
GRID_CHANNELS = {1: 16, 2: 28, 3: 40, 4: 48}
"""Symbols for each 4x4 pixels, by the images' channels."""
WEIGHT_LIMIT = 31
"""Six bits a weight instead of eight cost 0.3 % of the images' bytes and save a fifth of the
codec's."""
FEW_PIXELS = 1 << 21
"""In an archive of fewer pixels (about 2,000 images of 32x32) the codec is a large part, so
networks are smaller."""


def pictures(preset: Preset, channels: int, collection_px: int, *, several_kinds: bool) -> Design:
    """One network for all qualities and all sizes of a collection; it begins as a transform codec.

    channels: those that the networks see. collection_px: pixels of the whole collection.
    """
    scale = 1.0 if collection_px >= FEW_PIXELS else 0.75
    widths = Widths(
        vector=0,
        grid=GRID_CHANNELS[channels],
        slices=4,
        fine=round(preset.fine * scale),
        coarse=round(preset.coarse * scale),
        hidden_slice=round(preset.hidden * scale),
        analysis_blocks=2,
        linear=True,
        weight_limit=WEIGHT_LIMIT,
        channels=channels,
        positions=not several_kinds,
        pyramid=several_kinds,
    )
    return Design(
        name="pictures",
        widths=widths,
        qualities=(0, 99),
        # to 3,100: above, symbols of bright tiles would leave their alphabet
        log_lambda=(math.log(5.0), 6.5, 0.0),
        origin=0,
        learning_rate=1e-3,
        begins_as_transform=True,
    )


DESIGNS: dict[str, tuple[Design, ...]] = {"overview": (VECTOR, OVERVIEW), "detail": (VECTOR, DETAIL)}
