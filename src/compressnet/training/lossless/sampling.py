"""Which pixels a pixel model learns from: all that are near something, and some of the others.

Axes: N images, H rows, W columns, C planes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from compressnet.images.kinds import Images
from compressnet.lossless.model import taps
from compressnet.lossless.planes import to_planes
from compressnet.training.lossless.design import PixelDesign, Ranges
from compressnet.training.lossless.network import Pixels

QUIET, FAR, NEAR = 0, 1, 2
NEAR_RANGES: Ranges = ((-2, -2, 2), (-1, -2, 2), (0, -2, -1))
FAR_EVERY = 4
"""Of pixels whose nearest neighbours are all background, one in so many is learned from, and
weighs as much more."""
TOGETHER = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """Pixels that stand for all, and how much the costs of each one's flag and value count."""

    pixels: Pixels
    flag_weights: torch.Tensor
    value_weights: torch.Tensor


class PlaneSet:
    """Images of one kind, as planes, with what each of their pixels is."""

    def __init__(self, images_NHWC: Images, backgrounds: list[int], design: PixelDesign) -> None:
        self.planes_NCHW, self.backgrounds = to_planes(images_NHWC), backgrounds
        self.classes_NCHW = np.empty_like(self.planes_NCHW)
        for start in range(0, len(images_NHWC), TOGETHER):
            rows = slice(start, start + TOGETHER)
            others = self.planes_NCHW[rows] != np.array(backgrounds, np.uint8)[:, None, None]
            for c in range(others.shape[1]):
                self.classes_NCHW[rows, c] = classes_of(others[:, : c + 1], design)

    def __len__(self) -> int:
        return len(self.planes_NCHW)

    def kept_per_image(self) -> float:
        """Pixels of an image that are learned from, in all planes, on average."""
        some = self.classes_NCHW[:TOGETHER]
        return float((some == NEAR).sum() + (some == FAR).sum() / FAR_EVERY) / len(some)

    def tensors(self, chosen: NDArray[np.int64]) -> list[torch.Tensor]:
        """The planes (B,H,W) of some images, int64."""
        planes = torch.from_numpy(self.planes_NCHW[chosen].astype(np.int64))
        return list(planes.unbind(1))

    def draw(self, chosen: NDArray[np.int64], plane: int, generator: np.random.Generator | None) -> Drawn:
        """Pixels of some images to learn from; without a generator, all that need the network.

        A quiet pixel needs it only if it is not background, and then for its value alone.
        """
        classes = self.classes_NCHW[chosen, plane]
        woken = (classes == QUIET) & (self.planes_NCHW[chosen, plane] != self.backgrounds[plane])
        far = classes == FAR
        if generator is not None:
            far &= generator.random(classes.shape) < 1 / FAR_EVERY
        image, y, x = np.nonzero((classes == NEAR) | far | woken)
        of_drawn = classes[image, y, x]
        weights = np.where((of_drawn == FAR) & (generator is not None), FAR_EVERY, 1).astype(np.float32)
        return Drawn(
            pixels=Pixels(image=torch.from_numpy(image), y=torch.from_numpy(y), x=torch.from_numpy(x)),
            flag_weights=torch.from_numpy(np.where(of_drawn == QUIET, np.float32(0), weights)),
            value_weights=torch.from_numpy(weights),
        )

    def every_pixel(self, chosen: NDArray[np.int64]) -> Pixels:
        """All pixels of some images."""
        image, y, x = torch.ones(len(chosen), *self.planes_NCHW.shape[2:]).nonzero(as_tuple=True)
        return Pixels(image=image, y=y, x=x)


def classes_of(others_NCHW: NDArray[np.bool_], design: PixelDesign) -> NDArray[np.uint8]:
    """Whether each pixel of the last plane is quiet, far or near: (N,H,W).

    others_NCHW: which pixels of some planes are not background.
    """
    own = others_NCHW[:, -1]
    classes = any_of(own, design.far).astype(np.uint8) * np.uint8(FAR)
    classes[(classes == FAR) & any_of(own, NEAR_RANGES)] = NEAR
    for c in range(others_NCHW.shape[1] - 1):
        classes[any_of(others_NCHW[:, c], design.across)] = NEAR
    return classes


def any_of(others_NHW: NDArray[np.bool_], ranges: Ranges) -> NDArray[np.bool_]:
    """Where any neighbour of a template is set, (N,H,W)."""
    height, width = others_NHW.shape[1:]
    found = np.zeros_like(others_NHW)
    for dy, dx in taps(ranges):
        if abs(dy) >= height or abs(dx) >= width:
            continue
        to_y, to_x = slice(max(0, -dy), min(height, height - dy)), slice(max(0, -dx), min(width, width - dx))
        from_y, from_x = slice(max(0, dy), min(height, height + dy)), slice(max(0, dx), min(width, width + dx))
        found[:, to_y, to_x] |= others_NHW[:, from_y, from_x]
    return found


def backgrounds_of(sets: list[Images]) -> list[int]:
    """The most frequent value of each plane of images (N,H,W,C), all of one C."""
    counts = np.zeros((sets[0].shape[3], 256), np.int64)
    for images in sets:
        planes = to_planes(images[: 4 * TOGETHER])
        counts += np.stack([np.bincount(planes[:, c].ravel(), minlength=256) for c in range(len(counts))])
    return counts.argmax(axis=1).tolist()


def quiet_odds(sets: list[PlaneSet], plane: int, background: int, *, by_position: bool) -> NDArray[np.float64]:
    """How likely a quiet pixel is to be background: (H,W), or (1,1) for all positions alike."""
    shape = sets[0].planes_NCHW.shape[2:] if by_position else (1, 1)
    quiet, woken = np.zeros(shape), np.zeros(shape)
    for part in sets:
        is_quiet = part.classes_NCHW[:, plane] == QUIET
        is_other = is_quiet & (part.planes_NCHW[:, plane] != background)
        quiet += is_quiet.sum(axis=0) if by_position else is_quiet.sum()
        woken += is_other.sum(axis=0) if by_position else is_other.sum()
    overall = (woken.sum() + 0.5) / (quiet.sum() + 1)
    return 1 - (woken + 2 * overall) / (quiet + 2)
