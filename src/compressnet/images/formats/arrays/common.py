"""Arrays of images, wherever they are: what .npy, .npz and IDX have in common."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from compressnet.errors import InputError
from compressnet.images.account import Ledger
from compressnet.images.arrays.depths import Depth, depth_of, require_type, type_text
from compressnet.images.arrays.labels import texts_from_array
from compressnet.images.arrays.layouts import Layout, layout_of
from compressnet.images.collection import Collection, batch_images, one_shape
from compressnet.images.kinds import Pictures
from compressnet.images.names import tidy_path
from compressnet.images.reading import Reading
from compressnet.images.untrusted import Readable, input_errors

Blocks = Callable[[Layout], Iterator[NDArray[Any]]]
"""Reads an array from its start: blocks (n,...) of its values as `Layout.stored` has them."""
Opener = Callable[[], AbstractContextManager[BinaryIO]]
"""Opens a stream of a file's bytes from their start, anew each time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArraySource:
    """An array of images that is not read yet, but for its shape and type."""

    name: str
    """What errors call it."""
    short_name: str
    """What the account calls it."""
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    blocks: Blocks
    span: Callable[[Layout, int, int], Iterator[NDArray[Any]]] | None = None
    """As `blocks`, of images start to stop - 1 alone, where those before need not be read."""
    type_is: str = "values of type"
    """What stands before the type in errors."""

    @property
    def where(self) -> str:
        """What errors of its type begin with."""
        return f"{self.name}: {self.type_is}"


def array_collections(sources: Sequence[ArraySource], reading: Reading) -> list[Collection]:
    """A collection of each array, without labels and names.

    Where values are made 8 bits, those of one type are so in the same way in all arrays; that
    takes reading them once before. Raises InputError.
    """
    layouts = [layout_of(source.name, source.shape) for source in sources]
    for source in sources:
        require_type(source.where, source.dtype, reading)
    depths: dict[str, Depth] = {}
    for source in sources:
        kind = type_text(source.dtype)
        if kind not in depths:
            alike = [pair for pair in zip(sources, layouts, strict=True) if type_text(pair[0].dtype) == kind]
            blocks = (block for other, layout in alike for block in _named(other.name, other.blocks(layout)))
            depths[kind] = depth_of(source.where, source.dtype, blocks, reading)
    return [
        _collection(source, layout, depths[type_text(source.dtype)])
        for source, layout in zip(sources, layouts, strict=True)
    ]


def _named(name: str, blocks: Iterator[NDArray[Any]]) -> Iterator[NDArray[Any]]:
    """The same, with errors that name the file."""
    with input_errors(name):
        yield from blocks


def _collection(source: ArraySource, layout: Layout, depth: Depth) -> Collection:
    ledger = Ledger()
    for note in (layout.note, depth.note):
        if note:
            ledger.change(note, source.short_name)

    def shown(blocks: Iterator[NDArray[Any]]) -> Iterator[Pictures]:
        for block in _named(source.name, blocks):
            yield depth.apply(np.ascontiguousarray(layout.images(block)))

    blocks_between = source.span
    return Collection(
        name=source.name,
        count=layout.count,
        batches=lambda: shown(source.blocks(layout)),
        span=None if blocks_between is None else lambda start, stop: shown(blocks_between(layout, start, stop)),
        account=ledger.account(labels="", names=""),
    )


def streamed_blocks(
    stream: Readable, dtype: np.dtype[Any], layout: Layout, name: str, images: int | None = None
) -> Iterator[NDArray[Any]]:
    """The blocks of an array whose values stand in a stream, in C's order.

    images: how many are read, by default all. Raises InputError where they end too early.
    """
    image_bytes = math.prod(layout.stored[1:]) * dtype.itemsize
    step = batch_images(image_bytes)
    total = layout.count if images is None else images
    for i in range(0, total, step):
        count = min(step, total - i)
        data = read_exactly(stream, count * image_bytes, name)
        yield np.frombuffer(data, dtype).reshape(count, *layout.stored[1:])


def cut_blocks(array: NDArray[Any], layout: Layout) -> Iterator[NDArray[Any]]:
    """The blocks of an array that is there, or mapped into memory, in any order."""
    rows = array if len(array) == layout.count else array[None]
    step = batch_images(math.prod(layout.stored[1:]) * array.dtype.itemsize)
    for i in range(0, len(rows), step):
        block = rows[i : i + step]
        yield block.reshape(len(block), *layout.stored[1:])


def read_exactly(stream: Readable, wanted_bytes: int, name: str) -> bytes:
    """Bytes of a promised number. A stream that is shorter takes no more memory than it has."""
    parts: list[bytes] = []
    left = wanted_bytes
    while left:
        parts.append(stream.read(min(left, 1 << 26)))
        left -= len(parts[-1])
        if not parts[-1]:
            raise InputError(f"{name}: cannot be read; it is cut off, {left} of {wanted_bytes} bytes are missing")
    return b"".join(parts)


def names_from_array(array: NDArray[Any], count: int, name: str, ledger: Ledger) -> list[str]:
    """The names of `count` images from an array of texts.

    Raises InputError where it holds no such texts.
    """
    texts = texts_from_array(array)
    if isinstance(texts, str) or len(texts) != count:
        why = texts if isinstance(texts, str) else f"holds {len(texts)}"
        raise InputError(f"{name}: {why}; there has to be one text for each of {count} images")
    tidy = [tidy_path(text) for text in texts]
    for text, path in zip(texts, tidy, strict=True):
        if text != path:
            ledger.change("name made a relative path without control characters", path)
    return tidy


def first_kind(batches: Iterable[Pictures], what: str) -> tuple[tuple[int, ...], np.dtype[Any], Iterator[Pictures]]:
    """The shape (H,W[,C]) and type of images that are all alike, and all their arrays.

    Raises InputError for no images and, while the arrays are taken, where another shape or type
    follows.
    """
    same = one_shape(batches, what, "an array takes one size and mode; write a folder, .zip, .tar or .parquet instead")
    first = next(same, None)
    if first is None:
        raise InputError(f"{what}: there are no images to write")

    def chained() -> Iterator[Pictures]:
        yield first
        yield from same

    return first.shape[1:], first.dtype, chained()
