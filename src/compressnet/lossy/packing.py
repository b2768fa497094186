"""Networks in a packed codec: what cannot be derived from the rest, as small as it gets.

A tensor that an earlier network has as well is not stored, nor are the standard tables, nor what
two tables of the entropy model have in common with the decoder's gains. Nothing is lost: the
identity stays. docs/FORMAT.md, "Packed codec".

Axes: P images, D symbols, Q qualities, S segments.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from compressnet.coding.mixture import make_tables
from compressnet.coding.part import Layout, PackedPart, PackedPlan, Tensors, is_shape
from compressnet.errors import CodecRefusedError, CorruptError
from compressnet.lossy.arrays import to_parts
from compressnet.lossy.coder import CodecNetwork
from compressnet.lossy.instances import Instances
from compressnet.lossy.network import Network
from compressnet.lossy.prior_arrays import DEQUANTIZED, tensor_dtype
from compressnet.lossy.probe import Probe, derived_symbols
from compressnet.lossy.sizeless import AnyNetwork, SizelessNetwork
from compressnet.networks.numpy import NumpyBackend

HASHES = ("frequencies", "pixels")
HASHES_SHAPE = (2, 32)
TABLES = ("cdf", "reciprocal", "weight")
GAIN, INVERSE_GAIN, SCALE_OFFSET = f"decoder.{DEQUANTIZED}.table", "prior.inverse_gain", "prior.scale_offset"
TREES = ("prior", "tables")
PACKED_PARTS = ("decoder", *TREES)


def pack_networks(networks: tuple[AnyNetwork, ...], codec_name: str) -> PackedPart:
    """What a packed codec holds of networks. Raises CodecRefusedError."""
    decoding = tuple(_with_derived_probe(network, codec_name) for network in networks)
    entries, tensors = to_parts(decoding)
    by_network = [_named(tensors, i) for i in range(len(decoding))]
    shapes = _shapes_or_owners(by_network)
    entries = [_with_shapes(entry, own) for entry, own in zip(entries, shapes, strict=True)]
    hashes = [tensors[f"{i}.probe.{name}"].tobytes() for i in range(len(decoding)) for name in HASHES]
    return PackedPart(
        entries=entries,
        hashes=b"".join(hashes),
        numbers=_stored_of(by_network, shapes),
        elements=sum(array.size for known in by_network for array in known.values()),
    )


def stored_numbers(networks: tuple[AnyNetwork, ...]) -> list[NDArray[Any]]:
    """The tensors that a packed codec of networks stores, in its order."""
    tensors = to_parts(tuple(map(decoding_of, networks)))[1]
    by_network = [_named(tensors, i) for i in range(len(networks))]
    return _stored_of(by_network, _shapes_or_owners(by_network))


class NetworksPlan(PackedPlan):
    """What the entries of packed networks say of their arrays."""

    def __init__(self, entries: list[Any], what: str) -> None:
        """Read entries.

        Raises CorruptError, or KeyError, TypeError and their like for entries of another form.
        """
        self._trees = [dict(sorted(_shapes(entry))) for entry in entries]
        layouts, self._owners = _layouts(self._trees, what)
        self._names, self.layouts = list(layouts), list(layouts.values())
        self.hash_bytes = len(entries) * len(HASHES) * math.prod(HASHES_SHAPE)
        self.elements = sum(math.prod(layouts[owner].shape) for owner in self._owners.values())

    def tensors(self, hashes: bytes, numbers: list[NDArray[Any]], what: str) -> Tensors:
        """All tensors of the networks, also those that were not stored. Raises CorruptError."""
        of_network = np.frombuffer(hashes, np.uint8).reshape(-1, len(HASHES), *HASHES_SHAPE)
        stored = dict(zip(self._names, numbers, strict=True))
        tensors: Tensors = {}
        for i, tree in enumerate(self._trees):
            tensors |= {f"{i}.probe.{name}": of_network[i, n] for n, name in enumerate(HASHES)}
            own = {name: stored[f"{i}.{name}"] for name in tree if f"{i}.{name}" in stored}
            shared = {name: tensors[self._owners[f"{i}.{name}"]] for name in tree if name not in own}
            tensors |= {f"{i}.{name}": array for name, array in _restored(own, shared, what).items()}
            for name in TABLES:
                tensors.setdefault(f"{i}.tables.{name}", getattr(make_tables(), name))
        return tensors


def decoding_of(network: AnyNetwork) -> AnyNetwork:
    """A network without what only encoding needs."""
    if isinstance(network, SizelessNetwork):
        return replace(network, encoder=None, lambdas=None, probe=replace(network.probe, encoded=None))
    return replace(network, encoder=None, lambdas=None)


def _with_derived_probe(network: AnyNetwork, codec_name: str) -> AnyNetwork:
    """The decoding part of a network with a probe that needs no images.

    Raises CodecRefusedError.
    """
    decoding, backend = decoding_of(network), NumpyBackend()
    runner = Instances(decoding, backend) if isinstance(decoding, SizelessNetwork) else CodecNetwork(decoding, backend)
    try:
        runner.check_probe()
    except CodecRefusedError as error:
        raise CodecRefusedError(
            f"the codec {codec_name} cannot be embedded: this machine does not reproduce it ({error})"
        ) from error
    return _derived(runner) if isinstance(runner, CodecNetwork) else decoding


def _derived(runner: CodecNetwork) -> Network:
    """A network with a probe of derived symbols."""
    network = runner.network
    symbols = derived_symbols(network.prior, network.qualities)
    pairs = list(zip(symbols, network.qualities, strict=True))
    frequencies = [runner.entropy.frequencies_sha256(k, quality) for k, quality in pairs]
    pixels = [hashlib.sha256(runner.decode(k, quality).tobytes()).digest() for k, quality in pairs]
    hashes = {
        name: np.frombuffer(b"".join(digests), np.uint8).reshape(HASHES_SHAPE)
        for name, digests in zip(HASHES, (frequencies, pixels), strict=True)
    }
    return replace(network, probe=Probe(images=None, symbols=symbols, **hashes))


def _named(tensors: Tensors, i: int) -> Tensors:
    """The tensors of a network that are packed, by name without the network's number.

    Standard tables are left out.
    """
    start = f"{i}."
    found = {name[len(start) :]: array for name, array in sorted(tensors.items()) if name.startswith(start)}
    found = {name: array for name, array in found.items() if name.partition(".")[0] in PACKED_PARTS}
    standard = make_tables()
    if all(np.array_equal(found[f"tables.{name}"], getattr(standard, name)) for name in TABLES):
        found = {name: array for name, array in found.items() if not name.startswith("tables.")}
    return found


def _shapes_or_owners(by_network: list[Tensors]) -> list[dict[str, list[int] | int]]:
    """What the structure says of each network's tensors."""
    return [
        {name: _shape_or_owner(name, array, by_network[:i]) for name, array in known.items()}
        for i, known in enumerate(by_network)
    ]


def _stored_of(by_network: list[Tensors], shapes: list[dict[str, list[int] | int]]) -> list[NDArray[Any]]:
    """What is stored of each network's tensors, one after the other."""
    return [
        _stored(name, known)
        for known, own in zip(by_network, shapes, strict=True)
        for name in known
        if isinstance(own[name], list)
    ]


def _shape_or_owner(name: str, array: NDArray[Any], earlier: list[Tensors]) -> list[int] | int:
    """What the structure says of a tensor.

    That is its shape, or the number of the first network that has the same tensor.
    """
    for owner, tensors in enumerate(earlier):
        if name in tensors and np.array_equal(tensors[name], array):
            return owner
    return list(array.shape)


def _with_shapes(entry: dict[str, Any], shapes: dict[str, list[int] | int]) -> dict[str, Any]:
    """A network's entry in the structure: the codec file's, with the shapes of all tensors.

    `_shapes` reads it.
    """
    trees: dict[str, Any] = {part: {} for part in PACKED_PARTS}
    for name, shape in shapes.items():
        part, *path, array = name.split(".")
        if part == "decoder":
            path = [".".join(path)]
        tree = trees[part]
        for step in path:
            tree = tree.setdefault(step, {})
        tree[array] = shape
    nodes = [{**node, "arrays": trees["decoder"].get(node["out"], {})} for node in entry["decoder"]]
    return {**entry, "decoder": nodes, **{part: trees[part] for part in TREES}}


def _shapes(entry: Any) -> Iterator[tuple[str, Any]]:
    """The names of a network's tensors, each with its shape, or the network that has it."""
    for node in entry["decoder"]:
        yield from _flat(f"decoder.{node['out']}", node["arrays"])
    for part in TREES:
        yield from _flat(part, entry[part])


def _flat(prefix: str, tree: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from _flat(f"{prefix}.{name}", cast("dict[str, Any]", value))
        else:
            yield f"{prefix}.{name}", value


def _layouts(trees: list[dict[str, Any]], what: str) -> tuple[dict[str, Layout], dict[str, str]]:
    """What is stored, by name with the network's number; and the name under which each tensor is.

    Raises CorruptError, KeyError.
    """
    layouts: dict[str, Layout] = {}
    owners: dict[str, str] = {}
    for i, tree in enumerate(trees):
        for name, shape in tree.items():
            if is_shape(shape):
                layouts[f"{i}.{name}"] = Layout(shape=tuple(shape), dtype=tensor_dtype(name))
                owners[f"{i}.{name}"] = f"{i}.{name}"
            elif type(shape) is int and 0 <= shape < i:
                owners[f"{i}.{name}"] = owners[f"{shape}.{name}"]
            else:
                raise CorruptError(f"{what} has a tensor {i}.{name} of shape {shape!r}")
    return layouts, owners


def _stored(name: str, known: Tensors) -> NDArray[Any]:
    """What is stored of a tensor: all of it, or a difference.

    Two tables of the entropy model are stored as their difference from what is expected of them,
    modulo 2^16.
    """
    if name == INVERSE_GAIN:
        return known[name] - _expected_inverse(known[GAIN])
    if name == SCALE_OFFSET:
        return known[name] - _expected_offset(known[INVERSE_GAIN])
    return known[name]


def _restored(own: Tensors, shared: Tensors, what: str) -> Tensors:
    """A network's tensors, its own and shared ones.

    To its own, what `_stored` took away is added again.
    """
    known = shared | own
    for name, reason, expected in (
        (INVERSE_GAIN, GAIN, _expected_inverse),
        (SCALE_OFFSET, INVERSE_GAIN, _expected_offset),
    ):
        if name in own:
            if reason not in known or known[reason].shape != own[name].shape:
                raise CorruptError(f"{what} has a tensor {name} that does not fit {reason}")
            known[name] = own[name] + expected(known[reason])
    return known


def _expected_inverse(gain_QS: NDArray[np.int16]) -> NDArray[np.int16]:
    """2^14 over each gain, rounded."""
    gain = np.maximum(gain_QS.astype(np.int64), 1)
    return (((1 << 14) + gain // 2) // gain).astype(np.int16)


def _expected_offset(inverse_gain_QS: NDArray[np.int16]) -> NDArray[np.int16]:
    """8 log2(g / 128) of each g, rounded, by the bits of g^16."""
    values, places = np.unique(np.maximum(inverse_gain_QS, 1), return_inverse=True)
    offsets = [((value**16).bit_length() - 112) // 2 for value in values.tolist()]
    return np.array(offsets, np.int16)[places].reshape(inverse_gain_QS.shape)
