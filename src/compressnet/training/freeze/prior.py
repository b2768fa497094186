"""The freeze of one layer, and of either entropy model.

Axes: A anchor qualities, Q qualities, S segments, G groups, O outputs.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from compressnet.coding.mixture import MEAN_STEPS, make_tables
from compressnet.lossy.context import ContextPrior, ContextSlice
from compressnet.lossy.masked import MaskedPrior
from compressnet.lossy.prior import MEAN_SHIFT, OUTPUTS, Prior
from compressnet.networks.dense import HIDDEN_HIGH, DenseLayer
from compressnet.networks.program import Node
from compressnet.training.common.quantize import Integers, integers, integers_scale, weight_exponents
from compressnet.training.lossy.networks.context_module import ContextModule, Neighbourhood
from compressnet.training.lossy.networks.distributions import MEAN_EXPONENT, SCALE_EXPONENT, output_exponents
from compressnet.training.lossy.networks.formats import DEQUANTIZED_LIMIT, GAIN_EXPONENT, SYMBOL_EXPONENT
from compressnet.training.lossy.networks.layers import Weighted
from compressnet.training.lossy.networks.masked_module import MaskedModule
from compressnet.training.lossy.networks.model import Model

assert 2**MEAN_SHIFT * MEAN_STEPS == 2 ** (GAIN_EXPONENT + MEAN_EXPONENT)


def frozen_layer(
    layer: Weighted, weight: torch.Tensor, in_exponents: torch.Tensor, out_exponents: torch.Tensor, in_largest: int
) -> tuple[NDArray[np.int8], NDArray[np.int32], NDArray[np.int8]]:
    """Weight, bias and shift of a layer as integers."""
    scaled = weight * integers_scale(weight, in_exponents)
    exponents_O = weight_exponents(scaled, layer.bias, out_exponents, in_largest, layer.limit)
    per_row = exponents_O.reshape(-1, *([1] * (weight.dim() - 1)))
    shift = exponents_O - out_exponents
    return (
        np.clip(integers(scaled, per_row), -layer.limit, layer.limit).astype(np.int8),
        integers(layer.bias, exponents_O).astype(np.int32),
        shift.numpy().astype(np.int8),
    )


def scale_offsets(inverse: NDArray[np.integer]) -> NDArray[np.int16]:
    """What the reciprocals of the decoder's gains add to log2 scales, in their steps: (100,S)."""
    return np.floor(2**SCALE_EXPONENT * np.log2(inverse / 2**GAIN_EXPONENT) + 0.5).astype(np.int16)


def freeze_prior(model: Model, dequantize_node: Node, inverse: Integers, bound_QS: Integers) -> Prior:
    """The entropy model in integers. inverse: reciprocals of the decoder's gains, (100,S)."""
    repeats = model.gains.repeats.numpy()
    segment = np.repeat(np.arange(len(repeats)), repeats)
    groups = model.prior.groups
    bound_QG = np.stack([bound_QS[:, np.unique(segment[group])].max(axis=1) for group in groups], axis=1)
    common: dict[str, Any] = {
        "order": model.prior.order.numpy().astype(np.int32),
        "group_symbols": np.array([len(group) for group in groups], np.int32),
        "dequantize": dequantize_node,
        "inverse_gain": inverse.astype(np.int16),
        "scale_offset": scale_offsets(inverse),
        "bound": bound_QG.astype(np.int16),
        "tables": make_tables(),
    }
    if isinstance(model.prior, ContextModule):
        return _freeze_context(model.prior, common)
    return _freeze_masked(model.prior, common)


def _freeze_masked(prior: MaskedModule, common: dict[str, Any]) -> MaskedPrior:
    sizes, units = common["group_symbols"], np.array(prior.units, np.int32)
    symbol_ends, unit_ends = np.cumsum(sizes), np.cumsum(units)
    total = int(sizes.sum())
    symbol, hidden1, hidden2 = (
        torch.tensor(float(exponent))
        for exponent in (SYMBOL_EXPONENT, prior.exponents["hidden1"], prior.exponents["hidden2"])
    )
    formats = [
        (symbol, DEQUANTIZED_LIMIT, hidden1),
        (hidden1, HIDDEN_HIGH, hidden2),
        (hidden2, HIDDEN_HIGH, output_exponents(total)),
    ]
    rows_of_group = [
        [np.arange(end - size, end) for end, size in zip(unit_ends, units, strict=True)],
        [np.arange(end - size, end) for end, size in zip(unit_ends, units, strict=True)],
        [
            np.concatenate([np.arange(end - size, end) + kind * total for kind in range(OUTPUTS)])
            for end, size in zip(symbol_ends, sizes, strict=True)
        ],
    ]
    seen = [symbol_ends - sizes, unit_ends, unit_ends]
    frozen: list[DenseLayer] = []
    masks = (prior.mask1, prior.mask2, prior.mask3)
    for layer, mask, (in_exponent, largest, out_exponent), rows, columns in zip(
        prior.layers(), masks, formats, rows_of_group, seen, strict=True
    ):
        weight, bias, shift = frozen_layer(layer, layer.weight * mask, in_exponent, out_exponent, largest)
        order = np.concatenate(rows)
        packed = [weight[row, :count].ravel() for row, count in zip(rows, columns, strict=True)]
        frozen.append(
            DenseLayer(
                weight=np.concatenate(packed),
                bias=np.ascontiguousarray(bias[:, order]),
                shift=np.ascontiguousarray(shift[order]),
            )
        )
    return MaskedPrior(**common, group_units=units, hidden1=frozen[0], hidden2=frozen[1], output=frozen[2])


def _freeze_context(prior: ContextModule, common: dict[str, Any]) -> ContextPrior:
    """The convolutional entropy model in integers. common: what both entropy models have."""
    hidden1, hidden2 = (torch.tensor(float(prior.exponents[name])) for name in ("hidden1", "hidden2"))
    slices: list[ContextSlice] = []
    for number, (_, size) in enumerate(prior.spans):
        first = cast("Neighbourhood", prior.layer1[number])
        scaled = first.weight * 2.0**-SYMBOL_EXPONENT
        exponents_O = weight_exponents(scaled, first.largest_bias(), hidden1, DEQUANTIZED_LIMIT, first.limit)
        per_row = exponents_O.reshape(-1, 1, 1, 1)
        biases = {
            name: integers(getattr(first, name), exponents_O).astype(np.int32)
            for name in ("bias", "phase", "row", "column")
        }
        for name, places in zip(("row", "column"), prior.grid[1:], strict=True):
            biases[name] = np.broadcast_to(biases[name], (places, biases[name].shape[1])).copy()
        dense: list[DenseLayer] = []
        for layers, into, out in (
            (prior.layer2, hidden1, hidden2),
            (prior.layer3, hidden2, output_exponents(size)),
        ):
            layer = cast("Weighted", layers[number])
            weight, bias, shift = frozen_layer(layer, layer.weight, into, out, HIDDEN_HIGH)
            dense.append(DenseLayer(weight=weight, bias=bias, shift=shift))
        slices.append(
            ContextSlice(
                **biases,
                weight=np.clip(integers(scaled, per_row), -first.limit, first.limit).astype(np.int8),
                shift=(exponents_O - hidden1).numpy().astype(np.int8),
                hidden=dense[0],
                output=dense[1],
            )
        )
    return ContextPrior(
        **common,
        grid=np.array(prior.grid, np.int32),
        slice_channels=np.array(prior.sizes, np.int32),
        slices=tuple(slices[: len(prior.sizes)]),
        pyramid=slices[-1] if prior.has_pyramid else None,
    )
