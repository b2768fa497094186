"""Whatever is changed in a file, readers give something or raise one of our errors.

Checksums and lengths are put right again, so that changes reach what is behind them.
"""

from __future__ import annotations

import json
import random
import zlib
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st

import compressnet
from backends import CORES
from compressnet.codec.bundle import Bundle
from compressnet.codec.file import from_bytes
from compressnet.codec.loading import make_backend
from compressnet.container.chunks import pack_chunk
from compressnet.container.container import SIGNATURE
from compressnet.errors import CompressnetError
from compressnet.limits import DEFAULT_LIMITS
from compressnet.lossless.coder import LosslessNetwork
from compressnet.lossy.coder import CodecNetwork
from compressnet.lossy.costs import probe_cost, reading_cost
from compressnet.lossy.sizeless import SizelessNetwork
from compressnet.networks.program import Backend
from conftest import CONFORMANCE

CODECS = ("grey", "rgb", "tiles", "odd", "alpha", "any", "lossless")
ARCHIVES = ("grey", "tiles", "any", "lossless", "mixed", "deep", "near", "tight", "adaptive")
VALUES = [None, True, -1, 0, 1, 3, 1 << 16, 1 << 31, 1 << 70, 1.5, "", "x", "conv", "gain", "\ud800", [], {}, [[]]]


def tensors_of(name: str) -> tuple[dict[str, np.ndarray], Any]:
    data = (CONFORMANCE / f"{name}.codec").read_bytes()
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
        assert len(found) <= 1
    for model in bundle.pixels:
        with suppress(CompressnetError):
            LosslessNetwork(model, backends[0]).read_payloads([bytes(range(30))], [1], model.size or (3, 4))


@settings(max_examples=150, deadline=None)
@given(name=st.sampled_from(CODECS), seed=st.integers(0, 1 << 32))
def test_changed_codecs(name: str, seed: int) -> None:
    chance = random.Random(seed)
    tensors, document = tensors_of(name)
    for _ in range(chance.choice([1, 1, 2])):
        if chance.randrange(2):
            key = chance.choice(list(tensors))
            tensors[key] = changed_array(tensors[key], chance)
        else:
            change_json(document, chance)
    data = safetensors.numpy.save(tensors, {"compressnet": "1", "codec": json.dumps(document)})
    backends = [make_backend("numpy", 1), *([make_backend("native", 1)] if CORES else []), make_backend("onnx", 1)]
    with suppress(CompressnetError):
        use(from_bytes(data, "changed"), backends)


def chunks_of(name: str) -> list[tuple[bytes, bytes]]:
    data, position, found = (CONFORMANCE / f"{name}.cnet").read_bytes(), len(SIGNATURE), []
    while position < len(data):
        length = int.from_bytes(data[position + 4 : position + 8], "big")
        found.append((data[position : position + 4], data[position + 8 : position + 8 + length]))
        position += length + 12
    return found


def changed_bytes(data: bytes, chance: random.Random) -> bytes:
    """As many bytes, so that lengths stay right; what is deflated is changed inside, too."""
    changed = bytearray(data)
    if changed and chance.randrange(3):
        changed[chance.randrange(min(len(changed), chance.choice([8, 1 << 20])))] = chance.randrange(256)
        return bytes(changed)
    for start in (0, 1):
        with suppress(zlib.error, IndexError):
            raw = bytearray(zlib.decompress(data[start:]))
            raw[chance.randrange(len(raw))] = chance.randrange(256)
            return data[:start] + zlib.compress(bytes(raw), 9)
    return bytes(changed)


@pytest.mark.parametrize("name", ARCHIVES)
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1 << 32))
def test_changed_archives(name: str, seed: int) -> None:
    chance, chunks = random.Random(seed), chunks_of(name)
    number = chance.randrange(len(chunks) - 1)
    chunks[number] = chunks[number][0], changed_bytes(chunks[number][1], chance)
    body = b"".join(pack_chunk(*chunk) for chunk in chunks[:-2])
    tail = pack_chunk(b"TAIL", (len(SIGNATURE) + len(body)).to_bytes(8, "big"))
    data = SIGNATURE + body + pack_chunk(*chunks[-2]) + tail
    codec = CONFORMANCE / f"{name}.codec"
    with suppress(CompressnetError), compressnet.open(data, codec if codec.exists() else None, threads=1) as archive:
        uses: list[Callable[[], object]] = [
            lambda: archive[0],
            lambda: archive[:20],
            lambda: (archive.labels, archive.shapes),
            lambda: archive.names,
            lambda: archive.symbols[:3],
            archive.check,
        ]
        for each in uses if len(archive) else ():
            with suppress(CompressnetError):
                each()
