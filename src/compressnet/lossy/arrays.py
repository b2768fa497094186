"""Networks as JSON entries and named tensors, and back, with every fault refused."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compressnet.coding.mixture import Tables
from compressnet.coding.part import Tensors, whole_number
from compressnet.errors import CorruptError
from compressnet.images.kinds import Kind
from compressnet.limits import CHANNELS_LIMIT, NODES_LIMIT, SIDE_LIMIT_PX, SYMBOLS_LIMIT
from compressnet.lossy.context import ContextPrior, ContextSlice, context_order
from compressnet.lossy.masked import MaskedPrior
from compressnet.lossy.network import Network
from compressnet.lossy.prior import Prior
from compressnet.lossy.probe import Probe, derived_symbols
from compressnet.networks.dense import DenseLayer
from compressnet.networks.program import OPS, QUALITIES, Node, Op, Program
from compressnet.networks.proof import prove

DEQUANTIZED = "dequantized"
"""The decoder's register that the entropy model reads as well."""
_LAYERS = ("hidden1", "hidden2", "output")
_LAYER_ARRAYS = ("weight", "bias", "shift")
_PRIOR_ARRAYS = ("inverse_gain", "scale_offset", "bound")
_MASKED_ARRAYS = ("order", "group_symbols", "group_units")
_CONTEXT_ARRAYS = ("grid", "slice_channels")
_SLICE_ARRAYS = ("weight", "bias", "phase", "row", "column", "shift")
_TABLE_ARRAYS = ("cdf", "reciprocal", "weight")
_PROBE_HASHES = ("frequencies", "pixels")
_REGISTER = re.compile(r"[A-Za-z0-9._]+")
_NODE_DTYPES = {
    "weight": "int8",
    "bias": "int32",
    "shift": "int8",
    "table": "int16",
    "bound": "int16",
    "repeats": "int32",
}
_LAYER_DTYPES = {"weight": "int8", "shift": "int8"}
"""Of the entropy model's layers; all their biases are int32."""
_DTYPES = {
    "prior.order": "int32",
    "prior.group_symbols": "int32",
    "prior.group_units": "int32",
    "prior.grid": "int32",
    "prior.slice_channels": "int32",
    "prior.inverse_gain": "int16",
    "prior.scale_offset": "int16",
    "prior.bound": "int16",
    "tables.cdf": "uint16",
    "tables.reciprocal": "int32",
    "tables.weight": "uint8",
    "probe.images": "uint8",
    "probe.symbols": "int16",
    "probe.frequencies": "uint8",
    "probe.pixels": "uint8",
    "encoder.lambda": "float32",
}
_ATTRIBUTES = {"stride", "padding", "factor", "start", "stop", "channels", "height", "width", "rows", "columns"}


def identity_of(networks: tuple[Network, ...]) -> bytes:
    """SHA-256 of the canonical bytes of what decoding needs: docs/FORMAT.md."""
    entries, tensors = to_parts(networks)
    structure = [{key: entry[key] for key in ("kind", "qualities", "decoder")} for entry in entries]
    digest = hashlib.sha256(json.dumps(structure, separators=(",", ":"), sort_keys=True).encode())
    for name in sorted(tensors):
        if part_of(name) in ("decoder", "prior", "tables"):
            array = tensors[name]
            little = array.astype(array.dtype.newbyteorder("<"), copy=False)
            digest.update(f"\n{name} {array.dtype.name} {list(array.shape)}\n".encode())
            digest.update(little.tobytes())
    return digest.digest()


def part_of(tensor_name: str) -> str:
    """`decoder`, `encoder`, `prior`, `tables` or `probe`: what a tensor belongs to."""
    return tensor_name.split(".")[1]


def to_parts(networks: tuple[Network, ...]) -> tuple[list[dict[str, Any]], Tensors]:
    """The networks' entries in the JSON document, and all their tensors by name.

    `network_from` reads them.
    """
    entries: list[dict[str, Any]] = []
    tensors: Tensors = {}
    for i, network in enumerate(networks):
        entry: dict[str, Any] = {"kind": list(network.kind), "qualities": list(network.qualities)}
        for part, program in (("decoder", network.decoder), ("encoder", network.encoder)):
            if program is not None:
                entry[part] = [_node_entry(node) for node in program.nodes]
                for node in program.nodes:
                    for name, array in node.arrays.items():
                        tensors[f"{i}.{part}.{node.output}.{name}"] = array
        prior = network.prior
        tensors |= {f"{i}.prior.{name}": array for name, array in _prior_arrays(prior).items()}
        for name in _TABLE_ARRAYS:
            tensors[f"{i}.tables.{name}"] = getattr(prior.tables, name)
        if network.lambdas is not None:
            tensors[f"{i}.encoder.lambda"] = network.lambdas
        probe = network.probe
        tensors |= {f"{i}.probe.{name}": getattr(probe, name) for name in _PROBE_HASHES}
        if probe.images is not None:
            tensors |= {f"{i}.probe.images": probe.images, f"{i}.probe.symbols": probe.symbols}
        entries.append(entry)
    # safetensors writes an array's memory as it lies, whatever its strides
    return entries, {name: np.ascontiguousarray(array) for name, array in tensors.items()}


def _prior_arrays(prior: Prior) -> Tensors:
    """The entropy model's arrays, by name."""
    arrays: Tensors = {name: getattr(prior, name) for name in _PRIOR_ARRAYS}
    layers: dict[str, DenseLayer] = {}
    if isinstance(prior, MaskedPrior):
        arrays |= {name: getattr(prior, name) for name in _MASKED_ARRAYS}
        layers = {name: getattr(prior, name) for name in _LAYERS}
    else:
        assert isinstance(prior, ContextPrior)
        arrays |= {name: getattr(prior, name) for name in _CONTEXT_ARRAYS}
        for number, part in enumerate(prior.slices):
            arrays |= {f"{number}.{name}": getattr(part, name) for name in _SLICE_ARRAYS}
            layers |= {f"{number}.hidden": part.hidden, f"{number}.output": part.output}
    for layer, dense in layers.items():
        arrays |= {f"{layer}.{name}": getattr(dense, name) for name in _LAYER_ARRAYS}
    return arrays


def _node_entry(node: Node) -> dict[str, Any]:
    return {
        "op": node.op,
        "in": list(node.inputs),
        "out": node.output,
        "attributes": dict(node.attributes),
        "activation": node.activation,
        "clamp": [node.low, node.high],
    }


def tensor_dtype(name: str) -> np.dtype[Any]:
    """The dtype of a tensor by its name without the network's number.

    Raises KeyError where no tensor is called so.
    """
    array = name.rpartition(".")[2]
    if name.startswith("prior.") and name.count(".") > 1:
        return np.dtype(_LAYER_DTYPES.get(array, "int32"))
    return np.dtype(_DTYPES[name] if name in _DTYPES else _NODE_DTYPES[array])


def _tensor(i: int, name: str, tensors: Tensors) -> NDArray[Any]:
    """A network's tensor, of its dtype. Raises KeyError, CorruptError for another dtype."""
    array = tensors[f"{i}.{name}"]
    if array.dtype != _DTYPES[name]:
        raise CorruptError(f"tensor {i}.{name} has dtype {array.dtype}, not {_DTYPES[name]}")
    return array


def _nodes(entries: list[Any], prefix: str, tensors: Tensors) -> tuple[Node, ...]:
    """A program's nodes; the names of their tensors begin with a prefix."""
    arrays: dict[str, Tensors] = {}
    for name, array in tensors.items():
        if name.startswith(prefix):
            register, _, kind = name[len(prefix) :].rpartition(".")
            arrays.setdefault(register, {})[kind] = array
    return tuple(_node(entry, arrays) for entry in entries)


def _node(entry: Mapping[str, Any], arrays_of: Mapping[str, Tensors]) -> Node:
    """A node, with the arrays of its register."""
    op: Op = entry["op"]
    if op not in OPS or entry["activation"] not in ("linear", "leaky"):
        raise CorruptError(f"a network node does {entry['op']!r}, {entry['activation']!r}, unknown to this version")
    attributes = {str(key): whole_number(value) for key, value in entry["attributes"].items()}
    if not set(attributes) <= _ATTRIBUTES or any(not 0 <= v <= 1 << 16 for v in attributes.values()):
        raise CorruptError(f"a network node has the attributes {attributes}")
    if not _REGISTER.fullmatch(str(entry["out"])):
        raise CorruptError(f"a network node writes to {entry['out']!r}, which is no register's name")
    arrays = arrays_of.get(str(entry["out"]), {})
    for name, array in arrays.items():
        if array.dtype != _NODE_DTYPES.get(name):
            raise CorruptError(f"the network node {entry['out']!r} has an array {name!r} of dtype {array.dtype}")
    low, high = (whole_number(value) for value in entry["clamp"])
    return Node(
        op=op,
        inputs=tuple(str(name) for name in entry["in"]),
        output=str(entry["out"]),
        attributes=attributes,
        activation=entry["activation"],
        low=low,
        high=high,
        arrays=arrays,
    )


def network_from(i: int, entry: Mapping[str, Any], tensors: Tensors) -> Network:
    """A network from its entry in the JSON document, proved. Raises CorruptError, KeyError."""
    height, width, channels = (whole_number(value) for value in entry["kind"])
    if not (1 <= height <= SIDE_LIMIT_PX and 1 <= width <= SIDE_LIMIT_PX and 1 <= channels <= CHANNELS_LIMIT):
        raise CorruptError(f"a network codes images of {height}x{width}x{channels}, beyond the limits")
    low, high = (whole_number(value) for value in entry["qualities"])
    if not 0 <= low <= high < QUALITIES:
        raise CorruptError(f"a network codes the qualities {low} to {high}")
    if any(len(entry.get(part, [])) > NODES_LIMIT for part in ("encoder", "decoder")):
        raise CorruptError(f"a network has more than {NODES_LIMIT} nodes")
    decoder_nodes = _nodes(entry["decoder"], f"{i}.decoder.", tensors)
    prior = _prior(i, decoder_nodes, tensors)
    symbols = len(prior.order)
    if symbols > SYMBOLS_LIMIT:
        raise CorruptError(f"a network has {symbols} symbols an image, the limit is {SYMBOLS_LIMIT}")
    largest = int(prior.bound.max())
    decoder = Program(nodes=decoder_nodes, input_range=(-largest, largest), input_shape=(symbols,))
    encoder = lambdas = None
    if "encoder" in entry:
        lambdas = _tensor(i, "encoder.lambda", tensors)
        if lambdas.shape != (QUALITIES,) or not np.all(lambdas > 0):
            raise CorruptError("a network's lambdas are not 100 positive numbers")
        encoder_nodes = _nodes(entry["encoder"], f"{i}.encoder.", tensors)
        encoder = Program(nodes=encoder_nodes, input_range=(0, 255), input_shape=(channels, height, width))
        prove(encoder, (symbols,))
    if prove(decoder, (channels, height, width)) != (0, 255):
        raise CorruptError("a decoder's pixels are not clamped to 0..255")
    prior.prove(symbols)
    probe = _probe(i, (height, width, channels), (low, high), prior, tensors)
    if encoder is not None and probe.images is None:
        raise CorruptError("the probe has no images, which an encoder needs")
    return Network(
        kind=(height, width, channels),
        qualities=(low, high),
        encoder=encoder,
        decoder=decoder,
        prior=prior,
        probe=probe,
        lambdas=lambdas,
    )


def _probe(i: int, kind: Kind, qualities: tuple[int, int], prior: Prior, tensors: Tensors) -> Probe:
    hashes = {name: _tensor(i, f"probe.{name}", tensors) for name in _PROBE_HASHES}
    if f"{i}.probe.images" in tensors:
        images, symbols = (_tensor(i, f"probe.{name}", tensors) for name in ("images", "symbols"))
        if len(images) == 0 or images.shape[1:] != kind:
            raise CorruptError("the probe's images are not of the network's kind")
    else:
        images, symbols = None, derived_symbols(prior, qualities)
    probe = Probe(images=images, symbols=symbols, **hashes)
    expected = (2, len(symbols[0]) if images is None else len(images), len(prior.order))
    if probe.symbols.shape != expected or {array.shape for array in hashes.values()} != {(2, 32)}:
        raise CorruptError("the probe does not fit the network")
    return probe


def _prior(i: int, decoder_nodes: tuple[Node, ...], tensors: Tensors) -> Prior:
    first = decoder_nodes[0]
    if first.op != "gain" or first.output != DEQUANTIZED or first.inputs != ("x",) or "bound" in first.arrays:
        raise CorruptError("a decoder does not begin with a gain without bounds from 'x' to 'dequantized'")
    common: dict[str, Any] = {name: _tensor(i, f"prior.{name}", tensors) for name in _PRIOR_ARRAYS}
    common["tables"] = Tables(**{name: _tensor(i, f"tables.{name}", tensors) for name in _TABLE_ARRAYS})
    common["dequantize"] = first
    if f"{i}.prior.grid" not in tensors:
        common |= {name: _tensor(i, f"prior.{name}", tensors) for name in _MASKED_ARRAYS}
        common |= {name: _dense(i, name, tensors) for name in _LAYERS}
        return MaskedPrior(**common)
    grid, slice_channels = (_tensor(i, f"prior.{name}", tensors) for name in _CONTEXT_ARRAYS)
    if max(grid.tolist(), default=0) > SYMBOLS_LIMIT or math.prod(grid.tolist()) > SYMBOLS_LIMIT:
        raise CorruptError(f"a network has more symbols an image than the limit of {SYMBOLS_LIMIT}")
    order, group_symbols = context_order(grid, slice_channels)
    slices = tuple(_slice(i, number, tensors) for number in range(len(slice_channels)))
    return ContextPrior(
        **common, order=order, group_symbols=group_symbols, grid=grid, slice_channels=slice_channels, slices=slices
    )


def _layer_array(i: int, layer: str, name: str, tensors: Tensors) -> NDArray[Any]:
    """An array of an entropy model's layer. Raises KeyError, CorruptError for another dtype."""
    array = tensors[f"{i}.prior.{layer}.{name}"]
    if array.dtype != _LAYER_DTYPES.get(name, "int32"):
        raise CorruptError(f"tensor {i}.prior.{layer}.{name} has dtype {array.dtype}")
    return array


def _dense(i: int, layer: str, tensors: Tensors) -> DenseLayer:
    return DenseLayer(**{name: _layer_array(i, layer, name, tensors) for name in _LAYER_ARRAYS})


def _slice(i: int, number: int, tensors: Tensors) -> ContextSlice:
    arrays = {name: _layer_array(i, str(number), name, tensors) for name in _SLICE_ARRAYS}
    hidden, output = (_dense(i, f"{number}.{layer}", tensors) for layer in ("hidden", "output"))
    return ContextSlice(**arrays, hidden=hidden, output=output)
