"""Pixel models for tests, of random integers: they code badly, and exactly."""

from __future__ import annotations

import dataclasses

import numpy as np

from compressnet.codec.bundle import Bundle, make_bundle
from compressnet.lossless.coder import LosslessNetwork
from compressnet.lossless.model import CODES, HALF, RELATIVE, PixelModel, PlaneModel, Ranges, taps
from compressnet.lossless.planes import from_planes
from compressnet.lossless.proof import prove_pixels
from compressnet.networks.dense import DenseLayer
from compressnet.networks.numpy import NumpyBackend

NEAR = np.array([(-1, -1, 1), (0, -2, -1)], np.int8)
FAR = np.array([(-2, -3, 3), (-1, -3, 3), (0, -3, -1)], np.int8)
ACROSS = np.array([(-1, 0, 0), (0, -1, 1), (1, 0, 0)], np.int8)
UNITS = 8


def make_pixel_model(
    channels: int = 1, size: tuple[int, int] | None = None, seed: int = 0, *, counts: bool = True
) -> PixelModel:
    """A model for images of so many channels, of one size or of any, with its probe."""
    rng = np.random.default_rng([seed, channels])
    planes = tuple(_plane(rng, number, size or (1, 1), counts=counts) for number in range(channels))
    model = PixelModel(channels=channels, size=size, planes=planes, probe=np.zeros(32, np.uint8))
    prove_pixels(model)
    digest = LosslessNetwork(model, NumpyBackend()).probe_sha256()
    return dataclasses.replace(model, probe=np.frombuffer(digest, np.uint8))


def make_lossless_bundle(*models: PixelModel, name: str = "random") -> Bundle:
    """A codec with pixel models alone."""
    return make_bundle((), models or (make_pixel_model(),), name=name, default_quality=100, about="{}")


def images_for(model: PixelModel, count: int, size: tuple[int, int], seed: int = 0, share: float = 0.02) -> np.ndarray:
    """Images (count,H,W,C) that are the planes' backgrounds but for a share of the values, which
    are by chance."""
    rng = np.random.default_rng([seed, count])
    backgrounds = np.array([plane.background for plane in model.planes], np.uint8)
    planes = np.broadcast_to(backgrounds[:, None, None], (count, model.channels, *size))
    noise = rng.integers(0, 256, planes.shape, dtype=np.uint8)
    return from_planes(np.where(rng.random(planes.shape) < share, noise, planes))


def _plane(rng: np.random.Generator, number: int, size: tuple[int, int], *, counts: bool) -> PlaneModel:
    def table(*shape: int) -> np.ndarray:
        return rng.integers(-60, 61, shape).astype(np.int8)

    def layer(inputs: int, outputs: int, shift: int, bias_rows: int = 1) -> DenseLayer:
        return DenseLayer(
            weight=rng.integers(-100, 101, (outputs, inputs)).astype(np.int8),
            bias=rng.integers(-3000, 3001, (bias_rows, outputs)).astype(np.int32),
            shift=rng.integers(shift - 1, shift + 2, outputs).astype(np.int8),
        )

    seen = 3
    inputs = _taps(NEAR) * 3 + _taps(FAR) * 2 + number * _taps(ACROSS) * 3 + seen
    return PlaneModel(
        background=int(rng.choice([0, 128, 255])),
        near=NEAR,
        far=FAR,
        across=ACROSS,
        near_table=table(CODES, 3),
        far_table=table(CODES, 2),
        across_table=table(number, CODES, 3),
        seen_table=table(CODES, seen),
        seen_bias=rng.integers(-500, 501, seen).astype(np.int32),
        seen_shift=np.array([-1, 0, 5], np.int8),
        row=rng.integers(-2000, 2001, (size[0], UNITS)).astype(np.int32),
        column=rng.integers(-2000, 2001, (size[1], UNITS)).astype(np.int32),
        layers=(layer(inputs, UNITS, 8), layer(UNITS, UNITS, 7)),
        flag=layer(UNITS, 1, 10),
        high=layer(UNITS, HALF, 8),
        low1=layer(UNITS + len(taps(RELATIVE)) + (HALF if counts else 0), UNITS, 7, bias_rows=HALF),
        low2=layer(UNITS, HALF, 8),
        quiet=rng.integers(15 << 20, 1 << 24, size).astype(np.int32),
    )


def _taps(ranges: Ranges) -> int:
    return len(taps(ranges))
