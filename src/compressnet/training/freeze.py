"""The freeze: a trained, fake-quantized model becomes an integer network, and is proved to be the same.

Weights become int8, biases int32, exponents shifts. The integer programs are proved to stay where float32 is exact
(`compressnet.exact.prove`), then run on real images beside the torch model in float64
(`compressnet.training.check`).
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from compressnet.bundle import DEQUANTIZED, Kind, Network, Probe
from compressnet.context import ContextPrior, ContextSlice
from compressnet.exact import QUALITIES, Node, NumpyBackend, Program
from compressnet.masked import MaskedPrior
from compressnet.network import CodecNetwork
from compressnet.prior import MEAN_SHIFT, DenseLayer, Prior
from compressnet.tables import MEAN_STEPS, make_tables
from compressnet.training.architecture import LATENT_EXPONENT, SYMBOL_EXPONENT, Layer
from compressnet.training.check import check_frozen, to_pixels
from compressnet.training.context import ContextPrior as TorchContextPrior
from compressnet.training.context import Neighbourhood
from compressnet.training.distributions import MEAN_EXPONENT
from compressnet.training.layers import DEQUANTIZED_LIMIT, Weighted, integers_scale
from compressnet.training.masked import MaskedPrior as TorchMaskedPrior
from compressnet.training.model import SYMBOL_BOUND, Model
from compressnet.training.networks import GAIN_EXPONENT
from compressnet.training.networks import Network as TorchNetwork
from compressnet.training.quantize import weight_exponents

assert 2**MEAN_SHIFT * MEAN_STEPS == 2 ** (GAIN_EXPONENT + MEAN_EXPONENT)

CHECKED_IMAGES = 500
BOUNDED_IMAGES = 3000
"""Images over which the alphabets are measured."""
PROBE_IMAGES = 4

Images = NDArray[np.uint8]
Integers = NDArray[np.int64]


def _integers(values: torch.Tensor, exponents: torch.Tensor | int) -> Integers:
    scaled = values.detach().double() * torch.exp2(torch.as_tensor(exponents, dtype=torch.float64))
    return torch.floor(scaled + 0.5).long().numpy()


def frozen_layer(
    layer: Weighted, weight: torch.Tensor, in_exponents: torch.Tensor, out_exponents: torch.Tensor, in_largest: int
) -> tuple[NDArray[np.int8], NDArray[np.int32], NDArray[np.int8]]:
    """Weight, bias and shift of a layer as integers."""
    scaled = weight * integers_scale(weight, in_exponents)
    exponents_O = weight_exponents(scaled, layer.bias, out_exponents, in_largest, layer.limit)
    per_row = exponents_O.reshape(-1, *([1] * (weight.dim() - 1)))
    shift = exponents_O - out_exponents
    return (
        np.clip(_integers(scaled, per_row), -layer.limit, layer.limit).astype(np.int8),
        _integers(layer.bias, exponents_O).astype(np.int32),
        shift.numpy().astype(np.int8),
    )


def _node(network: TorchNetwork, layer: Layer) -> Node:
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
    encode, decode, inverse = (_integers(table, GAIN_EXPONENT) for table in model.levels.tables(quantized=True))
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


def _bounds(model: Model, images_NHWC: Images, repeats: NDArray[np.int32], qualities: Sequence[int]) -> Integers:
    """How far symbols go at each quality, per segment, over these images, plus 1: (100,S)."""
    measured = np.zeros((len(qualities), len(repeats)))
    starts = np.concatenate([[0], np.cumsum(repeats)[:-1]])
    with torch.no_grad():
        for row, quality in enumerate(qualities):
            for i in range(0, len(images_NHWC), 500):
                x = to_pixels(images_NHWC[i : i + 500], torch.float32)
                outcome = model(x, torch.full((len(x),), quality), quantized=True)
                largest_D = outcome.k_BD.abs().amax(dim=0).numpy()
                measured[row] = np.maximum(measured[row], np.maximum.reduceat(largest_D, starts))
    spread = [np.interp(np.arange(QUALITIES), qualities, column) for column in measured.T]
    bounds = np.ceil(np.stack(spread, axis=1)).astype(np.int64)
    return np.where(bounds > 0, np.minimum(bounds + 1, SYMBOL_BOUND), 0)


def _freeze_prior(model: Model, dequantize_node: Node, inverse: Integers, bound_QS: Integers) -> Prior:
    repeats = model.levels.repeats.numpy()
    segment = np.repeat(np.arange(len(repeats)), repeats)
    groups = model.prior.groups
    bound_QG = np.stack([bound_QS[:, np.unique(segment[group])].max(axis=1) for group in groups], axis=1)
    offsets = np.floor(8 * np.log2(inverse / 2**GAIN_EXPONENT) + 0.5)
    common: dict[str, Any] = {
        "order": model.prior.order.numpy().astype(np.int32),
        "group_symbols": np.array([len(group) for group in groups], np.int32),
        "dequantize": dequantize_node,
        "inverse_gain": inverse.astype(np.int16),
        "scale_offset": offsets.astype(np.int16),
        "bound": bound_QG.astype(np.int16),
        "tables": make_tables(),
    }
    if isinstance(model.prior, TorchContextPrior):
        return freeze_context(model.prior, common)
    return _freeze_masked(model.prior, common)


def _freeze_masked(prior: TorchMaskedPrior, common: dict[str, Any]) -> MaskedPrior:
    sizes, units = common["group_symbols"], np.array(prior.hidden, np.int32)
    symbol_ends, unit_ends = np.cumsum(sizes), np.cumsum(units)
    total = int(sizes.sum())
    symbol, hidden1, hidden2 = (
        torch.tensor(float(exponent))
        for exponent in (SYMBOL_EXPONENT, prior.exponents["hidden1"], prior.exponents["hidden2"])
    )
    formats = [
        (symbol, DEQUANTIZED_LIMIT, hidden1),
        (hidden1, 223, hidden2),
        (hidden2, 223, prior.output_exponents()),
    ]
    rows_of_group = [
        [np.arange(end - size, end) for end, size in zip(unit_ends, units, strict=True)],
        [np.arange(end - size, end) for end, size in zip(unit_ends, units, strict=True)],
        [
            np.concatenate([np.arange(end - size, end) + kind * total for kind in range(5)])
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


def freeze_context(prior: TorchContextPrior, common: dict[str, Any]) -> ContextPrior:
    """The convolutional entropy model in integers; common: what both kinds of entropy model have."""
    hidden1, hidden2 = (torch.tensor(float(prior.exponents[name])) for name in ("hidden1", "hidden2"))
    slices: list[ContextSlice] = []
    for number, size in enumerate(prior.sizes):
        first = cast("Neighbourhood", prior.layer1[number])
        scaled = first.weight * 2.0**-SYMBOL_EXPONENT
        exponents_O = weight_exponents(scaled, first.largest_bias(), hidden1, DEQUANTIZED_LIMIT, first.limit)
        per_row = exponents_O.reshape(-1, 1, 1, 1)
        biases = {
            name: _integers(getattr(first, name), exponents_O).astype(np.int32)
            for name in ("bias", "phase", "row", "column")
        }
        dense: list[DenseLayer] = []
        for layers, into, out in (
            (prior.layer2, hidden1, hidden2),
            (prior.layer3, hidden2, prior.output_exponents(size)),
        ):
            layer = cast("Weighted", layers[number])
            weight, bias, shift = frozen_layer(layer, layer.weight, into, out, 223)
            dense.append(DenseLayer(weight=weight, bias=bias, shift=shift))
        slices.append(
            ContextSlice(
                **biases,
                weight=np.clip(_integers(scaled, per_row), -first.limit, first.limit).astype(np.int8),
                shift=(exponents_O - hidden1).numpy().astype(np.int8),
                hidden=dense[0],
                output=dense[1],
            )
        )
    return ContextPrior(
        **common,
        grid=np.array(prior.grid, np.int32),
        slice_channels=np.array(prior.sizes, np.int32),
        slices=tuple(slices),
    )


def _pieces(model: Model) -> tuple[Node, list[Node]]:
    """How the vector and the grid become one row of latents, and how the decoder takes them apart again."""
    vector, total = model.widths.vector, model.symbols
    present = tuple(name for name, symbols in (("vector", vector), ("grid", model.widths.grid)) if symbols)
    latents = Node(op="concat", inputs=present, output="latents")
    pieces: list[Node] = []
    if vector:
        taken = {"start": 0, "stop": vector}
        pieces.append(Node(op="slice", inputs=(DEQUANTIZED,), output="vector", attributes=taken))
    if model.widths.grid:
        taken = {"start": vector, "stop": total}
        shape: dict[str, int] = dict(zip(("channels", "height", "width"), model.grid, strict=True))
        pieces.append(Node(op="slice", inputs=(DEQUANTIZED,), output="flatgrid", attributes=taken))
        pieces.append(Node(op="reshape", inputs=("flatgrid",), output="grid", attributes=shape))
    return latents, pieces


def freeze(
    model: Model,
    images_NHWC: Images,
    qualities: tuple[int, int],
) -> Network:
    """The integer network of a trained model, checked against the model in float64.

    images_NHWC: images like those of the training, uint8; they set the alphabets and make the probe.
    qualities: lowest and highest that it is to code.
    Raises CodecRefusedError where the frozen network differs from the model, which is a bug, not bad luck.
    """
    model = copy.deepcopy(model).eval()
    model.refresh_exponents()
    kind: Kind = model.kind
    repeats = model.levels.repeats.numpy().astype(np.int32)
    encode, decode, inverse = gain_tables(model)
    low, high = qualities
    measured = sorted({*range(low, high + 1, 9), low, high})
    bound = _bounds(model, images_NHWC[:BOUNDED_IMAGES], repeats, measured)
    quantize = _gain_node(
        "latents",
        "y",
        LATENT_EXPONENT + GAIN_EXPONENT,
        SYMBOL_BOUND,
        {"repeats": repeats, "bound": bound.astype(np.int16), "table": encode.astype(np.int16)},
    )
    dequantize_node = _gain_node(
        "x",
        DEQUANTIZED,
        GAIN_EXPONENT - SYMBOL_EXPONENT,
        DEQUANTIZED_LIMIT,
        {"repeats": repeats, "table": decode.astype(np.int16)},
    )
    latents, pieces = _pieces(model)
    encoder = Program(
        nodes=(*(_node(model.g_a, layer) for layer in model.g_a.layers), latents, quantize),
        input_range=(0, 255),
        input_shape=(kind[2], kind[0], kind[1]),
    )
    decoder = Program(
        nodes=(dequantize_node, *pieces, *(_node(model.g_s, layer) for layer in model.g_s.layers)),
        input_range=(-SYMBOL_BOUND, SYMBOL_BOUND),
        input_shape=(model.symbols,),
    )
    prior = _freeze_prior(model, dequantize_node, inverse, bound)
    unproved = Network(
        kind=kind,
        qualities=qualities,
        encoder=encoder,
        decoder=decoder,
        prior=prior,
        probe=_empty_probe(kind, model.symbols),
        lambdas=model.lambdas.numpy().astype(np.float32),
    )
    network = _with_probe(unproved, images_NHWC)
    check_frozen(model, network, images_NHWC[:CHECKED_IMAGES], bound)
    return network


def _empty_probe(kind: Kind, symbols: int) -> Probe:
    return Probe(
        images=np.zeros((0, *kind), np.uint8),
        symbols=np.zeros((2, 0, symbols), np.int16),
        frequencies=np.zeros((2, 32), np.uint8),
        pixels=np.zeros((2, 32), np.uint8),
    )


def _with_probe(network: Network, images_NHWC: Images) -> Network:
    """The network with its probe: real images, and black, white, a checkerboard and noise, which saturate."""
    height, width, channels = network.kind
    rows, columns = np.mgrid[:height, :width]
    checkerboard = np.repeat(((rows + columns) % 2 * 255).astype(np.uint8)[..., None], channels, axis=2)
    noise = np.random.default_rng(0).integers(0, 256, network.kind, dtype=np.uint8)
    hard = np.stack([np.zeros_like(noise), np.full_like(noise, 255), checkerboard, noise])
    images = np.concatenate([images_NHWC[:PROBE_IMAGES], hard])
    runner = CodecNetwork(network, NumpyBackend())
    symbols = [runner.encode(images, quality) for quality in network.qualities]
    pairs = list(zip(symbols, network.qualities, strict=True))
    probe = Probe(
        images=images,
        symbols=np.stack(symbols).astype(np.int16),
        frequencies=np.stack([np.frombuffer(runner.frequencies_sha256(k, q), np.uint8) for k, q in pairs]),
        pixels=np.stack(
            [np.frombuffer(hashlib.sha256(runner.decode(k, q).tobytes()).digest(), np.uint8) for k, q in pairs]
        ),
    )
    return replace(network, probe=probe)
