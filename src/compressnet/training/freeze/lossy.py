"""The freeze: a trained, fake-quantized model becomes an integer network that computes the same.

Weights become int8, biases int32, exponents shifts. The integer programs are proved to stay where
float32 is exact (`compressnet.networks.proof`), then run on real images beside the torch model in
float64 (`compressnet.training.freeze.check`).

Axes: N images, H rows, W columns, C channels, S segments (symbols that share a gain).
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from compressnet.images.alpha import fill_hidden
from compressnet.images.kinds import Images, Kind
from compressnet.lossy.coder import CodecNetwork
from compressnet.lossy.network import Network
from compressnet.lossy.prior_arrays import DEQUANTIZED
from compressnet.lossy.probe import Probe
from compressnet.networks.numpy import NumpyBackend
from compressnet.networks.program import QUALITIES, Node, Program
from compressnet.training.common.quantize import Integers, integers
from compressnet.training.freeze.check import check_frozen
from compressnet.training.freeze.prior import freeze_prior, frozen_layer
from compressnet.training.lossy.networks.formats import (
    DEQUANTIZED_LIMIT,
    GAIN_EXPONENT,
    LATENT_EXPONENT,
    LATENT_RANGE,
    PIXEL_LIMIT,
    SYMBOL_BOUND,
    SYMBOL_EXPONENT,
)
from compressnet.training.lossy.networks.layer_list import Layer
from compressnet.training.lossy.networks.layers import Weighted
from compressnet.training.lossy.networks.model import Model
from compressnet.training.lossy.networks.pixels import to_pixels
from compressnet.training.lossy.networks.trainable_network import TrainableNetwork

CHECKED_VALUES = 100_000
"""Pixels times channels on which a frozen network is compared with its model."""
BOUNDED_VALUES = 1_600_000
"""Pixels times channels over which the alphabets are measured."""
PROBE_IMAGES = 4


def node_of(network: TrainableNetwork, layer: Layer) -> Node:
    """One layer as an integer node."""
    arrays: dict[str, NDArray[Any]] = {}
    attributes = dict(layer.attributes)
    if layer.op in ("conv", "dense"):
        in_exponents, in_largest = network.register_formats()[layer.inputs[0]]
        weighted = cast("Weighted", network.weighted[layer.output.replace(".", "_")])
        frozen = frozen_layer(weighted, weighted.weight, in_exponents, network.output_exponents(layer), in_largest)
        arrays = dict(zip(("weight", "bias", "shift"), frozen, strict=True))
    return Node(
        op=layer.op,
        inputs=layer.inputs,
        output=layer.output,
        attributes=attributes,
        activation=layer.activation,
        low=layer.clamp[0],
        high=layer.clamp[1],
        arrays=arrays,
    )


def gain_tables(model: Model) -> tuple[Integers, Integers, Integers]:
    """Integer gains (100,S): the encoder's, the decoder's, and the reciprocals of the latter."""
    encode, decode, inverse = (integers(table, GAIN_EXPONENT) for table in model.gains.tables(quantized=True))
    return encode, decode, inverse


def _gain_node(source: str, output: str, shift: int, limit: int, arrays: dict[str, NDArray[Any]]) -> Node:
    return Node(
        op="gain",
        inputs=(source,),
        output=output,
        low=-limit,
        high=limit,
        arrays=arrays | {"shift": np.array([shift], np.int8)},
    )


def quantizing(latents: str, repeats: NDArray[np.int32], encode: Integers, bound_QS: Integers) -> Node:
    """The encoder's last node: latents to symbols within their alphabets."""
    arrays = {"repeats": repeats, "bound": bound_QS.astype(np.int16), "table": encode.astype(np.int16)}
    return _gain_node(latents, "y", LATENT_EXPONENT + GAIN_EXPONENT, SYMBOL_BOUND, arrays)


def dequantizing(repeats: NDArray[np.int32], decode: Integers) -> Node:
    """The decoder's first node: symbols to what the networks see."""
    arrays = {"repeats": repeats, "table": decode.astype(np.int16)}
    return _gain_node("x", DEQUANTIZED, GAIN_EXPONENT - SYMBOL_EXPONENT, DEQUANTIZED_LIMIT, arrays)


def alphabets(model: Model, images_NHWC: Images, qualities: tuple[int, int], values: int = BOUNDED_VALUES) -> Integers:
    """One more than the largest symbol of these images, by quality and segment: (100,S).

    values: pixels times channels of the images that are looked at, about.
    """
    low, high = qualities
    measured = sorted({*range(low, high + 1, 9), low, high})
    few = images_NHWC[: max(1, values // images_NHWC[0].size)]
    return _bounds(model.eval(), few, model.gains.repeats.numpy(), measured)


def _bounds(model: Model, images_NHWC: Images, repeats: NDArray[np.int64], qualities: Sequence[int]) -> Integers:
    measured = np.zeros((len(qualities), len(repeats)))
    starts = np.concatenate([[0], np.cumsum(repeats)[:-1]])
    with torch.no_grad():
        for row, quality in enumerate(qualities):
            for i in range(0, len(images_NHWC), 500):
                x = to_pixels(images_NHWC[i : i + 500], torch.float32)
                k_BD = model.symbols_of(x, torch.full((len(x),), quality), quantized=True)
                largest_D = k_BD.abs().amax(dim=0).numpy()
                measured[row] = np.maximum(measured[row], np.maximum.reduceat(largest_D, starts))
    spread = [np.interp(np.arange(QUALITIES), qualities, column) for column in measured.T]
    bounds = np.ceil(np.stack(spread, axis=1)).astype(np.int64)
    return np.where(bounds > 0, np.minimum(bounds + 1, SYMBOL_BOUND), 0)


def joined(model: Model, output: str) -> Node:
    """How the vector and the grid become one row."""
    widths = model.widths
    present = tuple(name for name, symbols in (("vector", widths.vector), ("grid", widths.grid)) if symbols)
    return Node(op="concat", inputs=present, output=output)


def _pieces(model: Model) -> list[Node]:
    """How the decoder takes a row of dequantized symbols apart into the vector and the grid."""
    vector, pieces = model.widths.vector, list[Node]()
    if vector:
        taken = {"start": 0, "stop": vector}
        pieces.append(Node(op="slice", inputs=(DEQUANTIZED,), output="vector", attributes=taken))
    if model.widths.grid:
        taken = {"start": vector, "stop": model.symbols}
        shape: dict[str, int] = dict(zip(("channels", "height", "width"), model.grid, strict=True))
        pieces.append(Node(op="slice", inputs=(DEQUANTIZED,), output="flatgrid", attributes=taken))
        pieces.append(Node(op="reshape", inputs=("flatgrid",), output="grid", attributes=shape))
    return pieces


PROMOTED = "promoted"
"""The register of images with the channels that the networks see."""
FIRST, AGAIN = "first.", "again."
"""Prefixes of an encoder's registers: in its copy of the decoder, and in the refinement."""


def _refinement(model: Model, encode: Integers, decode: Integers) -> list[Node]:
    """From `latents` to `refined`: round, decode, look at what is missing, correct."""
    assert model.g_r is not None
    repeats = model.gains.repeats.numpy().astype(np.int32)
    tables = [{"repeats": repeats, "table": table.astype(np.int16)} for table in (encode, decode)]
    first = [
        _gain_node("latents", "symbols", LATENT_EXPONENT + GAIN_EXPONENT, SYMBOL_BOUND, tables[0]),
        _gain_node("symbols", DEQUANTIZED, GAIN_EXPONENT - SYMBOL_EXPONENT, DEQUANTIZED_LIMIT, tables[1]),
        *_pieces(model),
        *(node_of(model.g_s, layer) for layer in model.g_s.layers),
        _negative("y", "negative", model.inner_kind[2]),
        _sum(("x", "negative"), "error", PIXEL_LIMIT),
    ]
    again = [*(node_of(model.g_r, layer) for layer in model.g_r.layers), joined(model, "correction")]
    return [
        *(_renamed(node, FIRST, {"x": "x", "latents": "latents"}) for node in first),
        *(_renamed(node, AGAIN, {"x": "x", "error": f"{FIRST}error"}) for node in again),
        _sum(("latents", f"{AGAIN}correction"), "refined", LATENT_RANGE[1]),
    ]


def _sum(inputs: tuple[str, str], output: str, limit: int) -> Node:
    return Node(op="add", inputs=inputs, output=output, low=-limit, high=limit)


def _negative(source: str, output: str, channels: int) -> Node:
    """Pixels times -1."""
    return Node(
        op="conv",
        inputs=(source,),
        output=output,
        attributes={"stride": 1, "padding": 0},
        low=-PIXEL_LIMIT,
        high=0,
        arrays={
            "weight": -np.eye(channels, dtype=np.int8)[:, :, None, None],
            "bias": np.zeros((1, channels), np.int32),
            "shift": np.zeros(channels, np.int8),
        },
    )


def _reading(node: Node, renamed: Mapping[str, str]) -> Node:
    """A node that reads other registers."""
    return replace(node, inputs=tuple(renamed.get(name, name) for name in node.inputs))


def _renamed(node: Node, prefix: str, kept: Mapping[str, str]) -> Node:
    """A node with a prefix before the names of its registers, except those that are `kept`."""
    inputs = tuple(kept.get(name, prefix + name) for name in node.inputs)
    return replace(node, inputs=inputs, output=prefix + node.output)


def freeze(
    model: Model,
    images_NHWC: Images,
    qualities: tuple[int, int],
    bound: Integers | None = None,
) -> Network:
    """The integer network of a trained model, checked against the model in float64.

    images_NHWC: images like those of the training; they set the alphabets and make the probe.
    qualities: the lowest and the highest that it is to code. bound: `alphabets`, unless these
    images set them. Raises DefectError where the frozen network differs from the model, which is a
    bug.
    """
    images_NHWC = fill_hidden(images_NHWC)
    model = copy.deepcopy(model).eval()
    model.refresh_exponents()
    kind: Kind = model.kind
    repeats = model.gains.repeats.numpy().astype(np.int32)
    encode, decode, inverse = gain_tables(model)
    if bound is None:
        bound = alphabets(model, images_NHWC, qualities)
    quantize = quantizing("refined" if model.refines else "latents", repeats, encode, bound)
    dequantize_node = dequantizing(repeats, decode)
    pieces = _pieces(model)
    nodes = [*(node_of(model.g_a, layer) for layer in model.g_a.layers), joined(model, "latents")]
    if model.refines:
        nodes += _refinement(model, encode, decode)
    if model.promotion is not None:
        nodes = [model.promotion.node("x", PROMOTED), *(_reading(node, {"x": PROMOTED}) for node in nodes)]
    decoded = [node_of(model.g_s, layer) for layer in model.g_s.layers]
    if model.demotion is not None:
        decoded[-1] = replace(decoded[-1], output=PROMOTED)
        decoded.append(model.demotion.node(PROMOTED, "y"))
    encoder = Program(
        nodes=(*nodes, quantize),
        input_range=(0, PIXEL_LIMIT),
        input_shape=(kind[2], kind[0], kind[1]),
    )
    decoder = Program(
        nodes=(dequantize_node, *pieces, *decoded),
        input_range=(-SYMBOL_BOUND, SYMBOL_BOUND),
        input_shape=(model.symbols,),
    )
    prior = freeze_prior(model, dequantize_node, inverse, bound)
    unproved = Network(
        kind=kind,
        qualities=qualities,
        encoder=encoder,
        decoder=decoder,
        prior=prior,
        probe=_empty_probe(kind, model.symbols),
        lambdas=model.lambdas.numpy().astype(np.float32),
    )
    network = with_probe(unproved, images_NHWC)
    check_frozen(model, network, images_NHWC[: max(8, CHECKED_VALUES // images_NHWC[0].size)], bound)
    return network


def _empty_probe(kind: Kind, symbols: int) -> Probe:
    return Probe(
        images=np.zeros((0, *kind), np.uint8),
        symbols=np.zeros((2, 0, symbols), np.int16),
        frequencies=np.zeros((2, 32), np.uint8),
        pixels=np.zeros((2, 32), np.uint8),
    )


def with_probe(network: Network, images_NHWC: Images) -> Network:
    """The network with its probe: real images, and black, white, a checkerboard and noise.

    The latter saturate.
    """
    height, width, channels = network.kind
    rows, columns = np.mgrid[:height, :width]
    checkerboard = np.repeat(((rows + columns) % 2 * 255).astype(np.uint8)[..., None], channels, axis=2)
    noise = np.random.default_rng(0).integers(0, 256, network.kind, dtype=np.uint8)
    hard = np.stack([np.zeros_like(noise), np.full_like(noise, 255), checkerboard, noise])
    images = fill_hidden(np.concatenate([images_NHWC[:PROBE_IMAGES], hard]))
    runner = CodecNetwork(network, NumpyBackend())
    symbols = [runner.encode(images, quality) for quality in network.qualities]
    pairs = list(zip(symbols, network.qualities, strict=True))
    probe = Probe(
        images=images,
        symbols=np.stack(symbols).astype(np.int16),
        frequencies=np.stack([np.frombuffer(runner.entropy.frequencies_sha256(k, q), np.uint8) for k, q in pairs]),
        pixels=np.stack(
            [np.frombuffer(hashlib.sha256(runner.decode(k, q).tobytes()).digest(), np.uint8) for k, q in pairs]
        ),
    )
    return replace(network, probe=probe)
