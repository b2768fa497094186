"""From trained networks to a codec: where one network ends and the next begins, and the default quality."""

from __future__ import annotations

import copy
import functools
import json
from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from compressnet.bundle import Bundle, Network, make_bundle
from compressnet.exact import ANCHOR_STEP, ANCHORS, QUALITIES, NumpyBackend
from compressnet.metrics import ssim
from compressnet.network import CodecNetwork
from compressnet.training.freeze import freeze
from compressnet.training.loop import Trainer
from compressnet.training.model import Model

MEASURED_IMAGES = 1000
SSIM_OF_DEFAULT = 0.978
"""The default quality is the lowest that reaches this on the held-out images."""

Images = NDArray[np.uint8]
Measured = Callable[[int], tuple[float, float]]
"""Bytes per image and PSNR at a quality."""


def join(trainers: Sequence[Trainer], name: str) -> Bundle:
    """The codec of one trained network, or of two whose qualities overlap, the one for low rates first.

    Raises CodecRefusedError where a frozen network differs from its training network, which is a bug.
    """
    models = [copy.deepcopy(trainer.average).cpu() for trainer in trainers]  # the trainers still measure with theirs
    ranges = [trainer.qualities for trainer in trainers]
    if len(trainers) == 2:
        (lowest, _), (_, highest) = ranges
        last, start = find_switch(_measurer(trainers[0]), _measurer(trainers[1]), ranges[0], ranges[1])
        ranges = [(lowest, last), (last + 1, highest)]
        models[1] = moved(models[1], ranges[1], start)
    sample = trainers[0].sample
    networks = tuple(freeze(model, sample, qualities) for model, qualities in zip(models, ranges, strict=True))
    trained = len(trainers[0].train_images)
    epochs = {trainer.design.name: round(trainer.epochs, 2) for trainer in trainers}
    return make_bundle(
        networks,
        name=name,
        default_quality=default_quality(networks, sample),
        about=json.dumps({"images": trained, "epochs": epochs}),
    )


def _measurer(trainer: Trainer) -> Measured:
    return functools.cache(lambda quality: trainer.measure(quality, MEASURED_IMAGES))


def find_switch(
    lower: Measured, upper: Measured, lower_range: tuple[int, int], upper_range: tuple[int, int]
) -> tuple[int, int]:
    """The last quality of the lower network, and the quality of the upper one to go on with after it.

    The switch is where the curves cross, among the qualities that both were trained for: from there on the upper
    network has the better PSNR at equal bytes. It goes on where it has both more bytes and a better PSNR.
    """
    shared = list(range(upper_range[0], lower_range[1] + 1))
    bytes_Q, psnr_Q = (np.array([upper(quality)[i] for quality in shared]) for i in range(2))
    both = [quality for quality in shared if lower(quality)[0] >= bytes_Q[0]]
    ahead = [quality for quality in both if lower(quality)[1] < np.interp(lower(quality)[0], bytes_Q, psnr_Q)]
    last = min(max(ahead[0] - 1, lower_range[0]) if ahead else shared[-1], upper_range[1] - 1)
    start = upper_range[0]
    while start < upper_range[1] and not all(u > low for u, low in zip(upper(start), lower(last), strict=True)):
        start += 1
    return last, start


def moved(model: Model, qualities: tuple[int, int], start: int) -> Model:
    """The model with its qualities from `start` to the highest spread evenly over `qualities`, which end there too.

    Gains, biases and lambda are read off between the old anchors.
    """
    first, highest = qualities
    model = copy.deepcopy(model)
    step = (highest - start) / (highest - first) if highest > first else 1.0
    anchors = np.arange(ANCHORS) * ANCHOR_STEP

    def old_position(quality: NDArray[np.integer]) -> NDArray[np.floating]:
        return np.clip(start + (quality - first) * step, 0, QUALITIES - 1)

    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith(("bias", "_gain")) and len(parameter) == ANCHORS:
                columns = [np.interp(old_position(anchors), anchors, column) for column in parameter.T.numpy()]
                parameter.copy_(torch.tensor(np.stack(columns, axis=1)))
        position = old_position(np.arange(QUALITIES))
        log_lambda = np.interp(position, np.arange(QUALITIES), np.log(model.lambdas.numpy()))
        model.lambdas.copy_(torch.tensor(np.exp(log_lambda)))
    model.refresh_exponents()
    return model


def default_quality(networks: Sequence[Network], images_NHWC: Images) -> int:
    """The lowest quality whose SSIM reaches SSIM_OF_DEFAULT, else two thirds up. SSIM rises with quality."""
    images_NHWC = images_NHWC[:MEASURED_IMAGES]
    runners = [CodecNetwork(network, NumpyBackend()) for network in networks]
    first, last = networks[0].qualities[0], networks[-1].qualities[1]
    fallback, end = first + (last - first) * 2 // 3, last + 1
    while first < end:
        middle = (first + end) // 2
        runner = next(runner for runner in runners if middle <= runner.network.qualities[1])
        value = ssim(images_NHWC, runner.decode(runner.encode(images_NHWC, middle), middle))
        if value is None:
            return fallback
        first, end = (first, middle) if value >= SSIM_OF_DEFAULT else (middle + 1, end)
    return first if first <= last else fallback
