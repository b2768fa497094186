"""The core in WebAssembly, as node runs it: conformance files decode to the committed pixels."""

from __future__ import annotations

import ctypes
import json
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import DTypeLike, NDArray

import compressnet
from compressnet.codec.codec import Codec
from compressnet.codec.single import unpack_single
from compressnet.coding.coder import LOSSLESS, LOSSY, Coder
from compressnet.lossless.coder import LosslessCoder
from compressnet.lossless.payload import unpack_payload
from compressnet.lossy.coder import LossyCoder
from compressnet.native.models import ALIGNMENT
from compressnet.native.networks import program_structure
from compressnet.native.pixels import pixel_structure
from compressnet.native.priors import prior_structure
from compressnet.native.structures import Arrays
from compressnet.wire import Reader
from conftest import CONFORMANCE, KINDS
from core_source import SOURCE, need, run_tool

pytestmark = pytest.mark.slow

BASE = 4 << 20
"""Where what Python writes begins in the module's memory, beyond all that the module has."""
Block = tuple[Coder, bytes, NDArray[np.uint8]]
"""What decodes a payload, the payload, and the images that it has to give."""


class Memory32(Arrays):
    """Arrays and structures as WebAssembly has them: addresses of 32 bits, from BASE on."""

    def __init__(self) -> None:
        self.data = bytearray()

    def put(self, data: bytes) -> int:
        self.data += bytes(-len(self.data) % ALIGNMENT)
        start = len(self.data)
        self.data += data
        return BASE + start

    def pointer(self, array: NDArray[np.integer] | Sequence[int], dtype: DTypeLike) -> int:
        return self.put(np.ascontiguousarray(array, np.dtype(dtype).newbyteorder("<")).tobytes())

    def structures(self, kind: type[ctypes.Structure], structures: Sequence[ctypes.Structure]) -> int:
        del kind
        return self.put(b"".join(struct.pack("<I", word) for each in structures for word in words(each)))

    def one(self, structure: ctypes.Structure) -> int:
        return self.structures(type(structure), [structure])


def words(value: Any) -> Iterator[int]:
    """All fields of a structure; each takes 32 bits, and so there are no gaps."""
    if isinstance(value, ctypes.Structure):
        for name, *_ in value._fields_:
            yield from words(getattr(value, name))
    elif isinstance(value, ctypes.Array):
        for element in value:
            yield from words(element)
    else:
        yield (value or 0) & 0xFFFFFFFF  # a NULL is None


def task_of(block: Block, memory: Memory32) -> dict[str, int]:
    """What decode.mjs is told of a block."""
    coder, payload, images = block
    task = {"images": len(images), "values": images[0].size}
    if isinstance(coder, LossyCoder):
        network = coder.runner.network
        return task | {
            "prior": memory.one(prior_structure(network.prior, memory)),
            "decoder": memory.one(program_structure(network.decoder, memory)),
            "quality": coder.quality,
            "payload": memory.put(payload),
            "bytes": len(payload),
            "symbols": network.symbols,
        }
    assert isinstance(coder, LosslessCoder)
    alone = unpack_payload(payload, len(images), range(len(images)))
    return task | {
        "pixelModel": memory.one(pixel_structure(coder.runner.model, memory)),
        "height": coder.kind[0],
        "width": coder.kind[1],
        "payload": memory.put(b"".join(alone)),
        "lengths": memory.pointer([len(one) for one in alone], np.uint32),
    }


def blocks_of_archive(name: str) -> Iterator[Block]:
    with (
        np.load(CONFORMANCE / f"{name}.npz") as arrays,
        compressnet.open(CONFORMANCE / f"{name}.cnet") as archive,
    ):
        committed = list(arrays["decoded"] if name in KINDS else arrays.values())
        container = archive.container
        places = container.places_of(np.arange(len(archive))).tolist()
        firsts, counts = container.blocks.firsts.tolist(), container.blocks.counts.tolist()
        for number, (first, count) in enumerate(zip(firsts, counts, strict=True)):
            block = container.read_block(number)
            if block.method in (LOSSY, LOSSLESS):
                images = [committed[places.index(place)] for place in range(first, first + count)]
                yield archive.reader.coding(number).coder, block.payload, np.stack(images)


def single_block(codec: Codec, name: str, method: int, images: NDArray[np.uint8]) -> Block:
    coders, identity = codec.coders(method), codec.bundle.identity_of(method)
    assert coders is not None
    assert identity is not None
    single = unpack_single((CONFORMANCE / f"{name}.block").read_bytes(), identity)
    reader = Reader(single.payload, name)
    coder = coders.coder_of_single(single.kind, single.quality, single.images, reader)
    return coder, reader.take(reader.left), images


def single_blocks() -> Iterator[Block]:
    for name in KINDS:
        with np.load(CONFORMANCE / f"{name}.npz") as arrays:
            yield single_block(compressnet.load(CONFORMANCE / f"{name}.codec"), name, LOSSY, arrays["block"])
    lossless = compressnet.load(CONFORMANCE / "lossless.codec")
    with np.load(CONFORMANCE / "lossless.npz") as arrays:
        images = list(arrays.values())
    yield single_block(lossless, "lossless-grey", LOSSLESS, np.stack(images[:3]))
    yield single_block(lossless, "lossless-alpha", LOSSLESS, np.stack(images[6:8]))


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The core as a WebAssembly module."""
    need("bash", "clang", "wasm-ld", "node")
    path = tmp_path_factory.mktemp("wasm") / "core.wasm"
    run_tool("bash", SOURCE / "wasm.sh", path)
    return path


def test_conformance_files_decode_to_committed_pixels(module: Path, tmp_path: Path) -> None:
    names = (*KINDS, "mixed", "lossless")
    blocks = [*single_blocks(), *(block for name in names for block in blocks_of_archive(name))]
    kinds = [type(coder) for coder, _, _ in blocks]
    assert kinds.count(LossyCoder) > 3 * len(KINDS)
    assert kinds.count(LosslessCoder) > 4
    memory = Memory32()
    tasks = [task_of(block, memory) for block in blocks]
    (tmp_path / "tasks.json").write_text(json.dumps({"base": BASE, "tasks": tasks}))
    (tmp_path / "memory").write_bytes(memory.data)
    files = [tmp_path / name for name in ("tasks.json", "memory", "decoded")]
    run_tool("node", SOURCE / "tests/decode.mjs", module, *files)
    decoded = files[-1].read_bytes()
    assert len(decoded) == sum(images.size for _, _, images in blocks)
    for _, _, images in blocks:
        assert decoded[: images.size] == images.tobytes()
        decoded = decoded[images.size :]


def test_a_module_needs_nothing(module: Path) -> None:
    script = "const module = new WebAssembly.Module(require('fs').readFileSync(process.argv[1]));"
    script += "console.log(WebAssembly.Module.imports(module).length);"
    script += "WebAssembly.Module.exports(module).forEach(one => console.log(one.name))"
    imports, *exports = run_tool("node", "-e", script, module).split()
    assert imports == "0"
    assert {"memory", "__heap_base", "cn_network_run", "cn_prior_read", "cn_pixels_read"} <= set(exports)
