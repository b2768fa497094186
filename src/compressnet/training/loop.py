"""The training loop: rate-distortion loss over all qualities at once, checkpoints, and the freeze at the end.

The loss of an image at a quality is (bits + lambda * squared error) / sqrt(lambda), so that every quality weighs
about the same. Floats first; for the last part of the schedule weights, biases and activations are fake-quantized.
What is evaluated and frozen is an exponential moving average of the weights.
"""

from __future__ import annotations

import copy
import json
import math
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray

from compressnet.bundle import Bundle, to_bytes
from compressnet.errors import FormatError, InputError
from compressnet.files import atomic_write
from compressnet.metrics import psnr_of_mse, ssim
from compressnet.training.check import to_pixels
from compressnet.training.design import GRID, Design
from compressnet.training.freeze import freeze
from compressnet.training.networks import Model

PIXEL_SCALE = 64 / 255
"""From the networks' pixels to 0..1."""
QUANTIZED_FROM = 0.6
"""Share of the schedule after which the networks are fake-quantized."""
WARM_UP_STEPS = 200
AVERAGE_DECAY = 0.999
EXPONENTS_EVERY_STEPS = 50
EVALUATED_IMAGES = 1000
SSIM_OF_DEFAULT = 0.978
"""The default quality is the lowest that reaches this on the held-out images."""
CHECKPOINT_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to train. Exactly one of `epochs` and `minutes` sets the length of the schedule."""

    epochs: float | None = None
    minutes: float | None = None
    qualities: tuple[int, int] = (0, 99)
    holdout: int = 5000
    """Images at the end of the collection that are never trained on."""
    seed: int = 0
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: int | None = None
    """Threads of torch on the CPU; by default torch's own choice."""
    batch: int = 48
    learning_rate: float = 4e-3
    checkpoint_minutes: float = 2.0
    design: Design = GRID


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a training stands; `points` are (quality, bytes per image, PSNR in dB) on held-out images."""

    share: float
    step: int
    epoch: float
    seconds: float
    loss: float
    quantized: bool
    points: list[tuple[int, float, float]]


class TrainingInterrupted(Exception):  # noqa: N818 - not an error
    """Ctrl-C: the checkpoint is written."""


def checkpoint_path(output: Path) -> Path:
    """Where the checkpoint of a training lies while it runs."""
    return output.with_name(output.name + ".checkpoint")


def log_path(output: Path) -> Path:
    """Where a training's log lies: a JSON object a line."""
    return output.with_name(output.name + ".log.jsonl")


def train(
    images_NHWC: NDArray[np.uint8],
    output: Path,
    options: Options,
    *,
    resume: bool = False,
    report: Callable[[Progress], None] = lambda _: None,
) -> Bundle:
    """Train a codec on images (N,H,W,C) of one kind and write it to `output`.

    Raises InputError for images or options that cannot be trained on, TrainingInterrupted on Ctrl-C; a checkpoint is
    there then.
    """
    if len(images_NHWC) < options.holdout + options.batch:
        raise InputError(
            f"{len(images_NHWC)} images are too few to train on with {options.holdout} held out; "
            f"at least {options.holdout + options.batch} are needed, or a smaller --holdout"
        )
    if (options.epochs is None) == (options.minutes is None):
        raise InputError("a training needs either a number of epochs or a number of minutes")
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    trainer = Trainer(images_NHWC, output, options)
    if resume:
        trainer.load_checkpoint()
    trainer.run(report)
    bundle = trainer.freeze()
    atomic_write(output, to_bytes(bundle))
    checkpoint_path(output).unlink(missing_ok=True)
    return bundle


class Trainer:
    """The state of a training: model, average, optimizer and where the schedule stands."""

    def __init__(self, images_NHWC: NDArray[np.uint8], output: Path, options: Options) -> None:
        self.options, self.output = options, output
        chosen = options.device
        self.device = torch.device(
            "cuda" if chosen == "auto" and torch.cuda.is_available() else chosen.replace("auto", "cpu")
        )
        if self.device.type == "cuda" and not torch.cuda.is_available():
            raise InputError("no CUDA device is available; use --device cpu")
        split = len(images_NHWC) - options.holdout
        self.train_images, self.held_images = images_NHWC[:split], images_NHWC[split:]
        self.x_train = torch.tensor(self.train_images.transpose(0, 3, 1, 2)).to(self.device)
        kind = cast("tuple[int, int, int]", images_NHWC.shape[1:])
        torch.manual_seed(options.seed)
        self.model = Model(kind, options.design).to(self.device)
        self.model.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        self.average = copy.deepcopy(self.model).eval()
        self.optimizer = self._make_optimizer()
        self.generator = torch.Generator().manual_seed(options.seed)
        self.step, self.seconds, self.loss = 0, 0.0, math.nan
        self.quantized = False
        self.order = torch.randperm(len(self.x_train), generator=self.generator)
        self.position = 0

    def _make_optimizer(self) -> torch.optim.Optimizer:
        """AdamW; gains move slowly, as latents can take up any scale, and only weights decay."""
        weights: list[torch.nn.Parameter] = []
        others: list[torch.nn.Parameter] = []
        for name, parameter in self.model.named_parameters():
            if not name.startswith("levels."):
                (weights if name.endswith("weight") else others).append(parameter)
        groups = [
            {"params": weights, "weight_decay": 0.01, "scale": 1.0},
            {"params": others, "weight_decay": 0.0, "scale": 1.0},
            {"params": list(self.model.levels.parameters()), "weight_decay": 0.0, "scale": 0.2},
        ]
        return torch.optim.AdamW(groups, lr=self.options.learning_rate, betas=(0.9, 0.98), fused=True)

    @property
    def share(self) -> float:
        """How much of the schedule is done, 0 to 1."""
        options = self.options
        if options.minutes is not None:
            return self.seconds / (60 * options.minutes)
        assert options.epochs is not None
        return self.step * options.batch / (options.epochs * len(self.x_train))

    def run(self, report: Callable[[Progress], None]) -> None:
        """Train to the end of the schedule, from wherever it stands."""
        options = self.options
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
                if now - saved > 60 * options.checkpoint_minutes:
                    self.save_checkpoint()
                    saved = time.monotonic()
        except KeyboardInterrupt:
            self.save_checkpoint()
            raise TrainingInterrupted(str(checkpoint_path(self.output))) from None
        self._report(report)
        self.save_checkpoint()

    def _update(self) -> None:
        """One step of the optimizer."""
        share = self.share
        if not self.quantized and share >= QUANTIZED_FROM:
            self._calibrate()
        warm_up = min(1.0, (self.step + 1) / WARM_UP_STEPS)
        rate = self.options.learning_rate * warm_up * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(share, 1.0))))
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["scale"]
        x = self._batch()
        quality = self._qualities(len(x))
        lambda_B = self.model.lambdas[quality]
        outcome = self.model(x, quality, quantized=self.quantized)
        error_B = ((outcome.x_hat - x) * PIXEL_SCALE).square().flatten(1).sum(dim=1)
        loss = ((outcome.bits_B + lambda_B * error_B) / lambda_B.sqrt()).mean()
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 5.0)
        self.optimizer.step()
        self.step += 1
        if self.step % EXPONENTS_EVERY_STEPS == 0:
            self.model.refresh_exponents()
        decay = min(AVERAGE_DECAY, 1 - 1 / (0.1 * self.step + 1))
        with torch.no_grad():
            averages: list[torch.Tensor] = list(self.average.parameters())
            torch._foreach_lerp_(averages, list(self.model.parameters()), 1 - decay)  # pyright: ignore
        if self.step % 10 == 0 or self.step == 1:
            value = float(loss.detach())
            self.loss = value if math.isnan(self.loss) else self.loss + 0.1 * (value - self.loss)

    def _batch(self) -> torch.Tensor:
        """The next images (B,C,H,W) as the networks see them; a new order each epoch."""
        if self.position + self.options.batch > len(self.order):
            self.order = torch.randperm(len(self.x_train), generator=self.generator)
            self.position = 0
        chosen = self.order[self.position : self.position + self.options.batch]
        self.position += self.options.batch
        return self.x_train[chosen.to(self.device)].float() / 64

    def _qualities(self, count: int) -> torch.Tensor:
        low, high = self.options.qualities
        return torch.randint(low, high + 1, (count,), generator=self.generator).to(self.device)

    def _calibrate(self) -> None:
        """Fix the activations' exponents from the averaged model's ranges, and quantize from here on."""
        self.average.observe(True)
        with torch.no_grad():
            for _ in range(40):
                self.average(x := self._batch(), self._qualities(len(x)), quantized=False)
        self.average.observe(False)
        for part in ("g_a", "g_s", "prior"):
            getattr(self.model, part).exponents = dict(getattr(self.average, part).exponents)
        self.quantized = True

    def measure(self, quality: int, count: int) -> tuple[float, float]:
        """Ideal bytes per image and PSNR of the averaged model on held-out images (else on training images)."""
        images = (self.held_images if len(self.held_images) else self.train_images)[:count]
        bits = squares = 0.0
        with torch.no_grad():
            for i in range(0, len(images), 250):
                x = to_pixels(images[i : i + 250], torch.float32).to(self.device)
                quality_B = torch.full((len(x),), quality, device=self.device)
                outcome = self.average(x, quality_B, quantized=self.quantized)
                pixels = torch.clamp(torch.floor(outcome.x_hat * 64 + 0.5), 0, 255)
                bits += float(outcome.bits_B.sum())
                squares += float(((pixels - x * 64) / 255).square().double().sum())
        return bits / 8 / len(images), psnr_of_mse(squares / images.size)

    def _report(self, report: Callable[[Progress], None]) -> None:
        low, high = self.options.qualities
        span = high - low
        chosen = sorted({low + round(span * share) for share in (0.1, 0.3, 0.5, 0.65, 0.8, 0.95)})
        progress = Progress(
            share=min(self.share, 1.0),
            step=self.step,
            epoch=self.step * self.options.batch / len(self.x_train),
            seconds=self.seconds,
            loss=self.loss,
            quantized=self.quantized,
            points=[(quality, *self.measure(quality, EVALUATED_IMAGES)) for quality in chosen],
        )
        with log_path(self.output).open("a", encoding="utf-8") as log:
            log.write(json.dumps(asdict(progress)) + "\n")
        report(progress)

    def _signature(self) -> dict[str, Any]:
        """What a checkpoint has to agree with to be resumed."""
        names = ("qualities", "holdout", "seed", "batch")
        chosen = {field.name: getattr(self.options, field.name) for field in fields(self.options)}
        return {name: chosen[name] for name in names} | {"images": list(self.train_images.shape)} | self.model.config()

    def save_checkpoint(self) -> None:
        """Write everything that `load_checkpoint` needs, atomically."""
        state = {
            "version": CHECKPOINT_VERSION,
            "signature": self._signature(),
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
            "torch_rng": torch.get_rng_state(),
            "order": self.order,
            "position": self.position,
            "step": self.step,
            "seconds": self.seconds,
            "loss": self.loss,
            "quantized": self.quantized,
        }
        path = checkpoint_path(self.output)
        temporary = path.with_name(path.name + f".{os.getpid()}.tmp")
        torch.save(state, temporary)
        temporary.replace(path)

    def load_checkpoint(self) -> None:
        """Go on from the checkpoint. Raises InputError where there is none, or it is another training's."""
        path = checkpoint_path(self.output)
        if not path.exists():
            raise InputError(f"{path}: no checkpoint to resume from; leave out --resume to start anew")
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:
            raise FormatError(f"{path}: not a checkpoint, or cut off; delete it and start anew") from error
        if state.get("version") != CHECKPOINT_VERSION or state["signature"] != self._signature():
            raise InputError(f"{path}: the checkpoint is of other images or options; use the same ones, or delete it")
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.generator.set_state(state["generator"])
        torch.set_rng_state(state["torch_rng"])
        self.order, self.position = state["order"], state["position"]
        self.step, self.seconds, self.loss = state["step"], state["seconds"], state["loss"]
        self.quantized = state["quantized"]

    def freeze(self) -> Bundle:
        """The integer codec of the averaged model, checked."""
        average = copy.deepcopy(self.average).cpu()
        images = self.held_images if len(self.held_images) else self.train_images[:5000]
        about = json.dumps(
            {"images": len(self.train_images), "epochs": round(self.step * self.options.batch / len(self.x_train), 2)}
        )
        return freeze(
            average,
            images,
            name=self.output.name.removesuffix(".codec"),
            qualities=self.options.qualities,
            default_quality=self._default_quality(),
            about=about,
        )

    def _default_quality(self) -> int:
        """The lowest quality whose SSIM on held-out images reaches SSIM_OF_DEFAULT, else two thirds up."""
        low, high = self.options.qualities
        images = (self.held_images if len(self.held_images) else self.train_images)[:EVALUATED_IMAGES]
        candidates = list(range(low, high + 1))
        fallback = low + (high - low) * 2 // 3
        first, last = 0, len(candidates)
        while first < last:  # SSIM rises with quality
            middle = (first + last) // 2
            value = ssim(images, self._decoded(images, candidates[middle]))
            if value is None:
                return fallback
            if value >= SSIM_OF_DEFAULT:
                last = middle
            else:
                first = middle + 1
        return candidates[first] if first < len(candidates) else fallback

    def _decoded(self, images_NHWC: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
        """Images through the averaged model, as uint8."""
        parts: list[NDArray[np.uint8]] = []
        with torch.no_grad():
            for i in range(0, len(images_NHWC), 250):
                x = to_pixels(images_NHWC[i : i + 250], torch.float32).to(self.device)
                quality_B = torch.full((len(x),), quality, device=self.device)
                x_hat = self.average(x, quality_B, quantized=True).x_hat
                pixels = torch.clamp(torch.floor(x_hat * 64 + 0.5), 0, 255).to(torch.uint8)
                parts.append(pixels.cpu().numpy().transpose(0, 2, 3, 1))
        return np.concatenate(parts)
