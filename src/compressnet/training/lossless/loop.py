"""The training of a pixel model: the exact code length of every decision, and checkpoints.

Matrices of hidden layers learn by Muon (Jordan et al., 2024, kellerjordan.github.io/posts/muon), all else by Adam.
First in floats; later weights, tables, biases and hidden values are fake-quantized.
"""

from __future__ import annotations

import math
import time
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from compressnet.coding.coder import LOSSLESS_QUALITY
from compressnet.training.common.checkpoints import read_checkpoint, write_checkpoint
from compressnet.training.common.options import Measured, Options, Progress, TrainingInterrupted
from compressnet.training.lossless.design import PixelDesign
from compressnet.training.lossless.network import PlaneNet
from compressnet.training.lossless.sampling import Planes, PlaneSet, backgrounds_of, quiet_odds

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
"""Training images that are measured on where none are held out."""
CHECKPOINT_VERSION = 1


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


class PixelTrainer:
    """The state of a training: models, optimizers and where the schedule stands."""

    def __init__(self, sets: Sequence[Planes], output: Path, options: Options, design: PixelDesign) -> None:
        """sets: images (N,H,W,C) of each kind; `options.holdout` of all, in proportion, are not trained on."""
        self.options, self.design = options, design
        self.checkpoint = output.with_name(f"{output.name}.pixels.checkpoint")
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
        self.step, self.images, self.seconds, self.loss = 0, 0, 0.0, math.nan
        self.quantized = False

    def _make_optimizers(self) -> list[torch.optim.Optimizer]:
        matrices, others = [], []
        for family in self.families.values():
            for net in family.planes():
                hidden = [layer.weight for layer in net.hidden_layers()]
                matrices += hidden
                others += [p for p in net.parameters() if all(p is not weight for weight in hidden)]
        rate = self.design.learning_rate
        return [
            torch.optim.Muon(matrices, lr=rate, weight_decay=0.0, adjust_lr_fn="match_rms_adamw"),
            torch.optim.AdamW(others, lr=rate, betas=(0.9, 0.99), weight_decay=0.0),
        ]

    @property
    def share(self) -> float:
        """How much of the schedule is done, 0 to 1."""
        if self.options.minutes is not None:
            return self.seconds / (60 * self.options.minutes)
        assert self.options.epochs is not None
        return self.epochs / self.options.epochs

    @property
    def epochs(self) -> float:
        """How often each training image was seen so far, on average."""
        return self.images / sum(map(len, self.sets))

    def run(self, report: Callable[[Progress], None]) -> None:
        """Train to the end of the schedule. Raises TrainingInterrupted on Ctrl-C; the checkpoint is written then."""
        started = time.monotonic() - self.seconds
        saved = reported = time.monotonic()
        try:
            while self.share < 1:
                self._update()
                now = time.monotonic()
                self.seconds = now - started
                if now - reported > 30 or self.step == 1:
                    self._report(report)
                    reported = time.monotonic()
                if now - saved > 60 * self.options.checkpoint_minutes or not self.checkpoint.exists():
                    self.save_checkpoint()
                    saved = time.monotonic()
            if not self.quantized:
                self._calibrate()
            self._report(report)
        except KeyboardInterrupt:
            self.save_checkpoint()
            raise TrainingInterrupted(str(self.checkpoint)) from None
        self.save_checkpoint()

    def _update(self) -> None:
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
        self.step += 1
        if self.step % EXPONENTS_EVERY_STEPS == 0:
            for family in self.families.values():
                for net in family.planes():
                    net.refresh_exponents()
        if self.step % 10 == 0 or self.step == 1:
            value = float(loss.detach()) / math.log(2)
            self.loss = value if math.isnan(self.loss) else self.loss + 0.1 * (value - self.loss)

    def _loss(self) -> torch.Tensor:
        """Nats of an image, without the quiet pixels' flags, estimated from the next images."""
        number = int(self.generator.choice(len(self.sets), p=self._chances))
        part = self.sets[number]
        images = int(np.clip(round(STEP_PIXELS / self._kept[number]), 1, len(part)))
        chosen = np.sort(self.generator.choice(len(part), images, replace=False))
        loss = self._nats(part, chosen, self.generator)
        self.images += images
        return loss / images

    def _nats(self, part: PlaneSet, chosen: NDArray[np.int64], generator: np.random.Generator | None) -> torch.Tensor:
        """Nats of some images, without the quiet pixels' flags: estimated, or exactly without a generator."""
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
        nets = [net for family in self.families.values() for net in family.planes()]
        for net in nets:
            net.observe()
        with torch.no_grad():
            for _ in range(CALIBRATED_BATCHES * len(self.sets)):
                self._loss()
        for net in nets:
            net.settle()
        self.quantized = True

    def measure(self) -> float:
        """Ideal bytes of a held-out image, without the quiet pixels' flags."""
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

    def _report(self, report: Callable[[Progress], None]) -> None:
        measured = Measured(LOSSLESS_QUALITY, self.measure(), math.inf, None)
        report(
            Progress(
                network="pixels",
                share=min(self.share, 1.0),
                step=self.step,
                epoch=self.epochs,
                seconds=self.seconds,
                loss=self.loss,
                quantized=self.quantized,
                points=[measured],
            )
        )

    def _signature(self) -> dict[str, Any]:
        """What a checkpoint has to agree with to be resumed."""
        return {
            "design": repr(self.design),
            "images": [[*part.planes_NCHW.shape, zlib.crc32(part.planes_NCHW.data)] for part in self.sets],
            "holdout": self.options.holdout,
            "seed": self.options.seed,
        }

    def save_checkpoint(self) -> None:
        """Write everything that `load_checkpoint` needs, atomically."""
        state = {
            "version": CHECKPOINT_VERSION,
            "signature": self._signature(),
            "families": {str(channels): family.state_dict() for channels, family in self.families.items()},
            "optimizers": [optimizer.state_dict() for optimizer in self._optimizers],
            "step": self.step,
            "images": self.images,
            "seconds": self.seconds,
            "loss": self.loss,
            "quantized": self.quantized,
        }
        write_checkpoint(self.checkpoint, state)

    def load_checkpoint(self) -> None:
        """Go on from the checkpoint; from the start where there is none. Raises InputError for another training's."""
        state = read_checkpoint(self.checkpoint, CHECKPOINT_VERSION, self._signature())
        if state is None:
            return
        for channels, family in self.families.items():
            family.load_state_dict(state["families"][str(channels)])
        for optimizer, saved in zip(self._optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.generator = np.random.default_rng([self.options.seed, state["step"]])
        self.step, self.images, self.seconds = state["step"], state["images"], state["seconds"]
        self.loss, self.quantized = state["loss"], state["quantized"]
