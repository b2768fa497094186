"""The training of one network: rate-distortion loss over all its qualities at once, and checkpoints.

The loss of an image at a quality is (bits + lambda * squared error) / sqrt(lambda), so that every quality weighs
about the same. Floats first; later weights, biases and activations are fake-quantized. Last, with all else as it is,
the refinement of the encoder learns (`compressnet.training.architecture.refinement`). What is evaluated and frozen is
an exponential moving average of the weights.
"""

from __future__ import annotations

import copy
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray

from compressnet.bundle import Network
from compressnet.errors import FormatError, InputError
from compressnet.metrics import psnr_of_mse
from compressnet.training.check import to_pixels
from compressnet.training.design import DESIGNS, Design
from compressnet.training.model import Model
from compressnet.training.thaw import hash_of, thaw

PIXEL_SCALE = 64 / 255
"""From the networks' pixels to 0..1."""
QUANTIZED_FROM = 0.6
"""Share of the schedule, without the refinement, after which the networks are fake-quantized."""
REFINED_FROM = 0.7
"""Share of the schedule after which all but the encoder's refinement is done, where the design has one."""
WARM_UP_STEPS = 200
REFINEMENT_RATE = 0.5
"""Of the learning rate, for the refinement."""
CALIBRATED_BATCHES = 40
AVERAGE_DECAY = 0.999
EXPONENTS_EVERY_STEPS = 50
EVALUATED_IMAGES = 1000
CHECKPOINT_VERSION = 3


def visible(x: torch.Tensor) -> torch.Tensor:
    """1 where an image (B,C,H,W) has what can be seen, 0 for the colour of pixels that are fully transparent."""
    if x.shape[1] not in (2, 4):
        return torch.ones((), device=x.device)
    mask = (x[:, -1:] > 0).expand_as(x).to(x.dtype)
    return torch.cat([mask[:, :-1], torch.ones_like(mask[:, -1:])], dim=1)


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
    designs: tuple[Design, ...] = DESIGNS["detail"]
    """Networks to train; those without a quality in `qualities` are left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a training stands; `points` are (quality, bytes per image, PSNR in dB) on held-out images."""

    network: str
    """The name of its design."""
    share: float
    step: int
    epoch: float
    seconds: float
    loss: float
    quantized: bool
    points: list[tuple[int, float, float]]


class TrainingInterrupted(Exception):  # noqa: N818 - not an error
    """Ctrl-C: the checkpoint is written."""


def checkpoint_path(output: Path, design: Design) -> Path:
    """Where the checkpoint of a network lies while it is trained."""
    return output.with_name(f"{output.name}.{design.name}.checkpoint")


class Trainer:
    """The state of a training: model, average, optimizer and where the schedule stands."""

    def __init__(
        self,
        images_NHWC: NDArray[np.uint8],
        output: Path,
        options: Options,
        design: Design,
        start: Network | None = None,
    ) -> None:
        """start: a frozen network whose encoder is to get a refinement; then nothing else is trained."""
        self.options, self.design, self.start = options, design, start
        self.checkpoint = checkpoint_path(output, design)
        self.qualities = design.within(options.qualities)
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
        self.model = (Model(kind, design) if start is None else thaw(start, design)).to(self.device)
        self.model.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        self.average = copy.deepcopy(self.model).eval()
        self.optimizer = self._make_optimizer()
        self.main_until = REFINED_FROM if design.widths.refined else 1.0
        if start is not None:
            self.main_until = 0.0
        self.generator = torch.Generator().manual_seed(options.seed)
        self.step, self.seconds, self.loss = 0, 0.0, math.nan
        self.refined_from_step = 0
        self.quantized = start is not None
        self.order = torch.randperm(len(self.x_train), generator=self.generator)
        self.position = 0

    def _make_optimizer(self) -> torch.optim.Optimizer:
        """AdamW; gains move slowly, as latents can take up any scale, and only weights decay."""
        weights: list[torch.nn.Parameter] = []
        others: list[torch.nn.Parameter] = []
        for name, parameter in self.model.named_parameters():
            if not name.startswith(("levels.", "g_r.")):
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

    @property
    def epochs(self) -> float:
        """How often each training image was seen so far."""
        return self.step * self.options.batch / len(self.x_train)

    def run(self, report: Callable[[Progress], None], stop: Callable[[], bool] = lambda: False) -> None:
        """Train to the end of the schedule, from wherever it stands.

        Raises TrainingInterrupted on Ctrl-C, or where `stop` says so; the checkpoint is written then.
        """
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
                if stop():
                    raise KeyboardInterrupt
        except KeyboardInterrupt:
            self.save_checkpoint()
            raise TrainingInterrupted(str(self.checkpoint)) from None
        self._report(report)
        self.save_checkpoint()

    def _update(self) -> None:
        """One step of the optimizer."""
        share = self.share
        if not self.model.refines and share >= self.main_until:
            self._begin_refinement()
        since, until = (self.main_until, 1.0) if self.model.refines else (0.0, self.main_until)
        share = min((share - since) / (until - since), 1.0)
        if not self.quantized and share >= QUANTIZED_FROM:
            self._calibrate()
        warm_up = min(1.0, (self.step - self.refined_from_step + 1) / WARM_UP_STEPS)
        highest = self.options.learning_rate * (REFINEMENT_RATE if self.model.refines else 1.0)
        rate = highest * warm_up * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * share)))
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["scale"]
        x = self._batch()
        quality = self._qualities(len(x))
        lambda_B = self.model.lambdas[quality]
        outcome = self.model(x, quality, quantized=self.quantized)
        error_B = ((outcome.x_hat - x) * visible(x) * PIXEL_SCALE).square().flatten(1).sum(dim=1)
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
        low, high = self.qualities
        return torch.randint(low, high + 1, (count,), generator=self.generator).to(self.device)

    def _calibrate(self) -> None:
        """Fix the activations' exponents from the averaged model's ranges, and quantize from here on."""
        self.average.observe(True)
        with torch.no_grad():
            for _ in range(CALIBRATED_BATCHES):
                self.average(x := self._batch(), self._qualities(len(x)), quantized=False)
        self.average.observe(False)
        for part in ("g_a", "g_s", "prior"):
            getattr(self.model, part).exponents = dict(getattr(self.average, part).exponents)
        self.quantized = True

    def _begin_refinement(self) -> None:
        """From here on the refinement alone learns, beside the averages of all that was trained before."""
        self.model.load_state_dict(self.average.state_dict())
        self._refine()
        refinement = self.model.g_r
        assert refinement is not None
        refinement.observed = {}
        with torch.no_grad():
            for _ in range(CALIBRATED_BATCHES):
                self.model(x := self._batch(), self._qualities(len(x)), quantized=True)
        refinement.settle()
        self.average.load_state_dict(self.model.state_dict())
        self.model.refresh_exponents()
        self.refined_from_step = self.step

    def _refine(self) -> None:
        """Let the refinement take part, and train nothing else."""
        refinement = self.model.g_r
        assert refinement is not None
        self.model.refines = self.average.refines = True
        self.model.requires_grad_(False)
        refinement.requires_grad_(True)
        weights = [parameter for name, parameter in refinement.named_parameters() if name.endswith("weight")]
        biases = [parameter for name, parameter in refinement.named_parameters() if not name.endswith("weight")]
        groups = [
            {"params": weights, "weight_decay": 0.01, "scale": 1.0},
            {"params": biases, "weight_decay": 0.0, "scale": 1.0},
        ]
        self.optimizer = torch.optim.AdamW(groups, lr=self.options.learning_rate, betas=(0.9, 0.98), fused=True)

    @property
    def sample(self) -> NDArray[np.uint8]:
        """Held-out images, or where none are, training images: what is measured on (N,H,W,C)."""
        return self.held_images if len(self.held_images) else self.train_images[:5000]

    def measure(self, quality: int, count: int) -> tuple[float, float]:
        """Ideal bytes per image and PSNR of the averaged model on `count` images of the sample."""
        images = self.sample[:count]
        bits = squares = 0.0
        with torch.no_grad():
            for i in range(0, len(images), 250):
                x = to_pixels(images[i : i + 250], torch.float32).to(self.device)
                quality_B = torch.full((len(x),), quality, device=self.device)
                outcome = self.average(x, quality_B, quantized=self.quantized)
                pixels = torch.clamp(torch.floor(outcome.x_hat * 64 + 0.5), 0, 255)
                bits += float(outcome.bits_B.sum())
                squares += float(((pixels - x * 64) * visible(x) / 255).square().double().sum())
        return bits / 8 / len(images), psnr_of_mse(squares / images.size)

    def _report(self, report: Callable[[Progress], None]) -> None:
        low, high = self.qualities
        span = high - low
        chosen = sorted({low + round(span * share) for share in (0.1, 0.3, 0.5, 0.65, 0.8, 0.95)})
        progress = Progress(
            network=self.design.name,
            share=min(self.share, 1.0),
            step=self.step,
            epoch=self.epochs,
            seconds=self.seconds,
            loss=self.loss,
            quantized=self.quantized,
            points=[(quality, *self.measure(quality, EVALUATED_IMAGES)) for quality in chosen],
        )
        report(progress)

    def _signature(self) -> dict[str, Any]:
        """What a checkpoint has to agree with to be resumed."""
        options = {name: getattr(self.options, name) for name in ("holdout", "seed", "batch")}
        trained = {"qualities": self.qualities, "images": list(self.train_images.shape)}
        start = None if self.start is None else hash_of(self.start)
        return options | trained | self.model.config() | {"start": start}

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
            "refines": self.model.refines,
            "refined_from_step": self.refined_from_step,
            "exponents": self.model.chosen_exponents(),
        }
        path = self.checkpoint
        temporary = path.with_name(path.name + f".{os.getpid()}.tmp")
        torch.save(state, temporary)
        temporary.replace(path)

    def load_checkpoint(self) -> None:
        """Go on from the checkpoint. Raises InputError where there is none, or it is another training's."""
        path = self.checkpoint
        if not path.exists():
            raise InputError(f"{path}: no checkpoint to resume from; leave out --resume to start anew")
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:
            raise FormatError(f"{path}: not a checkpoint, or cut off; delete it and start anew") from error
        if state.get("version") != CHECKPOINT_VERSION or state["signature"] != self._signature():
            raise InputError(f"{path}: the checkpoint is of other images or options; use the same ones, or delete it")
        if state["refines"]:
            self._refine()
        self.refined_from_step = state["refined_from_step"]
        self.model.choose_exponents(state["exponents"])
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.generator.set_state(state["generator"])
        torch.set_rng_state(state["torch_rng"])
        self.order, self.position = state["order"], state["position"]
        self.step, self.seconds, self.loss = state["step"], state["seconds"], state["loss"]
        self.quantized = state["quantized"]
