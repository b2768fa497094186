"""From trained networks to a codec: where one ends and the next begins, its default quality."""

from __future__ import annotations

import copy
import functools
import json
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from compressnet.bisection import first_that
from compressnet.codec.bundle import Bundle, make_bundle
from compressnet.images.kinds import Images
from compressnet.images.metrics import ssim
from compressnet.lossy.coder import CodecNetwork
from compressnet.lossy.network import Network
from compressnet.lossy.sizeless import AnyNetwork
from compressnet.networks.numpy import NumpyBackend
from compressnet.networks.program import QUALITIES
from compressnet.training.common.quantize import Integers
from compressnet.training.freeze.lossy import BOUNDED_VALUES, alphabets, freeze, with_probe
from compressnet.training.freeze.move import moved
from compressnet.training.freeze.sizeless import freeze_sizeless
from compressnet.training.lossy.loop import Trainer
from compressnet.training.lossy.parts import Part

MEASURED_IMAGES = 1000
SSIM_OF_DEFAULT = 0.977
"""The default quality is the lowest that reaches this on the held-out images."""

SIMILAR_IMAGES = 250
COMPARED_QUALITIES = 25
"""How many qualities at the end of the one network, and at the start of the other, the switch may
be at."""

Curve = Callable[[int], tuple[float, float]]
"""From a quality to bytes per image and PSNR."""


def join(trainers: Sequence[Trainer], name: str) -> Bundle:
    """The codec of one trained network, or of two that overlap, the one for low rates first.

    Raises DefectError where a frozen network differs from the trained one.
    """
    if len(trainers) == 2:
        sample = trainers[0].sample
        frozen = [freeze(copy.deepcopy(trainer.average).cpu(), sample, trainer.qualities) for trainer in trainers]
        networks = joined(frozen, [_measurer(trainer) for trainer in trainers], sample)
        quality = default_quality(networks, sample)
    else:
        network, quality = frozen_family(trainers[0]), _first_similar(trainers[0])
        if trainers[0].options.target_psnr is not None and not trainers[0].is_adapted:
            network, quality = _spread(trainers[0], network, quality)
        networks = [network]
    trained = sum(len(part.train_images) for part in trainers[0].parts)
    epochs = {trainer.design.name: round(trainer.epochs, 2) for trainer in trainers}
    return make_bundle(
        tuple(networks),
        name=name,
        default_quality=quality,
        about=json.dumps({"images": trained, "epochs": epochs}),
    )


def frozen_family(trainer: Trainer) -> AnyNetwork:
    """A trained model's integer network: for its one kind, or, without positions, for any size."""
    average = copy.deepcopy(trainer.average).cpu()
    models = [average, *(average.for_kind(part.kind) for part in trainer.parts[1:])]
    for model in models[1:]:
        model.take_formats(average)
    samples = [_mixed(part) for part in trainer.parts]
    values = min(BOUNDED_VALUES, max(BOUNDED_VALUES // 32, 2 * BOUNDED_VALUES // len(models)))
    bounds = [
        alphabets(model, sample, trainer.qualities, values) for model, sample in zip(models, samples, strict=True)
    ]
    bound = np.max(bounds, axis=0)
    if trainer.is_adapted and average.bound_QS is not None:
        bound = _widened(average.bound_QS, bound, trainer.qualities)
    if average.widths.positions:
        return freeze(average, samples[0], trainer.qualities, bound)
    return freeze_sizeless(models, samples, trainer.qualities, bound)


def _widened(bound_QS: Integers, needed_QS: Integers, qualities: tuple[int, int]) -> Integers:
    """Alphabets as they were, or as wide as they need be at the qualities that are trained."""
    low, high = qualities
    widened = bound_QS.copy()
    widened[low : high + 1] = np.maximum(bound_QS, needed_QS)[low : high + 1]
    return widened


def _spread(trainer: Trainer, network: AnyNetwork, quality: int) -> tuple[AnyNetwork, int]:
    """Spread the few qualities around a wanted PSNR over all, so that one comes close to it.

    Also gives where `quality` lies then.
    """
    low, high = trainer.qualities
    spread = moved(network, (0, QUALITIES - 1), (low, high), trainer.parts[0].sample)
    return spread, round((quality - low) * (QUALITIES - 1) / (high - low))


def _mixed(part: Part) -> Images:
    """Held-out and training images by turns, as the codec will code both new images and these."""
    held, trained = part.held_images[:MEASURED_IMAGES], part.train_images[:MEASURED_IMAGES]
    both = min(len(held), len(trained))
    turns = np.stack([held[:both], trained[:both]], axis=1).reshape(2 * both, *part.kind)
    return np.concatenate([turns, held[both:], trained[both:]])


def _first_similar(trainer: Trainer) -> int:
    """`default_quality`, measured on the trained model."""
    return _default_of(trainer.qualities, lambda quality: trainer.measure(quality, SIMILAR_IMAGES, with_ssim=True).ssim)


def _default_of(qualities: tuple[int, int], similarity: Callable[[int], float | None]) -> int:
    """The lowest quality that is similar enough, else two thirds up: SSIM rises with quality."""
    low, high = qualities

    def is_similar(quality: int) -> bool:
        value = similarity(quality)
        return value is not None and value >= SSIM_OF_DEFAULT

    found = first_that(low, high + 1, is_similar)
    return found if found <= high else low + (high - low) * 2 // 3


def joined(networks: Sequence[Network], measured: Sequence[Curve], sample: Images) -> list[Network]:
    """Two networks, the one for low rates first, as one range where bytes and PSNR rise.

    The upper one keeps its qualities, from the switch on; the lower one's are spread over those
    below.
    """
    lower, upper = networks
    last, start = find_switch(measured[0], measured[1], lower.qualities, upper.qualities)
    lowest, highest = lower.qualities[0], upper.qualities[1]
    start = max(start, lowest + 1)
    return [
        moved(lower, (lowest, start - 1), (lowest, last), sample),
        with_probe(replace(upper, qualities=(start, highest)), sample),
    ]


def _measurer(trainer: Trainer) -> Curve:
    def measure(quality: int) -> tuple[float, float]:
        measured = trainer.measure(quality, MEASURED_IMAGES)
        return measured.bytes_per_image, measured.psnr

    return functools.cache(measure)


def find_switch(
    lower: Curve, upper: Curve, lower_range: tuple[int, int], upper_range: tuple[int, int]
) -> tuple[int, int]:
    """The last quality of the lower network, and the first of the upper one.

    The switch is where the curves cross: from there on the upper network has the better PSNR at
    equal bytes. Its first quality is one with both more bytes and a better PSNR than the lower
    one's last.
    """
    compared = range(upper_range[0], min(upper_range[0] + COMPARED_QUALITIES, upper_range[1] + 1))
    bytes_Q, psnr_Q = (np.array([upper(quality)[i] for quality in compared]) for i in range(2))
    candidates = range(max(lower_range[0], lower_range[1] + 1 - COMPARED_QUALITIES), lower_range[1] + 1)
    both = [quality for quality in candidates if bytes_Q[0] <= lower(quality)[0] <= bytes_Q[-1]]
    ahead = [quality for quality in both if lower(quality)[1] < np.interp(lower(quality)[0], bytes_Q, psnr_Q)]
    last = min(max(ahead[0] - 1, lower_range[0]) if ahead else lower_range[1], upper_range[1] - 1)
    start = upper_range[0]
    while start < upper_range[1] and not _is_above(upper(start), lower(last)):
        start += 1
    return last, start


def _is_above(point: tuple[float, float], other: tuple[float, float]) -> bool:
    """Whether bytes and PSNR are both higher, by about as much as the next quality's."""
    return point[0] > 1.003 * other[0] and point[1] > other[1] + 0.08


def default_quality(networks: Sequence[Network], images_NHWC: Images) -> int:
    """The lowest quality whose SSIM reaches SSIM_OF_DEFAULT; if none does, one two thirds up."""
    images_NHWC = images_NHWC[:MEASURED_IMAGES]
    runners = [CodecNetwork(network, NumpyBackend()) for network in networks]

    def similarity(quality: int) -> float | None:
        runner = next(runner for runner in runners if quality <= runner.network.qualities[1])
        return ssim(images_NHWC, runner.decode(runner.encode(images_NHWC, quality), quality))

    return _default_of((networks[0].qualities[0], networks[-1].qualities[1]), similarity)
