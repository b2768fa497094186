"""A trained pixel model becomes integers, and both are checked to say the same of every pixel."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from numpy.typing import NDArray

from compressnet.coding.softmax import LOGIT_STEPS, TOTAL_BITS, frequencies
from compressnet.errors import DefectError
from compressnet.lossless.coder import LosslessNetwork
from compressnet.lossless.model import HALF, HALF_BITS, TABLE_LIMIT, PixelModel, PlaneModel
from compressnet.lossless.pixels import NumpyPixelCoder
from compressnet.lossless.planes import from_planes
from compressnet.lossless.proof import prove_pixels
from compressnet.networks.dense import DenseLayer
from compressnet.networks.numpy import NumpyBackend
from compressnet.training.common.quantize import WEIGHT_LIMIT, integers, integers_scale
from compressnet.training.lossless.layers import Layer, Table
from compressnet.training.lossless.loop import PixelFamily
from compressnet.training.lossless.network import COUNT_EXPONENT, RELATIVE_EXPONENT, SUM_EXPONENT, Pixels, PlaneNet
from compressnet.training.lossless.sampling import PlaneSet

CHECKED_PIXELS = 60_000


def freeze_pixels(family: PixelFamily, channels: int) -> PixelModel:
    """The integers of a trained, quantized model, with its probe."""
    planes = tuple(_freeze_plane(net, odds) for net, odds in zip(family.planes(), family.quiet_odds, strict=True))
    model = PixelModel(channels=channels, size=family.size, planes=planes, probe=np.zeros(32, np.uint8))
    prove_pixels(model)
    digest = LosslessNetwork(model, NumpyBackend()).probe_sha256()
    return dataclasses.replace(model, probe=np.frombuffer(digest, np.uint8))


def _freeze_plane(net: PlaneNet, quiet_odds: NDArray[np.float64]) -> PlaneModel:
    design = net.design
    rows, columns = (net.row, net.column)
    layers: list[DenseLayer] = []
    exponents = net.in_exponents()
    position_exponents = net.first.exponents(exponents)
    for layer in net.layers:
        assert isinstance(layer, Layer)
        layers.append(_freeze_layer(layer, exponents))
        exponents = layer.out_exponents
    relative = net.low1.weight.shape[1] - len(exponents) - (HALF if design.counts else 0)
    low_exponents = [exponents, torch.full((relative,), float(RELATIVE_EXPONENT))]
    if design.counts:
        low_exponents.append(torch.full((HALF,), float(COUNT_EXPONENT)))
    across = [_freeze_table(table) for table in net.across_tables if isinstance(table, Table)]
    return PlaneModel(
        background=net.background,
        near=np.array(design.near, np.int8),
        far=np.array(design.far, np.int8),
        across=np.array(design.across, np.int8),
        near_table=_freeze_table(net.near_table),
        far_table=_freeze_table(net.far_table),
        across_table=np.array(across, np.int8).reshape(net.number, *net.near_table.weight.shape),
        seen_table=np.clip(integers(net.seen_table, SUM_EXPONENT), -TABLE_LIMIT, TABLE_LIMIT).astype(np.int8),
        seen_bias=integers(net.seen_bias, SUM_EXPONENT).astype(np.int32),
        seen_shift=(SUM_EXPONENT - net.seen_exponents).numpy().astype(np.int8),
        row=integers(rows, position_exponents).astype(np.int32),
        column=integers(columns, position_exponents).astype(np.int32),
        layers=tuple(layers),
        flag=_freeze_layer(net.flag, exponents),
        high=_freeze_layer(net.high, exponents),
        low1=_freeze_layer(net.low1, torch.cat(low_exponents)),
        low2=_freeze_layer(net.low2, net.low1.out_exponents),
        quiet=np.clip(np.floor(quiet_odds * (1 << TOTAL_BITS) + 0.5), 1, (1 << TOTAL_BITS) - 1).astype(np.int32),
    )


def _freeze_table(table: Table) -> NDArray[np.int8]:
    return integers(table.weight, table.exponents()).astype(np.int8)


def _freeze_layer(layer: Layer, in_exponents_I: torch.Tensor) -> DenseLayer:
    exponents_O = layer.exponents(in_exponents_I)
    scaled = layer.weight * integers_scale(layer.weight, in_exponents_I)
    return DenseLayer(
        weight=np.clip(integers(scaled, exponents_O[:, None]), -WEIGHT_LIMIT, WEIGHT_LIMIT).astype(np.int8),
        bias=integers(layer.bias, exponents_O).astype(np.int32),
        shift=(exponents_O - layer.out_exponents).numpy().astype(np.int8),
    )


def check_pixels(family: PixelFamily, model: PixelModel, held: PlaneSet) -> None:
    """Compare both models' code lengths on held-out images, from frequencies.

    Raises DefectError where they differ.
    """
    count = max(1, min(len(held), CHECKED_PIXELS // held.planes_NCHW[0].size))
    chosen = np.arange(count)
    planes_NCHW = held.planes_NCHW[:count]
    expected_N = np.zeros(count)
    planes = held.tensors(chosen)
    family.eval()
    for number, (net, plane) in enumerate(zip(family.planes(), model.planes, strict=True)):
        is_quiet = held.classes_NCHW[:count, number] == 0
        others = planes_NCHW[:, number] != plane.background
        quiet = np.broadcast_to(plane.quiet, is_quiet.shape[1:])
        odds = np.where(others, (1 << TOTAL_BITS) - quiet, quiet)
        expected_N += np.where(is_quiet, TOTAL_BITS - np.log2(odds), 0).sum(axis=(1, 2))
        every = held.every_pixel(chosen)
        awake = ~torch.from_numpy(is_quiet[every.image, every.y, every.x])
        pixels = Pixels(image=every.image[awake], y=every.y[awake], x=every.x[awake])
        with torch.no_grad():
            hidden, relative = net.trunk(planes[: number + 1], every, quantized=True)
            exponents = net.layers[-1].out_exponents  # pyright: ignore[reportArgumentType]
            flag = net.flag.logits(net.flag(hidden[awake], exponents, [0], quantized=True), quantized=True)
            values = planes[number][every.image, every.y, every.x]
            which = (values != net.background).nonzero()[:, 0]
            high, low = net.values(
                hidden[which], planes[number], every, which, values[which], relative[which], quantized=True
            )
        image, y, x = (index.numpy() for index in (pixels.image, pixels.y, pixels.x))
        logits = np.concatenate([np.zeros((1, len(image)), np.float32), flag.numpy().T * LOGIT_STEPS])
        np.add.at(expected_N, image, _bits(logits, others[image, y, x].astype(np.int64)))
        image = every.image.numpy()[which.numpy()]
        chosen_values = values[which].numpy()
        np.add.at(expected_N, image, _bits(high.numpy().T * LOGIT_STEPS, chosen_values >> HALF_BITS))
        np.add.at(expected_N, image, _bits(low.numpy().T * LOGIT_STEPS, chosen_values & (HALF - 1)))
    family.train()
    bits_N = NumpyPixelCoder(model).bits(from_planes(planes_NCHW))
    if not np.allclose(bits_N, expected_N, rtol=1e-9, atol=1e-6):
        worst = int(np.abs(bits_N - expected_N).argmax())
        raise DefectError(f"image {worst} takes {bits_N[worst]} bits frozen, {expected_N[worst]} before")


def _bits(logits_An: NDArray[np.float32], symbols_n: NDArray[np.int64]) -> NDArray[np.float64]:
    return TOTAL_BITS - np.log2(frequencies(logits_An)[symbols_n, np.arange(len(symbols_n))])
