"""Codecs changed by chance, and what uses all of a codec."""

from __future__ import annotations

import functools
import json
import random
import zlib
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import safetensors.numpy

from backends import CORES
from compressnet.codec.bundle import Bundle
from compressnet.codec.loading import make_backend
from compressnet.errors import CompressnetError
from compressnet.limits import DEFAULT_LIMITS
from compressnet.lossless.coder import LosslessNetwork
from compressnet.lossy.coder import CodecNetwork
from compressnet.lossy.costs import probe_cost, reading_cost
from compressnet.lossy.sizeless import SizelessNetwork
from compressnet.networks.program import Backend
from compressnet.wire import Reader, pack_varint
from conftest import CONFORMANCE

VALUES = [None, True, -1, 0, 1, 3, 1 << 16, 1 << 31, 1 << 70, 1.5, "", "x", "conv", "gain", "\ud800", [], {}, [[]]]
CODECS = ("grey", "rgb", "tiles", "odd", "alpha", "any", "lossless")
PACKED = ("grey", "rgb", "tiles", "odd", "any", "lossless")


class WrongPixelsError(AssertionError):
    """Two ways of reading gave different pixels, or undamaged images changed."""


@functools.cache
def codec_data(name: str) -> bytes:
    return (CONFORMANCE / f"{name}.codec").read_bytes()


def tensors_of(name: str) -> tuple[dict[str, np.ndarray], Any]:
    data = codec_data(name)
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    return safetensors.numpy.load(data), json.loads(header["__metadata__"]["codec"])


def changed_array(array: np.ndarray, chance: random.Random) -> np.ndarray:
    array = array.copy()
    extremes = [0, 1, *((np.iinfo(array.dtype).min, np.iinfo(array.dtype).max) if array.dtype.kind in "iu" else ())]
    ways: list[Callable[[], np.ndarray]] = [
        lambda: array[None],
        lambda: array[..., None],
        lambda: array[:0],
        lambda: array.reshape(-1),
        lambda: array.T,
        lambda: np.concatenate([array, array]),
        lambda: np.full_like(array, chance.choice(extremes)),
        lambda: np.zeros((0,) * chance.randrange(5), array.dtype),
        lambda: array.astype(chance.choice([np.int8, np.uint8, np.int64, np.float32, np.bool_])),
    ]
    if chance.randrange(2) and array.size:
        array.reshape(-1)[chance.randrange(array.size)] = chance.choice(extremes)
        return array
    return np.ascontiguousarray(chance.choice(ways)())


def change_json(document: Any, chance: random.Random) -> None:
    """Change, leave out or repeat a value somewhere."""
    while isinstance(document, (dict, list)) and document:
        key = chance.choice(list(document) if isinstance(document, dict) else range(len(document)))
        value = document[key]
        if not isinstance(value, (dict, list)) or not value or chance.randrange(8) == 0:
            if chance.randrange(4) == 0:
                del document[key]
            elif type(value) is int and chance.randrange(2):
                document[key] = value + chance.choice([-1, 1, 2, 8])
            else:
                document[key] = chance.choice(VALUES)
            return
        document = value


def changed_codec(name: str, chance: random.Random) -> bytes:
    """A codec file with one or two tensors or values of its document changed."""
    tensors, document = tensors_of(name)
    for _ in range(chance.choice([1, 1, 2])):
        if chance.randrange(2):
            key = chance.choice(list(tensors))
            tensors[key] = changed_array(tensors[key], chance)
        else:
            change_json(document, chance)
    return safetensors.numpy.save(tensors, {"compressnet": "1", "codec": json.dumps(document)})


def changed_packed(data: bytes, chance: random.Random) -> bytes:
    """A packed codec with a value of its document, or a byte of its numbers, changed."""
    reader = Reader(data, "it")
    document = json.loads(zlib.decompress(reader.take(reader.varint(1 << 30))))
    rest = bytearray(reader.take(reader.left))
    if chance.randrange(2):
        change_json(document, chance)
    else:
        for _ in range(chance.choice([1, 1, 3])):
            rest[chance.randrange(len(rest))] = chance.randrange(256)
    structure = zlib.compress(json.dumps(document).encode(), 9)
    return pack_varint(len(structure)) + structure + bytes(rest)


def use(bundle: Bundle, backends: list[Backend]) -> None:
    """Read something with every network and model, without the probe that stands before them."""
    for network in bundle.networks:
        kind = (5, 9, network.served[0]) if isinstance(network, SizelessNetwork) else network.kind
        if isinstance(network, SizelessNetwork) and network.why_not(kind):
            continue
        DEFAULT_LIMITS.require(probe_cost(network), "the probe")
        DEFAULT_LIMITS.require(reading_cost(network, kind).of(2), "two images")
        laid_out = network.at(kind) if isinstance(network, SizelessNetwork) else network
        found = set[bytes]()
        for backend in backends:
            runner = CodecNetwork(laid_out, backend)
            with suppress(CompressnetError):
                symbols = runner.entropy.read([bytes(range(30))], [2], network.qualities[0])
                found.add(runner.decode(symbols, network.qualities[0]).tobytes())
        if len(found) > 1:
            raise WrongPixelsError(f"backends differ for {kind}")
    for model in bundle.pixels:
        with suppress(CompressnetError):
            LosslessNetwork(model, backends[0]).read_payloads([bytes(range(30))], [1], model.size or (3, 4))


def backends() -> list[Backend]:
    return [make_backend("numpy", 1), *([make_backend("native", 1)] if CORES else []), make_backend("onnx", 1)]
