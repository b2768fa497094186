"""The training of one network: rate-distortion loss over all its qualities at once, and checkpoints.

The loss of an image at a quality is (bits + lambda * squared error) / sqrt(lambda), so that every quality weighs
about the same. Floats first; later weights, biases and activations are fake-quantized. Last, with all else as it is,
the refinement of the encoder learns (`compressnet.training.lossy.networks.architecture.refinement`). What is evaluated and frozen is
an exponential moving average of the weights.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from compressnet.bisection import first_that
from compressnet.errors import InputError
from compressnet.images.kinds import Images
from compressnet.lossy.network import Network
from compressnet.training.common.checkpoints import read_checkpoint, write_checkpoint
from compressnet.training.common.options import Measured, Options, Progress, TrainingInterrupted, checkpoint_path
from compressnet.training.freeze.thaw import hash_of, thaw
from compressnet.training.lossy.design import Design
from compressnet.training.lossy.measuring import Returns, cost_of, measure
from compressnet.training.lossy.networks.model import Model
from compressnet.training.lossy.parts import cut_into_parts, visible
from compressnet.training.lossy.start import begin_as_transform

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
CLOSE_IN_FROM = 0.08
"""Share of the schedule from which on only qualities near the wanted PSNR are trained."""
QUALITIES_BELOW, QUALITIES_ABOVE = 14, 6
EVALUATED_VALUES = 400_000
"""Pixels times channels of the held-out images that are measured for a report, about."""
CHECKPOINT_VERSION = 4


class Trainer:
    """The state of a training: model, average, optimizer and where the schedule stands.

    Images of several kinds train one model, which has a form for each of them (`Model.for_kind`).
    """

    def __init__(
        self,
        sets: Sequence[Images],
        output: Path,
        options: Options,
        design: Design,
        start: Network | None = None,
    ) -> None:
        """sets: images (N,H,W,C), for each kind.

        start: a frozen network whose encoder is to get a refinement; then nothing else is trained.
        """
        self.options, self.design, self.start = options, design, start
        self.checkpoint = checkpoint_path(output, design)
        self.qualities = design.within(options.qualities)
        chosen = options.device
        self.device = torch.device(
            "cuda" if chosen == "auto" and torch.cuda.is_available() else chosen.replace("auto", "cpu")
        )
        if self.device.type == "cuda" and not torch.cuda.is_available():
            raise InputError("no CUDA device is available; use --device cpu")
        self.generator = torch.Generator().manual_seed(options.seed)
        self.parts = cut_into_parts(sets, options.holdout, options.batch, self.generator, self.device)
        self._chances = torch.tensor([len(part.train_images) / part.batch for part in self.parts])
        torch.manual_seed(options.seed)
        first = self.parts[0]
        model = Model(first.kind, design) if start is None else thaw(start, design)
        if start is None and design.begins_as_transform:
            begin_as_transform(model, [part.train_images for part in self.parts])
        self.model = model.to(self.device)
        self.model.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        self.average = copy.deepcopy(self.model).eval()
        self.models, self.averages = self._family(self.model), self._family(self.average)
        self.optimizer = self._make_optimizer()
        self.main_until = REFINED_FROM if design.widths.refined else 1.0
        if start is not None:
            self.main_until = 0.0
        self.step, self.seconds, self.loss = 0, 0.0, math.nan
        self.refined_from_step = 0
        self.skipped = 0.0
        """Share of the schedule that was left out, as it no longer paid."""
        self._returns = Returns()
        self.quantized = start is not None
        self._evaluated = max(64, EVALUATED_VALUES // sets[0][0].size)
        """Images that are measured for a report."""

    def _family(self, model: Model) -> list[Model]:
        """A model's forms, for each part."""
        return [model, *(model.for_kind(part.kind) for part in self.parts[1:])]

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
        return torch.optim.AdamW(groups, lr=self.design.learning_rate, betas=(0.9, 0.98), fused=True)

    @property
    def share(self) -> float:
        """How much of the schedule is done, 0 to 1."""
        options = self.options
        if options.minutes is not None:
            return self.skipped + self.seconds / (60 * options.minutes)
        assert options.epochs is not None
        return self.skipped + self.epochs / options.epochs

    @property
    def epochs(self) -> float:
        """How often each training image was seen so far."""
        return self.step / float(self._chances.sum())

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
                if now - saved > 60 * options.checkpoint_minutes or not self.checkpoint.exists():
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
        highest = self.design.learning_rate * (REFINEMENT_RATE if self.model.refines else 1.0)
        rate = highest * warm_up * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * share)))
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["scale"]
        number, x = self._batch()
        quality = self._qualities(len(x))
        lambda_B = self.model.lambdas[quality]
        outcome = self.models[number](x, quality, quantized=self.quantized)
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

    def _batch(self) -> tuple[int, torch.Tensor]:
        """The next images (B,C,H,W) as the networks see them, and the number of their part."""
        number = 0
        if len(self.parts) > 1:
            number = int(torch.multinomial(self._chances, 1, generator=self.generator))
        return number, self.parts[number].draw(self.generator)

    def _qualities(self, count: int) -> torch.Tensor:
        low, high = self.qualities
        return torch.randint(low, high + 1, (count,), generator=self.generator).to(self.device)

    def _calibrate(self) -> None:
        """Fix the activations' exponents from the averaged model's ranges, and quantize from here on."""
        self._observe(self.averages, ("g_a", "g_s", "prior"), quantized=False)
        for model in self.models:
            model.take_formats(self.average)
        self.quantized = True

    def _observe(self, family: list[Model], names: Sequence[str], *, quantized: bool) -> None:
        """Fix exponents of some networks from the ranges that a model's forms show, all of them together."""
        for name in names:
            observed: dict[str, Any] = {}
            for model in family:
                getattr(model, name).observed = observed
        with torch.no_grad():
            for _ in range(CALIBRATED_BATCHES):
                number, x = self._batch()
                family[number](x, self._qualities(len(x)), quantized=quantized)
        for name in names:
            getattr(family[0], name).settle()
            for model in family[1:]:
                getattr(model, name).observed = None
        for model in family[1:]:
            model.take_formats(family[0])

    def _begin_refinement(self) -> None:
        """From here on the refinement alone learns, beside the averages of all that was trained before."""
        self.model.load_state_dict(self.average.state_dict())
        self._refine()
        self._observe(self.models, ("g_r",), quantized=True)
        self.average.load_state_dict(self.model.state_dict())
        for model in (*self.models, *self.averages):
            model.take_formats(self.model)
        self.model.refresh_exponents()
        self.refined_from_step = self.step

    def _refine(self) -> None:
        """Let the refinement take part, and train nothing else."""
        refinement = self.model.g_r
        assert refinement is not None
        for model in (*self.models, *self.averages):
            model.refines = True
        self.model.requires_grad_(False)
        refinement.requires_grad_(True)
        weights = [parameter for name, parameter in refinement.named_parameters() if name.endswith("weight")]
        biases = [parameter for name, parameter in refinement.named_parameters() if not name.endswith("weight")]
        groups = [
            {"params": weights, "weight_decay": 0.01, "scale": 1.0},
            {"params": biases, "weight_decay": 0.0, "scale": 1.0},
        ]
        self.optimizer = torch.optim.AdamW(groups, lr=self.design.learning_rate, betas=(0.9, 0.98), fused=True)

    @property
    def sample(self) -> Images:
        """Held-out images of the first kind."""
        return self.parts[0].sample

    def measure(self, quality: int, count: int, *, with_ssim: bool = False) -> Measured:
        """The averaged model on up to `count` held-out images, of all kinds in proportion."""
        return measure(self.parts, self.averages, quality, count, quantized=self.quantized, with_ssim=with_ssim)

    def _close_in(self) -> None:
        """Let the qualities that are trained close in on those that give about the PSNR that is wanted.

        PSNR at a quality rises while a training goes on, so there is more room below.
        """
        target = self.options.target_psnr
        if target is None or self.share < CLOSE_IN_FROM:
            return
        lowest, highest = self.design.within(self.options.qualities)
        first = first_that(lowest, highest, lambda quality: self.measure(quality, self._evaluated // 2).psnr >= target)
        low = max(lowest, min(first - QUALITIES_BELOW, highest - QUALITIES_BELOW))
        self.qualities = low, min(highest, first + QUALITIES_ABOVE)

    def _skip_what_does_not_pay(self, points: list[Measured]) -> None:
        """Go on to the quantized part of the schedule where its float part no longer pays."""
        cost = cost_of(points, self.model.lambdas.tolist(), self.parts[0].sample[0].size)
        quantized_from = QUANTIZED_FROM * self.main_until
        if (
            not self.quantized
            and self.share < quantized_from
            and not self._returns.pay(self.share, self.qualities, cost)
        ):
            self.skipped += quantized_from - self.share
        self._returns.note(self.share, self.qualities, cost)

    def _report(self, report: Callable[[Progress], None]) -> None:
        self._close_in()
        low, high = self.qualities
        span = high - low
        chosen = sorted({low + round(span * share) for share in (0.1, 0.5, 0.95)})
        points = [self.measure(quality, self._evaluated, with_ssim=True) for quality in chosen]
        self._skip_what_does_not_pay(points)
        progress = Progress(
            network=self.design.name,
            share=min(self.share, 1.0),
            step=self.step,
            epoch=self.epochs,
            seconds=self.seconds,
            loss=self.loss,
            quantized=self.quantized,
            points=points,
        )
        report(progress)

    def _signature(self) -> dict[str, Any]:
        """What a checkpoint has to agree with to be resumed."""
        options = {name: getattr(self.options, name) for name in ("holdout", "seed", "batch")}
        trained = {
            "qualities": list(self.design.within(self.options.qualities)),
            "images": [list(part.train_images.shape) for part in self.parts],
            "target_psnr": self.options.target_psnr,
        }
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
            "parts": [part.state() for part in self.parts],
            "qualities": self.qualities,
            "skipped": self.skipped,
            "costs": self._returns.costs,
            "step": self.step,
            "seconds": self.seconds,
            "loss": self.loss,
            "quantized": self.quantized,
            "refines": self.model.refines,
            "refined_from_step": self.refined_from_step,
            "exponents": self.model.chosen_exponents(),
        }
        write_checkpoint(self.checkpoint, state)

    def load_checkpoint(self) -> None:
        """Go on from the checkpoint; from the start where there is none. Raises InputError for another training's."""
        state = read_checkpoint(self.checkpoint, CHECKPOINT_VERSION, self._signature())
        if state is None:
            return
        if state["refines"]:
            self._refine()
        self.refined_from_step = state["refined_from_step"]
        self.model.choose_exponents(state["exponents"])
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.generator.set_state(state["generator"])
        torch.set_rng_state(state["torch_rng"])
        for part, where in zip(self.parts, state["parts"], strict=True):
            part.load_state(where)
        self.qualities = tuple(state["qualities"])
        self.skipped = state["skipped"]
        self._returns = Returns([(share, tuple(qualities), cost) for share, qualities, cost in state["costs"]])
        for model in self.models[1:]:
            model.take_formats(self.model)
        for model in self.averages[1:]:
            model.take_formats(self.average)
        self.step, self.seconds, self.loss = state["step"], state["seconds"], state["loss"]
        self.quantized = state["quantized"]
