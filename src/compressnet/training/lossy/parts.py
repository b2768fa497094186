"""The images of a training: for each kind, shuffled ones to train on, and those held out.

Axes: N images, B batch, H rows, W columns, C channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor

from compressnet.images.alpha import has_alpha
from compressnet.images.kinds import Images, Kind
from compressnet.training.lossy.networks.formats import PIXEL_EXPONENT


def visible(x: Tensor) -> Tensor:
    """1 for what can be seen of images (B,C,H,W), 0 for the colour of fully transparent pixels."""
    if not has_alpha(x.shape[1]):
        return torch.ones((), device=x.device)
    mask = (x[:, -1:] > 0).expand_as(x).to(x.dtype)
    return torch.cat([mask[:, :-1], torch.ones_like(mask[:, -1:])], dim=1)


class Part:
    """Images of one kind. Batches hold about as many pixels for any kind."""

    def __init__(
        self, images_NHWC: Images, holdout: int, batch: int, generator: torch.Generator, device: torch.device
    ) -> None:
        """holdout: images at the end that are not trained on. batch: images of a batch."""
        self.kind = cast("Kind", images_NHWC.shape[1:])
        split = len(images_NHWC) - holdout
        self.train_images, self.held_images = images_NHWC[:split], images_NHWC[split:]
        self.batch, self.device = min(batch, split), device
        self._x = torch.tensor(self.train_images.transpose(0, 3, 1, 2)).to(device)
        self._order = torch.randperm(split, generator=generator)
        self._position = 0

    def draw(self, generator: torch.Generator) -> Tensor:
        """The next images (B,C,H,W) as the networks see them."""
        if self._position + self.batch > len(self._order):
            self._order = torch.randperm(len(self._x), generator=generator)
            self._position = 0
        chosen = self._order[self._position : self._position + self.batch]
        self._position += self.batch
        return self._x[chosen.to(self.device)].float() / 2**PIXEL_EXPONENT

    @property
    def sample(self) -> Images:
        """What is measured on (N,H,W,C): held-out images, or training images if there are none."""
        return self.held_images if len(self.held_images) else self.train_images[:5000]

    def state(self) -> dict[str, Any]:
        """Where it stands, for a checkpoint."""
        return {"order": self._order, "position": self._position}

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self._order, self._position = state["order"], state["position"]


def cut_into_parts(
    sets: Sequence[Images], holdout: int, batch: int, generator: torch.Generator, device: torch.device
) -> list[Part]:
    """A part for each set of images (N,H,W,C).

    Of `holdout` images in all, each set gives its share. batch: images of the first part's batch.
    """
    total = sum(map(len, sets))
    first_px = sets[0][0].size
    parts: list[Part] = []
    for images in sets:
        held = holdout * len(images) // total
        size = batch if images is sets[0] else max(4, min(4 * batch, round(batch * first_px / images[0].size)))
        parts.append(Part(images, held, size, generator, device))
    return parts
