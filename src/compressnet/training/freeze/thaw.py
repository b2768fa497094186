"""The opposite of the freeze: a frozen network becomes a torch model that computes the same.

A network's integers determine what it computes, but not the scale that each register had in
training. The scale is free, as a leaky ReLU passes positive factors through; so all hidden
registers get one exponent (`HIDDEN_EXPONENT`). Gains are taken over as tables.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from compressnet.codec.bundle import Bundle, make_bundle
from compressnet.codec.file import to_bytes
from compressnet.errors import InputError
from compressnet.images.kinds import Kind
from compressnet.lossy.context import ContextPrior
from compressnet.lossy.masked import MaskedPrior, layer_matrices
from compressnet.lossy.sizeless import AnyNetwork, SizelessNetwork
from compressnet.networks.program import Node, Program
from compressnet.training.freeze.lossy import AGAIN, FIRST, PROMOTED
from compressnet.training.lossy.design import Design
from compressnet.training.lossy.networks.context_module import ContextModule, Neighbourhood
from compressnet.training.lossy.networks.distributions import OUTPUT_EXPONENTS, output_exponents
from compressnet.training.lossy.networks.formats import GAIN_EXPONENT, SYMBOL_EXPONENT
from compressnet.training.lossy.networks.layer_list import Layer
from compressnet.training.lossy.networks.layers import Weighted
from compressnet.training.lossy.networks.masked_module import MaskedModule
from compressnet.training.lossy.networks.model import Model
from compressnet.training.lossy.networks.trainable_network import TrainableNetwork
from compressnet.training.lossy.networks.widths import Widths

HIDDEN_EXPONENT = 5


def design_of(network: AnyNetwork, name: str) -> Design:
    """The design that a frozen network was trained with.

    With a refinement added, unless it is without a size.

    Raises InputError for a network without an encoder.
    """
    if network.encoder is None:
        raise InputError("a codec without its encoder has nothing to refine")
    encoder, decoder, prior = _weights(network.encoder), _weights(network.decoder), network.prior
    repeats = prior.dequantize.arrays["repeats"]
    is_sizeless = isinstance(network, SizelessNetwork)
    vector = 0 if is_sizeless else int((repeats == 1).sum())
    widths = Widths(
        fine=len(encoder["fine0"]),
        coarse=len(encoder["coarse0"]),
        deep=len(encoder["deep0"]) if "deep0" in encoder else 0,
        dense=len(decoder["dense"]) if vector else 0,
        vector=vector,
        grid=len(repeats) - vector,
        fine_blocks=_blocks(decoder, "fine"),
        coarse_blocks=_blocks(decoder, "coarse"),
        deep_blocks=_blocks(decoder, "deep") or 1,
        analysis_blocks=_blocks(encoder, "coarse"),
        analysis_dense=len(encoder["dense"]) if vector else 0,
        dense_blocks=_blocks(decoder, "dense"),
        analysis_dense_blocks=_blocks(encoder, "dense"),
        patch_px=_patch_px(network.encoder),
        channels=network.channels if is_sizeless else len(encoder.get(PROMOTED, ())),
        positions=not is_sizeless,
        refined=not is_sizeless,
        linear=any(name.endswith(".straight") for name in encoder),
    )
    if isinstance(prior, ContextPrior):
        units, has_pyramid = len(prior.slices[0].weight), prior.pyramid is not None
        widths = replace(widths, slices=len(prior.slices), hidden_slice=units, pyramid=has_pyramid)
    else:
        widths = replace(widths, **_masked_widths(cast("MaskedPrior", prior), vector))
    return Design(name=name, widths=widths, qualities=network.qualities, log_lambda=(0.0, 0.0, 0.0), origin=0)


def _patch_px(program: Program) -> int:
    """How many pixels of a side the encoder's first layer takes together."""
    return next(node.attributes["factor"] for node in program.nodes if node.op == "unshuffle")


def _weights(program: Program) -> dict[str, NDArray[np.integer]]:
    """Weights by register, without those of an earlier refinement."""
    nodes = (node for node in program.nodes if node.op in ("conv", "dense"))
    return {node.output: node.arrays["weight"] for node in nodes if not node.output.startswith((FIRST, AGAIN))}


def _blocks(weights: Mapping[str, NDArray[np.integer]], step: str) -> int:
    number = 0
    while f"{step}{number + 1}.a" in weights:
        number += 1
    return number


def _masked_widths(prior: MaskedPrior, vector: int) -> dict[str, int]:
    sizes, units = prior.group_symbols.tolist(), prior.group_units.tolist()
    ahead = next((i for i in range(len(sizes) + 1) if sum(sizes[:i]) == vector), 0)
    found = {"vector_group": max(sizes[:ahead], default=1)}
    if ahead:
        found["hidden_vector"] = units[0]
    if ahead < len(units):
        found["hidden_grid"] = units[-1]
    return found


def hash_of(network: AnyNetwork) -> str:
    """SHA-256 of all of a frozen network, in hexadecimal."""
    bundle: Bundle = make_bundle((network,), name="", default_quality=network.qualities[0], about="")
    return hashlib.sha256(to_bytes(bundle)).hexdigest()


def thaw(network: AnyNetwork, design: Design, kind: Kind | None = None) -> Model:
    """A model that computes what a frozen network does; its refinement does not take part yet.

    design: `design_of` the network. kind: of the model's images, for a network without a size.
    Raises InputError if the network's layers are not the design's.
    """
    assert network.encoder is not None
    assert network.lambdas is not None
    model = Model(kind or network.kind, design.widths, design.lambdas())
    model.bound_QS = network.encoder.nodes[-1].arrays["bound"].astype(np.int64)
    with torch.no_grad():
        model.lambdas.copy_(torch.tensor(network.lambdas))
        _thaw_program(network.encoder, model.g_a)
        _thaw_program(network.decoder, model.g_s)
        tables = (network.encoder.nodes[-1].arrays["table"], network.decoder.nodes[0].arrays["table"])
        encode, decode, inverse = (
            torch.tensor(table.astype(np.float32) / 2**GAIN_EXPONENT) for table in (*tables, network.prior.inverse_gain)
        )
        model.gains.fixed = encode, decode, inverse
        if isinstance(network.prior, MaskedPrior):
            _thaw_masked(network.prior, cast("MaskedModule", model.prior))
        else:
            _thaw_context(cast("ContextPrior", network.prior), cast("ContextModule", model.prior))
    return model


def _real(integers: NDArray[np.integer], exponents_O: NDArray[np.floating]) -> Tensor:
    """Integers (O,...) times each output's step 2^-exponent."""
    steps_O = np.exp2(-exponents_O).reshape(-1, *([1] * (integers.ndim - 1)))
    return torch.tensor(integers.astype(np.float64) * steps_O, dtype=torch.float32)


def _thaw_layer(
    target: Weighted | Neighbourhood, arrays: Mapping[str, NDArray[np.integer]], into: float, out: float | Tensor
) -> NDArray[np.float64]:
    """Fill weight and bias. Returns the exponents of the sums, (O,).

    into, out: exponents of the inputs and of the outputs.
    """
    exponents_O = arrays["shift"].astype(np.float64) + np.asarray(out, np.float64)
    weight, bias = _real(arrays["weight"], exponents_O - into), _real(arrays["bias"].T, exponents_O).T
    if weight.shape != target.weight.shape or bias.shape != target.bias.shape:
        raise InputError("the network's layers are not those that training makes; it cannot be refined")
    target.weight.copy_(weight)
    target.bias.copy_(bias)
    target.limit = _limit(arrays["weight"])
    return exponents_O


def _limit(weight: NDArray[np.integer]) -> int:
    """The largest magnitude, so that the layer chooses the same exponents again.

    With finer ones, biases between the anchors would be rounded differently.
    """
    return max(1, int(np.abs(weight.astype(np.int64)).max()))


def _thaw_program(program: Program, target: TrainableNetwork) -> None:
    nodes: dict[str, Node] = {node.output: node for node in program.nodes}
    target.exponents |= {step: torch.tensor(float(HIDDEN_EXPONENT)) for step in target.channels}
    formats = target.register_formats()
    layers: dict[str, Layer] = {layer.output: layer for layer in target.layers if layer.op in ("conv", "dense")}
    if not set(layers) <= set(nodes):
        raise InputError("the network's layers are not those that training makes; it cannot be refined")
    for name, layer in layers.items():
        weighted = cast("Weighted", target.weighted[name.replace(".", "_")])
        _thaw_layer(weighted, nodes[name].arrays, float(formats[layer.inputs[0]][0]), float(formats[name][0]))


def _thaw_masked(prior: MaskedPrior, target: MaskedModule) -> None:
    sizes = prior.group_symbols.tolist()
    total = len(target.order)
    target.exponents = {"hidden1": HIDDEN_EXPONENT, "hidden2": HIDDEN_EXPONENT}
    into_of_layer = (SYMBOL_EXPONENT, HIDDEN_EXPONENT, HIDDEN_EXPONENT)
    frozen_layers = (prior.hidden1, prior.hidden2, prior.output)
    for number, (layer, frozen, matrices, into) in enumerate(
        zip(target.layers(), frozen_layers, layer_matrices(prior), into_of_layer, strict=True)
    ):
        nn.init.zeros_(layer.weight)
        layer.limit = _limit(frozen.weight)
        symbol = row = 0
        for size, matrix in zip(sizes, matrices, strict=True):
            rows, out = np.arange(row, row + len(matrix)), np.full(len(matrix), float(HIDDEN_EXPONENT))
            if number == 2:
                in_group = np.arange(symbol, symbol + size)
                rows = np.concatenate([in_group + kind * total for kind in range(len(OUTPUT_EXPONENTS))])
                out = output_exponents(size).numpy().astype(np.float64)
            part = slice(row, row + len(matrix))
            exponents_O = frozen.shift[part].astype(np.float64) + out
            layer.weight[torch.from_numpy(rows), : matrix.shape[1]] = _real(matrix, exponents_O - into)
            layer.bias[:, torch.from_numpy(rows)] = _real(frozen.bias[:, part].T, exponents_O).T
            symbol, row = symbol + size, part.stop


def _thaw_context(prior: ContextPrior, target: ContextModule) -> None:
    target.exponents = {"hidden1": HIDDEN_EXPONENT, "hidden2": HIDDEN_EXPONENT}
    parts = list(zip(prior.slices, target.sizes, strict=True))
    if prior.pyramid is not None:
        parts.append((prior.pyramid, target.sizes[0]))
    for number, (part, size) in enumerate(parts):
        first = cast("Neighbourhood", target.layer1[number])
        arrays = {"weight": part.weight, "bias": part.bias, "shift": part.shift}
        exponents_O = _thaw_layer(first, arrays, SYMBOL_EXPONENT, HIDDEN_EXPONENT)
        for name in ("phase", "row", "column"):
            getattr(first, name).copy_(_real(getattr(part, name).T, exponents_O).T)
        for layers, dense, out in (
            (target.layer2, part.hidden, float(HIDDEN_EXPONENT)),
            (target.layer3, part.output, output_exponents(size)),
        ):
            arrays = {"weight": dense.weight, "bias": dense.bias, "shift": dense.shift}
            _thaw_layer(cast("Weighted", layers[number]), arrays, HIDDEN_EXPONENT, out)
