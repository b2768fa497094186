"""IDX, the format of MNIST's files: a header of sizes, then the values, gzipped or not."""

from __future__ import annotations

import gzip
import math
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from compressnet.errors import InputError
from compressnet.images.arrays.layouts import Layout
from compressnet.images.collection import batch_images
from compressnet.images.formats.arrays.common import ArraySource, Opener, first_kind
from compressnet.images.kinds import Pictures
from compressnet.images.untrusted import Readable, input_errors

UINT8 = 0x08
_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def idx_source(name: str, short_name: str, open_stream: Opener) -> ArraySource:
    """The array of an IDX file, streamed. Raises InputError."""
    with input_errors(name), open_stream() as stream:
        shape, dtype = read_idx_header(stream, name)

    def blocks(layout: Layout) -> Iterator[NDArray[Any]]:
        image_bytes = math.prod(layout.stored[1:]) * dtype.itemsize
        step = batch_images(image_bytes)
        with open_stream() as stream:
            read_idx_header(stream, name)
            for i in range(0, layout.count, step):
                count = min(step, layout.count - i)
                data = stream.read(count * image_bytes)
                if len(data) != count * image_bytes:
                    there = i + len(data) // image_bytes
                    raise InputError(f"{name}: cut off; {layout.count} images promised, {there} there")
                yield np.frombuffer(data, dtype).reshape(count, *layout.stored[1:])
            if stream.read(1):
                raise InputError(f"{name}: has more bytes than its {layout.count} images take")

    return ArraySource(name=name, short_name=short_name, shape=shape, dtype=dtype, blocks=blocks, type_is="IDX of")


def read_idx(stream: Readable, name: str) -> NDArray[Any]:
    """A whole IDX file, as files of labels are. Raises InputError."""
    shape, dtype = read_idx_header(stream, name)
    data = stream.read()
    if len(data) != math.prod(shape) * dtype.itemsize:
        what = "cut off" if len(data) < math.prod(shape) * dtype.itemsize else "has more bytes than its header says"
        raise InputError(f"{name}: {what}; {math.prod(shape)} values of {dtype.itemsize} bytes promised")
    return np.frombuffer(data, dtype).reshape(shape)


def write_idx(stream: BinaryIO, batches: Iterable[Pictures], count: int, name: str) -> None:
    """Images of one shape (n,H,W[,C]) as an IDX file.

    Raises InputError for several shapes, and for 16 bits.
    """
    shape, dtype, same = first_kind(batches, name)
    if dtype != np.uint8:
        raise InputError(f"{name}: IDX has no type for images of {dtype}; write .npy or .npz instead")
    stream.write(bytes([0, 0, UINT8, len(shape) + 1]) + np.array([count, *shape], ">u4").tobytes())
    for batch in same:
        stream.write(np.ascontiguousarray(batch).tobytes())


def write_idx_gzip(stream: BinaryIO, batches: Iterable[Pictures], count: int, name: str) -> None:
    """The same, gzipped; no time goes into the file, so equal images give equal bytes."""
    with gzip.GzipFile(filename="", mode="wb", fileobj=stream, mtime=0) as zipped:
        write_idx(zipped, batches, count, name)  # pyright: ignore[reportArgumentType]


def read_idx_header(stream: Readable, name: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and type, from the first bytes. Raises InputError."""
    magic = stream.read(4)
    if len(magic) != 4 or magic[:2] != b"\0\0" or magic[2] not in _TYPES or not magic[3]:
        raise InputError(f"{name}: not an IDX file")
    sizes = stream.read(4 * magic[3])
    if len(sizes) != 4 * magic[3]:
        raise InputError(f"{name}: cut off within its header")
    return tuple(np.frombuffer(sizes, ">u4").astype(int).tolist()), np.dtype(_TYPES[magic[2]])
