"""The training of a pixel model: its loss is the exact code length of every decision.

Matrices of hidden layers learn by Muon (Jordan et al., 2024, kellerjordan.github.io/posts/muon),
all else by Adam. The networks are trained in floats first; later weights, tables, biases and
hidden values are fake-quantized.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from compressnet.coding.coder import LOSSLESS_QUALITY
from compressnet.images.kinds import Images
from compressnet.training.common.options import Measured, Options
from compressnet.training.common.schedule import Training
from compressnet.training.lossless.design import PixelDesign
from compressnet.training.lossless.network import PlaneNet
from compressnet.training.lossless.sampling import PlaneSet, backgrounds_of, quiet_odds

QUANTIZED_FROM = 0.7
"""Share of the schedule after which the networks are fake-quantized."""
WARM_UP_STEPS = 100
STEP_PIXELS = 3600
"""Pixels of a step, about."""
CALIBRATED_BATCHES = 40
EXPONENTS_EVERY_STEPS = 50
MEASURED_PIXELS = 200_000
TOGETHER_PIXELS = 40_000
UNHELD_IMAGES = 500
"""Training images that are measured on if none are held out."""


class PixelFamily(nn.Module):
    """The planes' networks for images of one number of channels."""

    def __init__(self, sets: Sequence[PlaneSet], design: PixelDesign, backgrounds: list[int]) -> None:
        super().__init__()
        shapes = {part.planes_NCHW.shape[2:] for part in sets}
        self.size = cast("tuple[int, int]", next(iter(shapes))) if len(shapes) == 1 else None
        self.nets = nn.ModuleList(
            PlaneNet(design, number, self.size, background) for number, background in enumerate(backgrounds)
        )
        self.quiet_odds = [
            quiet_odds(list(sets), number, background, by_position=self.size is not None)
            for number, background in enumerate(backgrounds)
        ]

    def planes(self) -> list[PlaneNet]:
        """The network of each plane."""
        return [cast("PlaneNet", net) for net in self.nets]


class PixelTrainer(Training):
    """The training of a pixel model for each number of channels."""

    version = 2

    def __init__(self, sets: Sequence[Images], output: Path, options: Options, design: PixelDesign) -> None:
        """Stand before the first step.

        sets: images (N,H,W,C) of each kind. Of all images, `options.holdout` are not trained on;
        each set gives its share.
        """
        super().__init__("pixels", output, options)
        self.design = design
        self.generator = np.random.default_rng(options.seed)
        torch.manual_seed(options.seed)
        total = sum(map(len, sets))
        self.sets: list[PlaneSet] = []
        self.held: list[PlaneSet] = []
        self.families: dict[int, PixelFamily] = {}
        for channels in sorted({images.shape[3] for images in sets}):
            of_channels = [images for images in sets if images.shape[3] == channels]
            backgrounds = backgrounds_of(of_channels)
            split = [len(images) - options.holdout * len(images) // total for images in of_channels]
            trained = [
                PlaneSet(images[:end], backgrounds, design) for images, end in zip(of_channels, split, strict=True)
            ]
            self.held += [
                PlaneSet(images[end:] if end < len(images) else images[:UNHELD_IMAGES], backgrounds, design)
                for images, end in zip(of_channels, split, strict=True)
            ]
            self.sets += trained
            self.families[channels] = PixelFamily(trained, design, backgrounds)
        self._kept = np.array([max(part.kept_per_image(), 1.0) for part in self.sets])
        chances = self._kept * [len(part) for part in self.sets]
        self._chances = chances / chances.sum()
        self._optimizers = self._make_optimizers()
        self.images = 0
        """Images that were trained on so far, each as often as it was."""

    def _make_optimizers(self) -> list[torch.optim.Optimizer]:
        matrices, others = [], []
        for net in self._nets():
            hidden = [layer.weight for layer in net.hidden_layers()]
            matrices += hidden
            others += [p for p in net.parameters() if all(p is not weight for weight in hidden)]
        rate = self.design.learning_rate
        return [
            torch.optim.Muon(matrices, lr=rate, weight_decay=0.0, adjust_lr_fn="match_rms_adamw"),
            torch.optim.AdamW(others, lr=rate, betas=(0.9, 0.99), weight_decay=0.0),
        ]

    def _nets(self) -> Iterator[PlaneNet]:
        """The networks of all planes of all models."""
        for family in self.families.values():
            yield from family.planes()

    @property
    def epochs(self) -> float:
        """How often each training image was seen so far, on average."""
        return self.images / sum(map(len, self.sets))

    def _train_step(self) -> torch.Tensor:
        """Make one step; returns the bits of an image."""
        share = min(self.share, 1.0)
        if not self.quantized and share >= QUANTIZED_FROM:
            self._calibrate()
        rate = self.design.learning_rate * min(1.0, (self.step + 1) / WARM_UP_STEPS)
        rate *= 0.003 + 0.997 * 0.5 * (1 + math.cos(math.pi * share))
        for optimizer in self._optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate
            optimizer.zero_grad(set_to_none=True)
        loss = self._loss()
        loss.backward()
        for optimizer in self._optimizers:
            optimizer.step()
        if (self.step + 1) % EXPONENTS_EVERY_STEPS == 0:
            for net in self._nets():
                net.refresh_exponents()
        return loss.detach() / math.log(2)

    def _finish(self) -> None:
        if not self.quantized:
            self._calibrate()

    def _loss(self) -> torch.Tensor:
        """Nats of an image without the quiet pixels' flags, estimated from the next images."""
        number = int(self.generator.choice(len(self.sets), p=self._chances))
        part = self.sets[number]
        images = int(np.clip(round(STEP_PIXELS / self._kept[number]), 1, len(part)))
        chosen = np.sort(self.generator.choice(len(part), images, replace=False))
        loss = self._nats(part, chosen, self.generator)
        self.images += images
        return loss / images

    def _nats(self, part: PlaneSet, chosen: NDArray[np.int64], generator: np.random.Generator | None) -> torch.Tensor:
        """Nats of some images without quiet pixels' flags; exact if there is no generator."""
        planes = part.tensors(chosen)
        total = torch.zeros(())
        for plane, net in enumerate(self.families[len(planes)].planes()):
            drawn = part.draw(chosen, plane, generator)
            values = planes[plane][drawn.pixels.image, drawn.pixels.y, drawn.pixels.x]
            flag, high, low = net(planes[: plane + 1], drawn.pixels, values, quantized=self.quantized)
            others = values != net.background
            total = total + (flag * drawn.flag_weights).sum() + ((high + low) * drawn.value_weights[others]).sum()
        return total

    def _calibrate(self) -> None:
        """Fix the hidden values' exponents from the ranges seen, and quantize from here on."""
        for net in self._nets():
            net.observe()
        with torch.no_grad():
            for _ in range(CALIBRATED_BATCHES * len(self.sets)):
                self._loss()
        for net in self._nets():
            net.settle()
        self.quantized = True

    def measure(self) -> float:
        """Ideal bytes of a held-out image without the quiet pixels' flags."""
        total = images = 0
        for part in self.held:
            count = max(1, min(len(part), int(MEASURED_PIXELS / len(self.held) / part.planes_NCHW[0].size)))
            nets = self.families[part.planes_NCHW.shape[1]].planes()
            together = max(1, TOGETHER_PIXELS // part.planes_NCHW[0].size)
            for net in nets:
                net.eval()
            with torch.no_grad():
                for start in range(0, count, together):
                    total += float(self._nats(part, np.arange(start, min(start + together, count)), None))
            for net in nets:
                net.train()
            images += count
        return total / math.log(2) / 8 / images

    def _measured(self) -> list[Measured]:
        """Measure the bytes of a held-out image."""
        return [Measured(LOSSLESS_QUALITY, self.measure(), math.inf, None)]

    def _signature(self) -> dict[str, Any]:
        """What a checkpoint has to agree with to be resumed."""
        return {
            "design": repr(self.design),
            "images": [[*part.planes_NCHW.shape, zlib.crc32(part.planes_NCHW.data)] for part in self.sets],
            "holdout": self.options.holdout,
            "seed": self.options.seed,
        }

    def _state(self) -> dict[str, Any]:
        return {
            "families": {str(channels): family.state_dict() for channels, family in self.families.items()},
            "exponents": [layer.kept for net in self._nets() for layer in net.all_layers()],
            "optimizers": [optimizer.state_dict() for optimizer in self._optimizers],
            "generator": json.dumps(self.generator.bit_generator.state),
            "images": self.images,
        }

    def _load_state(self, state: dict[str, Any]) -> None:
        for channels, family in self.families.items():
            family.load_state_dict(state["families"][str(channels)])
        layers = [layer for net in self._nets() for layer in net.all_layers()]
        for layer, exponents in zip(layers, state["exponents"], strict=True):
            layer.kept = exponents
        for optimizer, saved in zip(self._optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.generator.bit_generator.state = json.loads(state["generator"])
        self.images = state["images"]
