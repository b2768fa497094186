"""The freeze of a model of several kinds: one integer network without a size.

The forms of such a model differ in shapes alone. The network is written for one tile, and checked
against several forms.

Axes: N images, G channels of the grid, S segments, Q qualities.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from compressnet.images.kinds import Images
from compressnet.lossy.context import ContextPrior, ContextSlice
from compressnet.lossy.instances import probe_of
from compressnet.lossy.prior_arrays import DEQUANTIZED
from compressnet.lossy.probe import SizelessProbe
from compressnet.lossy.promotion import served_channels
from compressnet.lossy.sizeless import SMALLEST_GRID, SizelessNetwork, prove_sizeless
from compressnet.networks.numpy import NumpyBackend
from compressnet.networks.program import Node, Program
from compressnet.training.common.quantize import Integers
from compressnet.training.freeze.check import check_frozen
from compressnet.training.freeze.lossy import dequantizing, gain_tables, joined, node_of, quantizing
from compressnet.training.freeze.prior import freeze_prior
from compressnet.training.lossy.networks.formats import PIXEL_LIMIT, SYMBOL_BOUND
from compressnet.training.lossy.networks.model import Model

CHECKED_FORMS = 8
CHECKED_VALUES = 40_000
"""Pixels times channels on which the network is compared with a form."""


def freeze_sizeless(
    forms: Sequence[Model], samples: Sequence[Images], qualities: tuple[int, int], bound_QS: Integers
) -> SizelessNetwork:
    """The integer network of a trained model's forms, checked against some of them in float64.

    samples: images (N,H,W,C) for each form, like those of the training. qualities: the lowest and
    the highest that it is to code. bound_QS: the alphabets of all forms. Raises DefectError where
    the frozen network differs from the model, which is a bug.
    """
    network = with_own_probe(_frozen(forms[0], qualities, bound_QS))
    order = sorted(range(len(forms)), key=lambda i: (forms[i].kind[2], forms[i].kind))
    chosen = np.unique(np.linspace(0, len(order) - 1, CHECKED_FORMS).astype(int))
    for i in (order[place] for place in chosen):
        form = copy.deepcopy(forms[i]).eval()
        form.refresh_exponents()
        few = samples[i][: max(2, CHECKED_VALUES // samples[i][0].size)]
        check_frozen(form, network.at(form.kind), few, bound_QS)
    return network


def with_own_probe(network: SizelessNetwork) -> SizelessNetwork:
    """The network with its probe."""
    return replace(network, probe=probe_of(network, NumpyBackend()))


def _frozen(model: Model, qualities: tuple[int, int], bound_QS: Integers) -> SizelessNetwork:
    """The network, its probe still empty."""
    tile_px, channels = model.widths.tile_px, model.inner_kind[2]
    side_px = SMALLEST_GRID * tile_px
    model = copy.deepcopy(model).eval().for_kind((side_px, side_px, channels))
    model.refresh_exponents()
    encode, decode, inverse = gain_tables(model)
    repeats = np.ones(model.widths.grid, np.int32)
    dequantize = dequantizing(repeats, decode)
    grid = {"channels": model.widths.grid, "height": 1, "width": 1}
    decoder = Program(
        nodes=(
            dequantize,
            Node(op="reshape", inputs=(DEQUANTIZED,), output="grid", attributes=grid),
            *(node_of(model.g_s, layer) for layer in model.g_s.layers),
        ),
        input_range=(-SYMBOL_BOUND, SYMBOL_BOUND),
        input_shape=(model.widths.grid,),
    )
    encoder = Program(
        nodes=(
            *(node_of(model.g_a, layer) for layer in model.g_a.layers),
            joined(model, "latents"),
            quantizing("latents", repeats, encode, bound_QS),
        ),
        input_range=(0, PIXEL_LIMIT),
        input_shape=(channels, tile_px, tile_px),
    )
    prior = freeze_prior(model, dequantize, inverse, bound_QS)
    assert isinstance(prior, ContextPrior)
    none = np.zeros((2, 32), np.uint8)
    network = SizelessNetwork(
        channels=channels,
        served=served_channels(channels),
        tile_px=tile_px,
        qualities=qualities,
        encoder=encoder,
        decoder=decoder,
        prior=_for_one_place(prior),
        probe=SizelessProbe(encoded=none, frequencies=none, pixels=none),
        lambdas=model.lambdas.numpy().astype(np.float32),
    )
    prove_sizeless(network)
    return network


def _for_one_place(prior: ContextPrior) -> ContextPrior:
    """An entropy model as a network without a size has it."""
    none = np.zeros(0, np.int32)
    grid = np.array([prior.grid[0], 1, 1], np.int32)
    slices = tuple(_without_places(part) for part in prior.slices)
    pyramid = None if prior.pyramid is None else _without_places(prior.pyramid)
    return replace(prior, order=none, group_symbols=none, grid=grid, slices=slices, pyramid=pyramid)


def _without_places(part: ContextSlice) -> ContextSlice:
    return replace(part, row=part.row[:1], column=part.column[:1])
