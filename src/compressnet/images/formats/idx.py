"""IDX, the format of MNIST's files: a header of sizes, then the values, gzipped or not."""

from __future__ import annotations

import gzip
import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from compressnet.errors import InputError
from compressnet.images.collection import Collection, batch_images
from compressnet.images.formats.npy import first_shape, require_images
from compressnet.images.kinds import Images
from compressnet.images.untrusted import Readable, input_errors

UINT8 = 0x08
_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4"}


def idx_collection(name: str, open_stream: Callable[[], BinaryIO]) -> Collection:
    """The images of an IDX file (N,H,W[,C]), streamed. Raises InputError."""
    with input_errors(name), open_stream() as stream:
        shape, dtype = _read_header(stream, name)
    require_images(name, shape, dtype)
    image_bytes = math.prod(shape[1:])
    step = batch_images(image_bytes)

    def batches() -> Iterator[Images]:
        with input_errors(name), open_stream() as stream:
            _read_header(stream, name)
            for i in range(0, shape[0], step):
                count = min(step, shape[0] - i)
                data = stream.read(count * image_bytes)
                if len(data) != count * image_bytes:
                    there = i + len(data) // image_bytes
                    raise InputError(f"{name}: cut off; {shape[0]} images promised, {there} there")
                yield np.frombuffer(data, np.uint8).reshape(count, *shape[1:])
            if stream.read(1):
                raise InputError(f"{name}: has more bytes than its {shape[0]} images take")

    return Collection(name=name, count=shape[0], batches=batches)


def read_idx(stream: Readable, name: str) -> NDArray[Any]:
    """A whole IDX file, as files of labels are. Raises InputError."""
    shape, dtype = _read_header(stream, name)
    return np.frombuffer(stream.read(), dtype).reshape(shape)


def write_idx(stream: BinaryIO, batches: Iterable[Images], count: int, name: str) -> None:
    """Images of one shape (n,H,W[,C]) as an IDX file. Raises InputError for several shapes."""
    shape, same = first_shape(batches, name)
    stream.write(bytes([0, 0, UINT8, len(shape) + 1]) + np.array([count, *shape], ">u4").tobytes())
    for batch in same:
        stream.write(np.ascontiguousarray(batch).tobytes())


def write_idx_gzip(stream: BinaryIO, batches: Iterable[Images], count: int, name: str) -> None:
    """The same, gzipped; no time goes into the file, so equal images give equal bytes."""
    with gzip.GzipFile(filename="", mode="wb", fileobj=stream, mtime=0) as zipped:
        write_idx(zipped, batches, count, name)  # pyright: ignore[reportArgumentType]


def _read_header(stream: Readable, name: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and type, from the first bytes."""
    magic = stream.read(4)
    if len(magic) != 4 or magic[:2] != b"\0\0" or magic[2] not in _TYPES or not 1 <= magic[3] <= 4:
        raise InputError(f"{name}: not an IDX file")
    sizes = stream.read(4 * magic[3])
    if len(sizes) != 4 * magic[3]:
        raise InputError(f"{name}: cut off within its header")
    return tuple(np.frombuffer(sizes, ">u4").astype(int).tolist()), np.dtype(_TYPES[magic[2]])
