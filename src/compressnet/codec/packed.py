"""The packed codec: what decoding needs of a codec, as small as it gets, for archives to embed.

    structure   varint length, zlib stream of JSON: the codec file's document, with the shape of every tensor
    hashes      of each network's probe, 128 bytes, its symbols derived (`compressnet.lossy.probe`); of each pixel model, 32
    numbers     all tensors, `compressnet.codec.arrays`

What can be told is not stored: a tensor that an earlier network has as well, the standard tables, and what two tables
of the entropy model have in common with the decoder's gains. Nothing is lost: the identity stays. docs/FORMAT.md,
"Packed codec".
"""

from __future__ import annotations

import hashlib
import json
import math
import zlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from compressnet.codec.arrays import Layout, elements_limit, pack_arrays, unpack_arrays
from compressnet.codec.bundle import Bundle, from_parts
from compressnet.coding.mixture import make_tables
from compressnet.coding.part import Tensors
from compressnet.errors import CodecRefusedError, CorruptError, InputError
from compressnet.limits import CODEC_BYTES_LIMIT, PACKED_NETWORKS_LIMIT, PACKED_STRUCTURE_BYTES_LIMIT
from compressnet.lossless.arrays import PIXELS, PROBE, arrays_of, dtype_of, entry_of
from compressnet.lossless.coder import LosslessNetwork
from compressnet.lossless.model import PixelModel
from compressnet.lossy.arrays import DEQUANTIZED, tensor_dtype, to_parts
from compressnet.lossy.coder import CodecNetwork
from compressnet.lossy.network import Network
from compressnet.lossy.probe import Probe, derived_symbols
from compressnet.networks.numpy import NumpyBackend
from compressnet.wire import Reader, pack_varint

HASHES = ("frequencies", "pixels")
HASHES_SHAPE = (2, 32)
PROBE_BYTES = 32
TABLES = ("cdf", "reciprocal", "weight")
GAIN, INVERSE_GAIN, SCALE_OFFSET = f"decoder.{DEQUANTIZED}.table", "prior.inverse_gain", "prior.scale_offset"
TREES = ("prior", "tables")
PACKED_PARTS = ("decoder", *TREES)


def pack_bundle(bundle: Bundle) -> bytes:
    """The decoding part of a codec, packed; `unpack_bundle` gives a codec of the same identity.

    Raises CodecRefusedError where this machine does not reproduce the codec's probe, so that no wrong one is written;
    InputError for a codec that is too large.
    """
    networks = tuple(_with_derived_probe(network, bundle.name) for network in bundle.networks)
    entries, tensors = to_parts(networks)
    by_network = [_named(tensors, i) for i in range(len(networks))]
    stored: Tensors = {}
    for i, known in enumerate(by_network):
        shapes = {name: _shape_or_owner(name, array, by_network[:i]) for name, array in known.items()}
        stored |= {f"{i}.{name}": _stored(name, known) for name in known if isinstance(shapes[name], list)}
        entries[i] = _with_shapes(entries[i], shapes)
    pixels = [arrays_of(model) for model in bundle.pixels]
    stored |= {
        f"{PIXELS}.{i}.{name}": array for i, arrays in enumerate(pixels) for name, array in sorted(arrays.items())
    }
    document = {
        "about": bundle.about,
        "default_quality": bundle.default_quality,
        "name": bundle.name,
        "networks": entries,
    }
    if pixels:
        document["pixels"] = [
            entry_of(model) | {"arrays": {name: list(array.shape) for name, array in arrays.items()}}
            for model, arrays in zip(bundle.pixels, pixels, strict=True)
        ]
    structure = json.dumps(document, separators=(",", ":"), sort_keys=True).encode()
    deflated = zlib.compress(structure, 9)
    hashes = [tensors[f"{i}.probe.{name}"].tobytes() for i in range(len(networks)) for name in HASHES]
    hashes += [_checked_probe(model, bundle.name) for model in bundle.pixels]
    packed = pack_varint(len(deflated)) + deflated + b"".join(hashes) + pack_arrays(list(stored.values()))
    elements = sum(array.size for known in (*by_network, *pixels) for array in known.values())
    if elements > elements_limit(len(packed)) or len(structure) > PACKED_STRUCTURE_BYTES_LIMIT:
        raise InputError(f"the codec {bundle.name} is too large to be embedded, with {elements} numbers; leave it out")
    if len(networks) + len(pixels) > PACKED_NETWORKS_LIMIT:
        raise InputError(f"the codec {bundle.name} has more than {PACKED_NETWORKS_LIMIT} networks; leave it out")
    return packed


def unpack_bundle(data: bytes, source: str) -> Bundle:
    """The codec, without its encoder; `source` names it in errors.

    Raises CorruptError for bytes that are no packed codec, or one that would not run exactly.
    """
    what = f"{source}: the packed codec"
    reader = Reader(data, what)
    structure = _inflate(reader.take(reader.varint(CODEC_BYTES_LIMIT)), what)
    try:
        document = json.loads(structure)
        entries: list[Any] = document["networks"]
        pixels: list[Any] = document.get("pixels", [])
        if len(entries) + len(pixels) > PACKED_NETWORKS_LIMIT:
            raise CorruptError(f"{what} has {len(entries)} networks, the limit is {PACKED_NETWORKS_LIMIT}")
        trees = [dict(sorted(_shapes(entry))) for entry in entries]
        layouts, owners = _layouts(trees, what)
        layouts |= _pixel_layouts(pixels, what)
    except CorruptError:
        raise
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
        raise CorruptError(f"{what} has a structure that cannot be read ({error!r})") from error
    elements = sum(math.prod(layouts[owner].shape) for owner in owners.values())
    elements += sum(math.prod(layout.shape) for name, layout in layouts.items() if name.startswith(f"{PIXELS}."))
    if elements > elements_limit(len(data)):
        raise CorruptError(f"{what} claims {elements} numbers in {len(data)} bytes")
    tensors: Tensors = {}
    for i in range(len(entries)):
        for name in HASHES:
            hashes = np.frombuffer(reader.take(math.prod(HASHES_SHAPE)), np.uint8)
            tensors[f"{i}.probe.{name}"] = hashes.reshape(HASHES_SHAPE)
    for i in range(len(pixels)):
        tensors[f"{PIXELS}.{i}.{PROBE}"] = np.frombuffer(reader.take(PROBE_BYTES), np.uint8)
    arrays = unpack_arrays(reader.take(reader.left), list(layouts.values()), what)
    stored = dict(zip(layouts, arrays, strict=True))
    tensors |= {name: array for name, array in stored.items() if name.startswith(f"{PIXELS}.")}
    for i, tree in enumerate(trees):
        own = {name: stored[f"{i}.{name}"] for name in tree if f"{i}.{name}" in stored}
        shared = {name: tensors[owners[f"{i}.{name}"]] for name in tree if name not in own}
        tensors |= {f"{i}.{name}": array for name, array in _restored(own, shared, what).items()}
        for name in TABLES:
            tensors.setdefault(f"{i}.tables.{name}", getattr(make_tables(), name))
    return from_parts(document, tensors, source)


def _with_derived_probe(network: Network, codec_name: str) -> Network:
    """The decoding part of a network with a probe that needs no images. Raises CodecRefusedError."""
    decoding = replace(network, encoder=None, lambdas=None)
    runner = CodecNetwork(decoding, NumpyBackend())
    try:
        runner.check_probe()
    except CodecRefusedError as error:
        raise CodecRefusedError(
            f"the codec {codec_name} cannot be embedded: this machine does not reproduce it ({error})"
        ) from error
    symbols = derived_symbols(network.prior, network.qualities)
    pairs = [(k.astype(np.int32), quality) for k, quality in zip(symbols, network.qualities, strict=True)]
    frequencies = [runner.frequencies_sha256(k, quality) for k, quality in pairs]
    pixels = [hashlib.sha256(runner.decode(k, quality).tobytes()).digest() for k, quality in pairs]
    hashes = {
        name: np.frombuffer(b"".join(digests), np.uint8).reshape(HASHES_SHAPE)
        for name, digests in zip(HASHES, (frequencies, pixels), strict=True)
    }
    return replace(decoding, probe=Probe(images=None, symbols=symbols, **hashes))


def _checked_probe(model: PixelModel, codec_name: str) -> bytes:
    """A pixel model's probe, which this machine reproduces. Raises CodecRefusedError."""
    try:
        LosslessNetwork(model).check_probe()
    except CodecRefusedError as error:
        raise CodecRefusedError(
            f"the codec {codec_name} cannot be embedded: this machine does not reproduce it ({error})"
        ) from error
    return model.probe.tobytes()


def _pixel_layouts(pixels: list[Any], what: str) -> dict[str, Layout]:
    """What is stored of pixel models, by name. Raises CorruptError, KeyError."""
    layouts: dict[str, Layout] = {}
    for i, entry in enumerate(pixels):
        for name, shape in sorted(entry["arrays"].items()):
            if not _is_shape(shape):
                raise CorruptError(f"{what} has a tensor {PIXELS}.{i}.{name} of shape {shape!r}")
            layouts[f"{PIXELS}.{i}.{name}"] = Layout(shape=tuple(shape), dtype=dtype_of(name))
    return layouts


def _is_shape(shape: Any) -> bool:
    return isinstance(shape, list) and all(
        type(side) is int and 0 <= side <= CODEC_BYTES_LIMIT for side in cast("list[Any]", shape)
    )


def _named(tensors: Tensors, i: int) -> Tensors:
    """A network's tensors, by name without its number, as they are packed: without standard tables."""
    start = f"{i}."
    found = {name[len(start) :]: array for name, array in sorted(tensors.items()) if name.startswith(start)}
    found = {name: array for name, array in found.items() if name.partition(".")[0] in PACKED_PARTS}
    standard = make_tables()
    if all(np.array_equal(found[f"tables.{name}"], getattr(standard, name)) for name in TABLES):
        found = {name: array for name, array in found.items() if not name.startswith("tables.")}
    return found


def _shape_or_owner(name: str, array: NDArray[Any], earlier: list[Tensors]) -> list[int] | int:
    """What the structure says of a tensor: its shape, or the first network that has the same one."""
    for owner, tensors in enumerate(earlier):
        if name in tensors and np.array_equal(tensors[name], array):
            return owner
    return list(array.shape)


def _with_shapes(entry: dict[str, Any], shapes: dict[str, list[int] | int]) -> dict[str, Any]:
    """A network's entry in the structure: the codec file's, with the shapes of all tensors; `_shapes` reads it."""
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
    """What is stored, by name with the network's number; and for every tensor the name under which it is stored.

    Raises CorruptError, KeyError.
    """
    layouts: dict[str, Layout] = {}
    owners: dict[str, str] = {}
    for i, tree in enumerate(trees):
        for name, shape in tree.items():
            if _is_shape(shape):
                layouts[f"{i}.{name}"] = Layout(shape=tuple(shape), dtype=tensor_dtype(name))
                owners[f"{i}.{name}"] = f"{i}.{name}"
            elif type(shape) is int and 0 <= shape < i:
                owners[f"{i}.{name}"] = owners[f"{shape}.{name}"]
            else:
                raise CorruptError(f"{what} has a tensor {i}.{name} of shape {shape!r}")
    return layouts, owners


def _stored(name: str, known: Tensors) -> NDArray[Any]:
    """What is stored of a tensor: two tables of the entropy model less what can be told of them, modulo 2^16."""
    if name == INVERSE_GAIN:
        return known[name] - _expected_inverse(known[GAIN])
    if name == SCALE_OFFSET:
        return known[name] - _expected_offset(known[INVERSE_GAIN])
    return known[name]


def _restored(own: Tensors, shared: Tensors, what: str) -> Tensors:
    """A network's tensors: the ones of its own, of which `_stored` took something away, and shared ones."""
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


def _inflate(data: bytes, what: str) -> bytes:
    """A zlib stream of the structure's size at most. Raises CorruptError."""
    inflater = zlib.decompressobj()
    try:
        raw = inflater.decompress(data, PACKED_STRUCTURE_BYTES_LIMIT)
    except zlib.error as error:
        raise CorruptError(f"{what} is damaged: {error}") from error
    if not inflater.eof or inflater.unused_data:
        raise CorruptError(f"{what} is damaged: its structure does not end where it should")
    return raw
