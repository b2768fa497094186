"""From trained networks to a codec: where one network ends and the next begins, and the default quality."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from compressnet.bundle import Bundle, Network, make_bundle
from compressnet.exact import NumpyBackend
from compressnet.metrics import ssim
from compressnet.network import CodecNetwork
from compressnet.training.freeze import freeze
from compressnet.training.loop import Trainer

MEASURED_IMAGES = 1000
SSIM_OF_DEFAULT = 0.978
"""The default quality is the lowest that reaches this on the held-out images."""

Images = NDArray[np.uint8]
Points = dict[int, tuple[float, float]]
"""Bytes per image and PSNR at some qualities."""


def join(trainers: Sequence[Trainer], name: str) -> Bundle:
    """The codec of one trained network, or of two whose qualities overlap, the one for low rates first.

    Raises CodecRefusedError where a frozen network differs from its training network, which is a bug.
    """
    ranges = [trainer.qualities for trainer in trainers]
    if len(trainers) == 2:
        lower, upper = trainers
        shared = range(upper.qualities[0], lower.qualities[1] + 1)
        low_points, high_points = (
            {quality: trainer.measure(quality, MEASURED_IMAGES) for quality in shared} for trainer in trainers
        )
        last = choose_switch(low_points, high_points)
        ranges = [(lower.qualities[0], last), (last + 1, upper.qualities[1])]
    sample = trainers[0].sample
    networks = tuple(
        freeze(trainer.average.cpu(), sample, qualities) for trainer, qualities in zip(trainers, ranges, strict=True)
    )
    trained = len(trainers[0].train_images)
    epochs = {trainer.design.name: round(trainer.epochs, 2) for trainer in trainers}
    return make_bundle(
        networks,
        name=name,
        default_quality=_default_quality(networks, sample[:MEASURED_IMAGES]),
        about=json.dumps({"images": trained, "epochs": epochs}),
    )


def choose_switch(lower: Points, upper: Points) -> int:
    """The last quality of the lower network, of the qualities that both have measured.

    It is the one nearest to where the curves cross (from there on the upper network has the better PSNR at equal
    bytes) at which bytes and PSNR still rise from this quality to the upper network's next one.
    """
    qualities = sorted(lower)
    bytes_Q, psnr_Q = (np.array([upper[q][i] for q in qualities]) for i in range(2))
    ahead = [q for q in qualities if lower[q][1] < np.interp(lower[q][0], bytes_Q, psnr_Q)]
    crossing = ahead[0] if ahead else qualities[-1]
    rising = [q for q in qualities[:-1] if lower[q][0] < upper[q + 1][0] and lower[q][1] < upper[q + 1][1]]
    return min(rising or qualities[:-1], key=lambda q: abs(q - crossing))


def _default_quality(networks: tuple[Network, ...], images_NHWC: Images) -> int:
    """The lowest quality whose SSIM reaches SSIM_OF_DEFAULT, else two thirds up. SSIM rises with quality."""
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
