"""Networks as JSON entries and named tensors, and back, with every fault refused."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compressnet.coding.part import Tensors, whole_number
from compressnet.errors import CorruptError
from compressnet.images.kinds import Kind
from compressnet.limits import CHANNELS_LIMIT, NODES_LIMIT, SIDE_LIMIT_PX, SYMBOLS_LIMIT
from compressnet.lossy.network import Network
from compressnet.lossy.prior import Prior
from compressnet.lossy.prior_arrays import (
    NODE_DTYPES,
    TABLE_ARRAYS,
    prior_arrays,
    prior_from,
    sizeless_prior_from,
    tensor_of,
)
from compressnet.lossy.probe import Probe, SizelessProbe, derived_symbols
from compressnet.lossy.sizeless import AnyNetwork, SizelessNetwork, prove_sizeless
from compressnet.networks.program import OPS, QUALITIES, Node, Op, Program
from compressnet.networks.proof import prove

_HASHES = ("frequencies", "pixels")
_HASHES_SHAPE = (2, 32)
_REGISTER = re.compile(r"[A-Za-z0-9._]+")
_ATTRIBUTES = {"stride", "padding", "factor", "start", "stop", "channels", "height", "width", "rows", "columns"}
_IDENTIFIED = {"kind", "channels", "tile", "qualities", "decoder"}
"""Keys of a network's entry that its identity covers."""


def identity_of(networks: tuple[AnyNetwork, ...]) -> bytes:
    """SHA-256 of the canonical bytes of what decoding needs: docs/FORMAT.md."""
    entries, tensors = to_parts(networks)
    structure = [{key: value for key, value in entry.items() if key in _IDENTIFIED} for entry in entries]
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


def to_parts(networks: tuple[AnyNetwork, ...]) -> tuple[list[dict[str, Any]], Tensors]:
    """The networks' entries in the JSON document, and all their tensors by name.

    `network_from` reads them.
    """
    entries: list[dict[str, Any]] = []
    tensors: Tensors = {}
    for i, network in enumerate(networks):
        entry: dict[str, Any] = {"kind": list(network.kind), "qualities": list(network.qualities)}
        is_sizeless = isinstance(network, SizelessNetwork)
        if is_sizeless:
            entry |= {"channels": list(network.served), "tile": network.tile_px}
        for part, program in (("decoder", network.decoder), ("encoder", network.encoder)):
            if program is not None:
                entry[part] = [_node_entry(node) for node in program.nodes]
                for node in program.nodes:
                    for name, array in node.arrays.items():
                        tensors[f"{i}.{part}.{node.output}.{name}"] = array
        prior = network.prior
        arrays = prior_arrays(prior, positions=not is_sizeless)
        tensors |= {f"{i}.prior.{name}": array for name, array in arrays.items()}
        for name in TABLE_ARRAYS:
            tensors[f"{i}.tables.{name}"] = getattr(prior.tables, name)
        if network.lambdas is not None:
            tensors[f"{i}.encoder.lambda"] = network.lambdas
        tensors |= {f"{i}.{name}": array for name, array in _probe_arrays(network).items()}
        entries.append(entry)
    # safetensors writes an array's memory as it lies, whatever its strides
    return entries, {name: np.ascontiguousarray(array) for name, array in tensors.items()}


def _probe_arrays(network: AnyNetwork) -> Tensors:
    """The arrays of a network's probe, by name."""
    probe = network.probe
    assert probe is not None
    arrays: Tensors = {f"probe.{name}": getattr(probe, name) for name in _HASHES}
    if isinstance(probe, SizelessProbe):
        if probe.encoded is not None:
            arrays["encoder.probe"] = probe.encoded
    elif probe.images is not None:
        arrays |= {"probe.images": probe.images, "probe.symbols": probe.symbols}
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
        if array.dtype != NODE_DTYPES.get(name):
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


def network_from(i: int, entry: Mapping[str, Any], tensors: Tensors) -> AnyNetwork:
    """A network from its entry in the JSON document, proved. Raises CorruptError, KeyError."""
    height, width, channels = (whole_number(value) for value in entry["kind"])
    low, high = (whole_number(value) for value in entry["qualities"])
    if not 0 <= low <= high < QUALITIES:
        raise CorruptError(f"a network codes the qualities {low} to {high}")
    if any(len(entry.get(part, [])) > NODES_LIMIT for part in ("encoder", "decoder")):
        raise CorruptError(f"a network has more than {NODES_LIMIT} nodes")
    if height == width == 0:
        return _sizeless_from(i, entry, tensors, channels, (low, high))
    kind = height, width, channels
    if not (1 <= height <= SIDE_LIMIT_PX and 1 <= width <= SIDE_LIMIT_PX and 1 <= channels <= CHANNELS_LIMIT):
        raise CorruptError(f"a network codes images of {height}x{width}x{channels}, beyond the limits")
    decoder_nodes = _nodes(entry["decoder"], f"{i}.decoder.", tensors)
    prior = prior_from(i, decoder_nodes, tensors)
    symbols = len(prior.order)
    if symbols > SYMBOLS_LIMIT:
        raise CorruptError(f"a network has {symbols} symbols an image, the limit is {SYMBOLS_LIMIT}")
    decoder = _decoder(decoder_nodes, prior, symbols)
    encoder, lambdas = _encoder(i, entry, tensors, (channels, height, width))
    if encoder is not None:
        prove(encoder, (symbols,))
    if prove(decoder, (channels, height, width)) != (0, 255):
        raise CorruptError("a decoder's pixels are not clamped to 0..255")
    prior.prove(symbols)
    probe = _probe(i, kind, (low, high), prior, tensors)
    if encoder is not None and probe.images is None:
        raise CorruptError("the probe has no images, which an encoder needs")
    return Network(
        kind=kind,
        qualities=(low, high),
        encoder=encoder,
        decoder=decoder,
        prior=prior,
        probe=probe,
        lambdas=lambdas,
    )


def _sizeless_from(
    i: int, entry: Mapping[str, Any], tensors: Tensors, channels: int, qualities: tuple[int, int]
) -> SizelessNetwork:
    """A network without a size, proved. Raises CorruptError, KeyError."""
    tile_px = whole_number(entry["tile"])
    decoder_nodes = _nodes(entry["decoder"], f"{i}.decoder.", tensors)
    prior = sizeless_prior_from(i, decoder_nodes, tensors)
    encoder, lambdas = _encoder(i, entry, tensors, (channels, tile_px, tile_px))
    probe = SizelessProbe(
        encoded=None if encoder is None else tensor_of(i, "encoder.probe", tensors),
        **{name: tensor_of(i, f"probe.{name}", tensors) for name in _HASHES},
    )
    if any(
        array.shape != _HASHES_SHAPE for array in (probe.encoded, probe.frequencies, probe.pixels) if array is not None
    ):
        raise CorruptError("the probe does not fit the network")
    network = SizelessNetwork(
        channels=channels,
        served=tuple(whole_number(value) for value in entry["channels"]),
        tile_px=tile_px,
        qualities=qualities,
        encoder=encoder,
        decoder=_decoder(decoder_nodes, prior, int(prior.grid[0])),
        prior=prior,
        probe=probe,
        lambdas=lambdas,
    )
    prove_sizeless(network)
    return network


def _decoder(nodes: tuple[Node, ...], prior: Prior, symbols: int) -> Program:
    largest = int(prior.bound.max())
    return Program(nodes=nodes, input_range=(-largest, largest), input_shape=(symbols,))


def _encoder(
    i: int, entry: Mapping[str, Any], tensors: Tensors, shape: tuple[int, int, int]
) -> tuple[Program | None, NDArray[np.float32] | None]:
    """The encoder and its lambdas, where there are any. shape: (C,H,W) of its input."""
    if "encoder" not in entry:
        return None, None
    lambdas = tensor_of(i, "encoder.lambda", tensors)
    if lambdas.shape != (QUALITIES,) or not np.all(lambdas > 0):
        raise CorruptError("a network's lambdas are not 100 positive numbers")
    nodes = _nodes(entry["encoder"], f"{i}.encoder.", tensors)
    return Program(nodes=nodes, input_range=(0, 255), input_shape=shape), lambdas


def _probe(i: int, kind: Kind, qualities: tuple[int, int], prior: Prior, tensors: Tensors) -> Probe:
    hashes = {name: tensor_of(i, f"probe.{name}", tensors) for name in _HASHES}
    if f"{i}.probe.images" in tensors:
        images, symbols = (tensor_of(i, f"probe.{name}", tensors) for name in ("images", "symbols"))
        if len(images) == 0 or images.shape[1:] != kind:
            raise CorruptError("the probe's images are not of the network's kind")
    else:
        images, symbols = None, derived_symbols(prior, qualities)
    probe = Probe(images=images, symbols=symbols, **hashes)
    expected = (2, len(symbols[0]) if images is None else len(images), len(prior.order))
    if probe.symbols.shape != expected or {array.shape for array in hashes.values()} != {_HASHES_SHAPE}:
        raise CorruptError("the probe does not fit the network")
    return probe
