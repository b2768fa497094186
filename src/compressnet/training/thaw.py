"""The opposite of the freeze: the weights of a frozen network, as floats, into a model that is to be trained on.

A network's integers determine what it computes, not the scale that each register had in training; that is free, as a
leaky ReLU passes positive factors through. So hidden registers get one exponent for all (`HIDDEN_EXPONENT`), until the
training calibrates them anew.

The model may be larger than the network: more symbols, units and residual blocks. What is added starts without an
influence on what was there (Net2Net, Chen et al., arXiv:1511.05641): new columns of old rows, and the ends of new
residual blocks, are zero; new rows keep their random start.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from compressnet.bundle import Network
from compressnet.errors import InputError
from compressnet.exact import ANCHOR_STEP, ANCHORS, Node, Program
from compressnet.masked import MaskedPrior, layer_matrices
from compressnet.training.architecture import SYMBOL_EXPONENT
from compressnet.training.distributions import MEAN_EXPONENT, SCALE_EXPONENT, WEIGHT_EXPONENT
from compressnet.training.layers import Weighted
from compressnet.training.masked import MaskedPrior as TorchMaskedPrior
from compressnet.training.model import Model
from compressnet.training.networks import GAIN_EXPONENT
from compressnet.training.networks import Network as TorchNetwork

HIDDEN_EXPONENT = 5
NEW_SYMBOLS_GAIN = 0.1
"""Rows of latents that are new start this much smaller, so that they cost next to nothing at first."""
_OUTPUT_EXPONENTS = (MEAN_EXPONENT, SCALE_EXPONENT, MEAN_EXPONENT, SCALE_EXPONENT, WEIGHT_EXPONENT)


def thaw(network: Network, model: Model) -> None:
    """Fill a model with a frozen network's weights, gains and lambdas.

    Raises InputError where the network has no encoder, is of another kind of images, or does not fit into the model.
    """
    if network.encoder is None or network.lambdas is None:
        raise InputError("training cannot go on from a codec without its encoder")
    if network.kind != model.kind:
        raise InputError(f"the codec is for images of {network.kind}, not {model.kind}")
    if not isinstance(network.prior, MaskedPrior) or not isinstance(model.prior, TorchMaskedPrior):
        raise InputError("training goes on only from networks with a masked entropy model")
    with torch.no_grad():
        model.lambdas.copy_(torch.tensor(network.lambdas))
        _thaw_program(network.encoder, model.g_a)
        _thaw_program(network.decoder, model.g_s)
        _thaw_gains(network, model)
        _thaw_prior(network.prior, model.prior)


def _place(target: Tensor, source: NDArray[np.floating], rows: NDArray[np.integer] | None = None) -> None:
    """Copy a matrix (O,I,...) over the first columns of some rows; those rows' other columns become 0."""
    rows_O = torch.arange(len(source)) if rows is None else torch.from_numpy(rows)
    if len(source) > len(target) or source.shape[1] > target.shape[1] or source.shape[2:] != tuple(target.shape[2:]):
        raise InputError(f"a layer of shape {source.shape} does not fit into one of {tuple(target.shape)}")
    block = torch.zeros(len(source), *target.shape[1:])
    block[:, : source.shape[1]] = torch.tensor(source, dtype=torch.float32)
    target[rows_O] = block


def _real(values: NDArray[np.integer], exponents_O: NDArray[np.floating]) -> NDArray[np.float64]:
    """Integers (O,...) times each output's step."""
    return values.astype(np.float64) * np.exp2(-exponents_O).reshape(-1, *([1] * (values.ndim - 1)))


def _thaw_program(program: Program, target: TorchNetwork) -> None:
    nodes: dict[str, Node] = {node.output: node for node in program.nodes if node.op in ("conv", "dense")}
    for name in target.channels:
        target.exponents[name] = torch.tensor(float(HIDDEN_EXPONENT))
    formats = target.register_formats()
    layers = {layer.output: layer for layer in target.layers if layer.op in ("conv", "dense")}
    if not set(nodes) <= set(layers):
        raise InputError(f"the codec's network has layers that the design lacks: {sorted(set(nodes) - set(layers))}")
    for name, layer in layers.items():
        weighted = target.weighted[name.replace(".", "_")]
        assert isinstance(weighted, Weighted)
        node = nodes.get(name)
        if node is None:
            if name.endswith(".b") or name == "local":
                nn.init.zeros_(weighted.weight)
            continue
        into, out = float(formats[layer.inputs[0]][0]), float(formats[name][0])
        exponents_O = node.arrays["shift"].astype(np.float64) + out
        weight = _real(node.arrays["weight"], exponents_O - into)
        if name in ("vector", "grid"):
            weighted.weight *= NEW_SYMBOLS_GAIN
        _place(weighted.weight, weight)
        _place_bias(weighted.bias, _real(node.arrays["bias"].T, exponents_O).T, np.arange(len(weight)))


def _place_bias(target_AO: Tensor, source_AO: NDArray[np.floating], columns: NDArray[np.integer]) -> None:
    if len(source_AO) not in (1, len(target_AO)):
        raise InputError("a bias by quality does not fit into one that is the same at all")
    target_AO[:, torch.from_numpy(columns)] = torch.tensor(source_AO, dtype=torch.float32)


def _thaw_gains(network: Network, model: Model) -> None:
    """Gains at the anchors; new symbols get the mean of the old ones of their kind."""
    assert network.encoder is not None
    anchors = np.arange(ANCHORS) * ANCHOR_STEP
    for gain, node in (
        (model.levels.encode_gain, network.encoder.nodes[-1]),
        (model.levels.decode_gain, network.decoder.nodes[0]),
    ):
        log2_AS = np.log2(node.arrays["table"][anchors].astype(np.float64) / 2**GAIN_EXPONENT)
        repeats, wanted = node.arrays["repeats"], model.levels.repeats.numpy()
        for size in np.unique(wanted):
            new, old = np.flatnonzero(wanted == size), np.flatnonzero(repeats == size)
            if len(old) > len(new):
                raise InputError("the codec's network has more symbols than the design")
            spread = log2_AS[:, old] if len(old) else log2_AS
            columns = np.repeat(spread.mean(axis=1, keepdims=True), len(new), axis=1)
            columns[:, : len(old)] = log2_AS[:, old]
            gain[:, torch.from_numpy(new)] = torch.tensor(columns, dtype=torch.float32)


def _thaw_prior(prior: MaskedPrior, target: TorchMaskedPrior) -> None:
    """Groups, one after the other; each has to be as large as the model's group of the same number."""
    sizes, units = prior.group_symbols.tolist(), prior.group_units.tolist()
    if sizes != [len(group) for group in target.groups[: len(sizes)]] or units != target.hidden[: len(units)]:
        raise InputError("the groups of the codec's entropy model are not the first ones of the design's")
    total = len(target.order)
    target.exponents = {"hidden1": HIDDEN_EXPONENT, "hidden2": HIDDEN_EXPONENT}
    kinds = np.array(_OUTPUT_EXPONENTS, np.float64)
    into_of_layer = (SYMBOL_EXPONENT, HIDDEN_EXPONENT, HIDDEN_EXPONENT)
    frozen_layers = (prior.hidden1, prior.hidden2, prior.output)
    for number, (layer, frozen, matrices, into) in enumerate(
        zip(target.layers(), frozen_layers, layer_matrices(prior), into_of_layer, strict=True)
    ):
        first_symbol = first_row = 0
        for group, matrix in enumerate(matrices):
            count = len(matrix)
            if number < 2:
                rows, out = first_row + np.arange(count), np.full(count, float(HIDDEN_EXPONENT))
            else:
                in_group = first_symbol + np.arange(sizes[group])
                rows = np.concatenate([in_group + kind * total for kind in range(len(kinds))])
                out = np.repeat(kinds, sizes[group])
            exponents_O = frozen.shift[first_row : first_row + count].astype(np.float64) + out
            _place(layer.weight, _real(matrix, exponents_O - into), rows)
            _place_bias(layer.bias, _real(frozen.bias[:, first_row : first_row + count].T, exponents_O).T, rows)
            first_symbol, first_row = first_symbol + sizes[group], first_row + count
