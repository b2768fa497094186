"""Archives changed by chance, with checksums and lengths put right, and what reads all of one."""

from __future__ import annotations

import functools
import json
import os
import random
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

import numpy as np

import compressnet
from backends import CORES
from compressnet.codec.codec import BackendName, Codec
from compressnet.container.container import Container
from compressnet.container.index import unpack_index
from compressnet.errors import CompressnetError
from compressnet.native.library import CPU_VARIABLE
from compressnet.wire import Reader
from conformance_set.layout import SIGNATURE, Chunk, Layout
from conformance_set.outcome import MANIFEST, codec_for
from conftest import CONFORMANCE
from mutated_codecs import WrongPixelsError, changed_packed


def taken_apart(data: bytes) -> Layout:
    """A whole archive in its parts, its index as it is but for lengths."""
    chunks: list[Chunk] = []
    position = len(SIGNATURE)
    starts: list[int] = []
    while position < len(data):
        length = int.from_bytes(data[position + 4 : position + 8], "big")
        starts.append(position)
        chunks.append((data[position : position + 4], data[position + 8 : position + 8 + length]))
        position += length + 12
    payload = chunks[-2][1]
    index = unpack_index(payload, len(data), "it")
    reader = Reader(payload, "it")
    order = [reader.varint(1 << 40) for _ in range(5)][4]
    reader.varints(2 * len(index.counts_E), 1 << 40)
    first = starts.index(index.first_block)
    last = first + len(index.counts_E)
    listed = zip(chunks[first:last], index.counts_E.tolist(), strict=True)
    return Layout(
        head=chunks[0][1],
        front=chunks[1:first],
        entries=[(kind, payload, images) for (kind, payload), images in listed],
        extras=chunks[last:-2],
        images=index.images,
        order=order,
        listed_places=reader.take(reader.left),
    )


def changed_bytes(data: bytes, chance: random.Random) -> bytes:
    """Bytes changed, left out or repeated; what is deflated is changed inside, too."""
    changed = bytearray(data)
    way = chance.randrange(6)
    place = chance.randrange(max(1, min(len(changed), chance.choice([8, 16, 1 << 20]))))
    if way == 0:
        for start in (0, 1, 2, 3):
            with suppress(zlib.error, ValueError):
                raw = bytearray(zlib.decompress(data[start:]))
                raw[chance.randrange(len(raw))] = chance.randrange(256)
                return data[:start] + zlib.compress(bytes(raw), 9)
    if way == 1 and changed:
        del changed[place : place + chance.choice([1, 1, 4, 1 << 20])]
    elif way == 2:
        changed[place:place] = chance.choice([b"\0", b"\xff", b"\x80", changed[place : place + 8]])
    elif changed:
        for _ in range(chance.choice([1, 1, 1, 4])):
            changed[chance.choice([place, chance.randrange(len(changed))])] = chance.choice(
                [0, 1, 127, 128, 255, chance.randrange(256)]
            )
    return bytes(changed)


@functools.cache
def whole_archives() -> dict[str, str | None]:
    """Archives that are read, and the codec of each."""
    entries = json.loads((CONFORMANCE / MANIFEST).read_text())
    return {
        name: entry.get("codec") for name, entry in entries.items() if name.endswith(".cnet") and "error" not in entry
    }


@functools.cache
def archive_data(name: str) -> bytes:
    return (CONFORMANCE / name).read_bytes()


@functools.cache
def codec_of(name: str | None, backend: BackendName | None = None) -> Codec | None:
    return codec_for(CONFORMANCE, name, backend)


@functools.cache
def images_of(name: str) -> tuple[np.ndarray, ...]:
    with compressnet.open(archive_data(name), codec_of(whole_archives()[name]), threads=1) as archive:
        return tuple(archive)


def changed_archive(name: str, chance: random.Random) -> tuple[bytes, int | None]:
    """An archive with one of its chunks changed.

    Gives its bytes, and the first place of the block that was changed; -1 where it was labels or
    names alone, None where anything may be different.
    """
    layout = taken_apart(archive_data(name))
    part = chance.choice(
        [part for part in ("front", "entries", "extras", "index") if part == "index" or getattr(layout, part)]
    )
    if part == "index":
        if chance.randrange(2):
            layout.listed_places = changed_bytes(layout.listed_places or b"", chance)
        else:
            changes = {
                "images": (layout.images or 0) + chance.choice([-1, 1, 1 << 20]),
                "order": chance.randrange(4),
                "extra_bytes": chance.randrange(1 << 10),
                "first_block": chance.randrange(len(archive_data(name))),
                "tail": chance.choice([0, chance.randrange(len(archive_data(name))), 1 << 63]),
                "head": bytes([chance.randrange(4)]),
            }
            key = chance.choice(list(changes))
            layout = replace(layout, **{key: changes[key]})
            if key == "images" and (layout.images or 0) < 0:
                layout.images = 0
        return layout.data(), None
    chunks = getattr(layout, part)
    number = chance.randrange(len(chunks))
    kind, payload, *images = chunks[number]
    payload = changed_packed_chunk(payload, chance) if kind == b"CODC" else changed_bytes(payload, chance)
    chunks[number] = (kind, payload, *images)
    if part == "extras":
        return layout.data(), -1
    first = sum(entry[2] for entry in layout.entries[:number]) if part == "entries" and images[0] else None
    return layout.data(), first


def changed_packed_chunk(payload: bytes, chance: random.Random) -> bytes:
    """A CODC chunk's payload; what it embeds is changed inside, where that is a packed codec."""
    name_end = 33 + payload[32]
    head, embedded = payload[: name_end + 1], payload[name_end + 1 :]
    if payload[name_end] != 2 or chance.randrange(4) == 0:
        return changed_bytes(payload, chance)
    return head + changed_packed(embedded, chance)


@contextmanager
def core_of(name: str | None) -> Iterator[None]:
    """Readers use this variant of the core."""
    before = os.environ.get(CPU_VARIABLE)
    if name is not None:
        os.environ[CPU_VARIABLE] = name
    try:
        yield
    finally:
        if name is not None:
            os.environ.pop(CPU_VARIABLE)
            if before is not None:
                os.environ[CPU_VARIABLE] = before


def read_archive(name: str, data: bytes, changed_first: int | None) -> None:
    """Use all that there is of an archive, and compare its pixels. Raises no error of ours."""
    codec = codec_of(whole_archives()[name])
    found: list[np.ndarray | None] = []
    with suppress(CompressnetError), compressnet.open(data, codec, threads=1) as archive:
        for i in range(min(len(archive), 300)):
            image = None
            with suppress(CompressnetError):
                image = archive[i]
            found.append(image)
        uses: list[Callable[[], object]] = [
            lambda: archive[:20],
            lambda: (archive.labels, archive.shapes),
            lambda: archive.names,
            lambda: archive.class_names,
            lambda: archive.symbols[:3],
            archive.check,
        ]
        for each in uses if len(archive) else ():
            with suppress(CompressnetError):
                each()
        if changed_first is not None:
            _compare(found, images_of(name), archive.container, changed_first)
    learned = b"PRIM" in data
    if CORES and learned and len(CORES) > 1:
        with core_of(CORES[-1]):
            _compare_backend(data, codec, None, found)
    elif CORES and not learned:
        _compare_backend(data, codec_of(whole_archives()[name], "numpy"), "numpy", found)


def _compare(
    found: list[np.ndarray | None], known: tuple[np.ndarray, ...], container: Container, changed_first: int
) -> None:
    """Images of all blocks but the changed one are as they were."""
    blocks_N = container.blocks_of(container.places_of(np.arange(len(found))))
    changed = -1 if changed_first < 0 else int(container.blocks_of(np.array([changed_first]))[0])
    for number, (image, expected) in enumerate(zip(found, known, strict=False)):
        if blocks_N[number] != changed and not (image is not None and _same(image, expected)):
            raise WrongPixelsError(f"image {number} of an undamaged block changed")


def _compare_backend(
    data: bytes, codec: Codec | None, backend: BackendName | None, found: list[np.ndarray | None]
) -> None:
    """Another way of reading gives the same images, or the same refusals."""
    again: list[np.ndarray | None] = []
    with suppress(CompressnetError), compressnet.open(data, codec, backend, 1) as archive:
        for i in range(min(len(archive), 300)):
            image = None
            with suppress(CompressnetError):
                image = archive[i]
            again.append(image)
    for number, (first, second) in enumerate(zip(found, again, strict=True)):
        if (first is None) != (second is None) or (
            first is not None and second is not None and not _same(first, second)
        ):
            raise WrongPixelsError(f"image {number} differs by {backend or 'another variant'}")


def _same(first: np.ndarray, second: np.ndarray) -> bool:
    return first.dtype == second.dtype and np.array_equal(first, second)
