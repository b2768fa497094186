"""Images of fewer channels in a network of more: grey as colour, opaque as transparent.

One network then serves all modes of a collection. Both ways are 1x1 convolutions with fixed
weights; L stands for grey, A for alpha:

    L -> RGB                      (L, L, L)
    RGB -> L                      (R + 2G + B) / 4
    without alpha -> with alpha   255
    with alpha -> without alpha   left out

Axes: I inputs, O outputs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compressnet.images.alpha import has_alpha
from compressnet.limits import CHANNELS_LIMIT
from compressnet.networks.program import Node

OPAQUE = PIXEL_LIMIT = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapping:
    """out = (weight @ in + bias) / 2^shift, rounded, in pixels 0 to 255."""

    weight: NDArray[np.int8]
    """(O,I)."""
    bias: NDArray[np.int32]
    """(O,)."""
    shift: int = 0

    def node(self, source: str, output: str) -> Node:
        """The same as a node of a program."""
        arrays: dict[str, NDArray[np.integer]] = {
            "weight": self.weight[:, :, None, None],
            "bias": self.bias[None],
            "shift": np.full(len(self.weight), self.shift, np.int8),
        }
        attributes = {"stride": 1, "padding": 0}
        return Node(
            op="conv", inputs=(source,), output=output, attributes=attributes, low=0, high=PIXEL_LIMIT, arrays=arrays
        )


def promotion(channels: int, network_channels: int) -> Mapping | None:
    """How a network of more channels sees images of fewer; None if both have as many."""
    if channels == network_channels:
        return None
    weight, bias = np.zeros((network_channels, channels), np.int8), np.zeros(network_channels, np.int32)
    for colour in range(_colours(network_channels)):
        weight[colour, min(colour, _colours(channels) - 1)] = 1
    if has_alpha(channels):
        weight[-1, -1] = 1
    elif has_alpha(network_channels):
        bias[-1] = OPAQUE
    return Mapping(weight=weight, bias=bias)


def demotion(network_channels: int, channels: int) -> Mapping | None:
    """The way back from what `promotion` gave; None if both have as many channels."""
    if channels == network_channels:
        return None
    shift = 2 if _colours(channels) < _colours(network_channels) else 0
    weight = np.zeros((channels, network_channels), np.int8)
    if shift:
        weight[0, :3] = (1, 2, 1)
    else:
        weight[: _colours(channels), : _colours(channels)] = np.eye(_colours(channels), dtype=np.int8)
    if has_alpha(channels):
        weight[-1, -1] = 1 << shift
    return Mapping(weight=weight, bias=np.zeros(channels, np.int32), shift=shift)


def network_channels(channels: set[int]) -> int:
    """The channels of a network that serves images of all of these: 1 L, 2 LA, 3 RGB, 4 RGBA."""
    alpha = any(map(has_alpha, channels))
    return max(map(_colours, channels)) + alpha


def served_channels(channels: int) -> tuple[int, ...]:
    """How many channels images may have that a network of so many serves, rising."""
    return tuple(few for few in range(1, CHANNELS_LIMIT + 1) if network_channels({few, channels}) == channels)


def _colours(channels: int) -> int:
    return channels - has_alpha(channels)
