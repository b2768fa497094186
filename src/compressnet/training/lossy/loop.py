"""The training of one network: its rate-distortion loss over all qualities at once.

The loss of an image at a quality is (bits + lambda * squared error) / sqrt(lambda), so that every
quality weighs about the same. The networks are trained in floats first; later weights, biases and
activations are fake-quantized. Last, with all else as it is, the refinement of the encoder learns
(`compressnet.training.lossy.networks.architecture.refinement`). What is measured and frozen is an
exponential moving average of the weights.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from compressnet.bisection import first_that
from compressnet.errors import InputError
from compressnet.images.kinds import Images
from compressnet.training.common.options import Measured, Options
from compressnet.training.common.schedule import Training
from compressnet.training.lossy.design import Design
from compressnet.training.lossy.family import Family
from compressnet.training.lossy.measuring import Returns, cost_of, measure
from compressnet.training.lossy.nearness import Nearness
from compressnet.training.lossy.networks.formats import PIXEL_EXPONENT, PIXEL_LIMIT
from compressnet.training.lossy.networks.model import Model
from compressnet.training.lossy.optimizers import make_optimizer, refinement_optimizer
from compressnet.training.lossy.parts import cut_into_parts, visible
from compressnet.training.lossy.start import begin_as_transform

PIXEL_SCALE = 2**PIXEL_EXPONENT / PIXEL_LIMIT
"""From the networks' pixels to 0..1."""
QUANTIZED_FROM = 0.6
"""Share of the schedule, without the refinement, after which the networks are fake-quantized."""
REFINED_FROM = 0.7
"""Share of the schedule after which only the refinement is trained, if the design has one."""
WARM_UP_STEPS = 200
REFINEMENT_RATE = 0.5
"""The refinement's share of the learning rate."""
AVERAGE_DECAY = 0.999
EXPONENTS_EVERY_STEPS = 50
CLOSE_IN_FROM = 0.08
"""Share of the schedule from which on only qualities near the wanted PSNR are trained."""
QUALITIES_BELOW, QUALITIES_ABOVE = 14, 6
EVALUATED_VALUES = 400_000
"""Pixels times channels of the held-out images that are measured for a report, about."""


class Trainer(Training):
    """The training of one model. Each kind of images trains it in a form of its own (`Family`)."""

    version = 5

    def __init__(
        self,
        sets: Sequence[Images],
        output: Path,
        options: Options,
        design: Design,
        model: Model,
        origin: str | None = None,
    ) -> None:
        """Stand before the first step.

        sets: images (N,H,W,C) of each kind. model: a new one for the first kind, or one that is
        thawed from a frozen network; in that case `origin` is the network's hash, and only its
        refinement is trained, or the encoder if the design says so. Others without a refinement
        are trained as a whole, and stay close to where they began.
        """
        super().__init__(design.name, output, options)
        self.design, self._origin = design, origin
        self.qualities = design.within(options.qualities)
        self.device = _device(options)
        self.generator = torch.Generator().manual_seed(options.seed)
        self.parts = cut_into_parts(sets, options.holdout, options.batch, self.generator, self.device)
        self._chances = torch.tensor([len(part.train_images) / part.batch for part in self.parts])
        if origin is None and design.begins_as_transform:
            begin_as_transform(model, [part.train_images for part in self.parts])
        if design.encoder_alone:
            model.requires_grad_(False)
            model.g_a.requires_grad_(True)
        self.model = model.to(self.device)
        self.model.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        self.average = copy.deepcopy(self.model).eval()
        kinds = [part.kind for part in self.parts]
        self._models, self._averages = Family(self.model, kinds), Family(self.average, kinds)
        self.optimizer = make_optimizer(self.model, design)
        self._main_until = 1.0 if not design.widths.refined else REFINED_FROM if origin is None else 0.0
        """Share of the schedule after which only the refinement is trained."""
        self._refined_from_step = 0
        self._returns = Returns()
        self.quantized = origin is not None
        self._nearness = Nearness(self.model, self.optimizer) if self.is_adapted else None
        self._evaluated = max(64, EVALUATED_VALUES // sets[0][0].size)
        """Images that are measured for a report."""

    @property
    def is_adapted(self) -> bool:
        """Whether the whole of a frozen network is adapted to the images."""
        return self._origin is not None and not self.design.widths.refined and not self.design.encoder_alone

    @property
    def epochs(self) -> float:
        """How often each training image was seen so far."""
        return self.step / float(self._chances.sum())

    def _train_step(self) -> torch.Tensor:
        share = self.share
        if not self.model.refines and share >= self._main_until:
            self._begin_refinement()
        since, until = (self._main_until, 1.0) if self.model.refines else (0.0, self._main_until)
        share = min((share - since) / (until - since), 1.0)
        if not self.quantized and share >= QUANTIZED_FROM:
            self._calibrate()
        warm_up = min(1.0, (self.step - self._refined_from_step + 1) / WARM_UP_STEPS)
        highest = self.design.learning_rate * (REFINEMENT_RATE if self.model.refines else 1.0)
        rate = highest * warm_up * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * share)))
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["scale"]
        number, x, quality_B = self._batch()
        lambda_B = self.model.lambdas[quality_B]
        outcome = self._models.forms[number](x, quality_B, quantized=self.quantized)
        error_B = ((outcome.x_hat - x) * visible(x) * PIXEL_SCALE).square().flatten(1).sum(dim=1)
        loss = ((outcome.bits_B + lambda_B * error_B) / lambda_B.sqrt()).mean()
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 5.0)
        self.optimizer.step()
        if self._nearness is not None:
            self._nearness.draw_back()
        done = self.step + 1
        if done % EXPONENTS_EVERY_STEPS == 0:
            self.model.refresh_exponents()
        decay = min(AVERAGE_DECAY, 1 - 1 / (0.1 * done + 1))
        with torch.no_grad():
            averages: list[torch.Tensor] = list(self.average.parameters())
            torch._foreach_lerp_(averages, list(self.model.parameters()), 1 - decay)  # pyright: ignore
        return loss

    def _batch(self) -> tuple[int, torch.Tensor, torch.Tensor]:
        """The number of a part, its next images (B,C,H,W), and random qualities (B,)."""
        number = 0
        if len(self.parts) > 1:
            number = int(torch.multinomial(self._chances, 1, generator=self.generator))
        x = self.parts[number].draw(self.generator)
        low, high = self.qualities
        return number, x, torch.randint(low, high + 1, (len(x),), generator=self.generator).to(self.device)

    def _calibrate(self) -> None:
        """Fix exponents from the ranges of the averaged model, and quantize from here on."""
        self._averages.calibrate(("g_a", "g_s", "prior"), self._batch, quantized=False)
        self._models.take_formats(self.average)
        self.quantized = True

    def _begin_refinement(self) -> None:
        """From here on train the refinement alone; all else stays what its averages are now."""
        self.model.load_state_dict(self.average.state_dict())
        self._refine()
        self._models.calibrate(("g_r",), self._batch, quantized=True)
        self.average.load_state_dict(self.model.state_dict())
        self._averages.take_formats(self.model)
        self.model.refresh_exponents()
        self._refined_from_step = self.step

    def _refine(self) -> None:
        """Let the refinement take part, and train nothing else."""
        refinement = self.model.g_r
        assert refinement is not None
        self._models.refine()
        self._averages.refine()
        self.model.requires_grad_(False)
        refinement.requires_grad_(True)
        self.optimizer = refinement_optimizer(refinement, self.design)

    @property
    def sample(self) -> Images:
        """Held-out images of the first kind."""
        return self.parts[0].sample

    def measure(self, quality: int, count: int, *, with_ssim: bool = False) -> Measured:
        """Measure the averaged model on up to `count` held-out images of all kinds."""
        return measure(self.parts, self._averages.forms, quality, count, quantized=self.quantized, with_ssim=with_ssim)

    def _measured(self) -> list[Measured]:
        """Measure low, middling and high qualities, after closing in on those that are wanted."""
        self._close_in()
        low, high = self.qualities
        chosen = sorted({low + round((high - low) * share) for share in (0.1, 0.5, 0.95)})
        points = [self.measure(quality, self._evaluated, with_ssim=True) for quality in chosen]
        self._skip_what_does_not_pay(points)
        return points

    def _close_in(self) -> None:
        """Let the qualities that are trained close in on those that give about the wanted PSNR.

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
        """Go on to the quantized part of the schedule if its float part no longer pays."""
        cost = cost_of(points, self.model.lambdas.tolist(), self.parts[0].sample[0].size)
        share, quantized_from = self.share, QUANTIZED_FROM * self._main_until
        is_early = not self.quantized and share < quantized_from
        if is_early and not self._returns.pay(share, self.qualities, cost):
            self.skipped += quantized_from - share
        self._returns.note(self.share, self.qualities, cost)

    def _signature(self) -> dict[str, Any]:
        """What a checkpoint has to agree with: options, images, the design, and where it began."""
        design = asdict(self.design)
        return {
            "holdout": self.options.holdout,
            "seed": self.options.seed,
            "batch": self.options.batch,
            "qualities": list(self.design.within(self.options.qualities)),
            "images": [list(part.train_images.shape) for part in self.parts],
            "target_psnr": self.options.target_psnr,
            "kind": list(self.model.kind),
            "widths": design["widths"],
            "lambda": [*design["log_lambda"], design["origin"]],
            "origin": self._origin,
        }

    def _state(self) -> dict[str, Any]:
        return {
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
            "torch_rng": torch.get_rng_state(),
            "parts": [part.state() for part in self.parts],
            "qualities": self.qualities,
            "costs": self._returns.costs,
            "refines": self.model.refines,
            "refined_from_step": self._refined_from_step,
            "exponents": self.model.chosen_exponents(),
        }

    def _load_state(self, state: dict[str, Any]) -> None:
        if state["refines"]:
            self._refine()
        self._refined_from_step = state["refined_from_step"]
        self.model.choose_exponents(state["exponents"])
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.generator.set_state(state["generator"])
        torch.set_rng_state(state["torch_rng"])
        for part, where in zip(self.parts, state["parts"], strict=True):
            part.load_state(where)
        self.qualities = tuple(state["qualities"])
        self._returns = Returns([(share, tuple(qualities), cost) for share, qualities, cost in state["costs"]])
        self._models.take_formats(self.model)
        self._averages.take_formats(self.average)


def _device(options: Options) -> torch.device:
    """What trains. Raises InputError where CUDA is asked for and missing."""
    has_cuda = torch.cuda.is_available()
    if options.device == "cuda" and not has_cuda:
        raise InputError("no CUDA device is available; use --device cpu")
    return torch.device("cuda" if has_cuda and options.device != "cpu" else "cpu")
