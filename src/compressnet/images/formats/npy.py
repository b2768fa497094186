"""NumPy's .npy: one array, mapped into memory where it is a plain file, else streamed."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from compressnet.errors import InputError
from compressnet.images.collection import Collection, batch_images, one_shape
from compressnet.images.kinds import Images
from compressnet.images.untrusted import Readable, as_binary, input_errors
from compressnet.limits import IMAGES_LIMIT, SIDE_LIMIT_PX

NPY_MAGIC = b"\x93NUMPY"


@dataclass(frozen=True, slots=True, kw_only=True)
class NpyHeader:
    """What stands before the values of a .npy file."""

    shape: tuple[int, ...]
    fortran_order: bool
    dtype: np.dtype[Any]


def require_images(name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    """Raises InputError for arrays that are no uint8 images (N,H,W) or (N,H,W,C)."""
    if dtype != np.uint8:
        raise InputError(f"{name}: values of type {dtype}; images have to be uint8, so scale them to 0..255 first")
    if len(shape) not in (3, 4) or (len(shape) == 4 and shape[3] > 4):
        raise InputError(f"{name}: an array of shape {shape} is no collection of images (N,H,W) or (N,H,W,C)")
    if shape[0] == 0:
        raise InputError(f"{name}: holds no images")
    if 0 in shape or max(shape[1:3]) > SIDE_LIMIT_PX or shape[0] > IMAGES_LIMIT:
        raise InputError(f"{name}: images of {shape[1]}x{shape[2]} pixels are beyond the limits")


def mapped_collection(path: Path) -> Collection:
    """The images of a .npy file, which is mapped into memory. Raises InputError."""
    name = str(path)
    with input_errors(name), path.open("rb") as stream:
        header = _read_header(stream, name)
        require_images(name, header.shape, header.dtype)
        order = "F" if header.fortran_order else "C"
        array = np.memmap(path, header.dtype, "r", stream.tell(), header.shape, order)  # checks the length
    if header.fortran_order:
        return Collection(name=name, count=len(array), batches=lambda: _cut(array))
    # pages of a mapped file that were read would count as memory of this process
    return npy_collection(name, lambda: path.open("rb"))


def npy_collection(name: str, open_stream: Callable[[], BinaryIO]) -> Collection:
    """The images of a .npy file that is no plain file: gzipped, in memory, in a ZIP.

    Raises InputError.
    """
    with input_errors(name), open_stream() as stream:
        header = _read_header(stream, name)
    require_images(name, header.shape, header.dtype)

    def batches() -> Iterator[Images]:
        with input_errors(name), open_stream() as stream:
            if header.fortran_order:  # the last image begins right after the first: no streaming
                yield from _cut(read_npy(stream, name))
                return
            _read_header(stream, name)
            image_bytes = math.prod(header.shape[1:])
            step = batch_images(image_bytes)
            for i in range(0, header.shape[0], step):
                count = min(step, header.shape[0] - i)
                data = _read_exactly(stream, count * image_bytes, name)
                yield np.frombuffer(data, np.uint8).reshape(count, *header.shape[1:])

    return Collection(name=name, count=header.shape[0], batches=batches)


def _cut(array: Images) -> Iterator[Images]:
    step = batch_images(math.prod(array.shape[1:]))
    for i in range(0, len(array), step):
        yield np.ascontiguousarray(array[i : i + step])


def read_npy(stream: Readable, name: str) -> NDArray[Any]:
    """A whole array from a stream, of any type but Python's objects. Raises InputError."""
    header = _read_header(stream, name)
    data = _read_exactly(stream, math.prod(header.shape) * header.dtype.itemsize, name)
    order = "F" if header.fortran_order else "C"
    return np.frombuffer(data, header.dtype).reshape(header.shape, order=order)


def _read_header(stream: Readable, name: str) -> NpyHeader:
    file = as_binary(stream)
    try:
        with warnings.catch_warnings(action="ignore"):
            version = np.lib.format.read_magic(file)
            if version not in ((1, 0), (2, 0)):
                raise InputError(f"{name}: .npy of version {version}; save it again with plain uint8 values")
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, fortran_order, dtype = read(file)
    except InputError:
        raise
    except Exception as error:  # NumPy runs the text through Python's parser, which raises nearly anything
        raise InputError(f"{name}: cannot be read ({error}); is the file damaged or cut off?") from error
    if any(side < 0 for side in shape):
        raise InputError(f"{name}: cannot be read; the array's shape is {shape}")
    if dtype.hasobject:
        raise InputError(f"{name}: holds Python objects, which are never loaded; save plain numbers or texts")
    return NpyHeader(shape=shape, fortran_order=fortran_order, dtype=dtype)


def _read_exactly(stream: Readable, wanted_bytes: int, name: str) -> bytes:
    """Bytes of a promised number. A stream that is shorter takes no more memory than it has."""
    parts: list[bytes] = []
    left = wanted_bytes
    while left:
        parts.append(stream.read(min(left, 1 << 26)))
        left -= len(parts[-1])
        if not parts[-1]:
            raise InputError(f"{name}: cannot be read; it is cut off, {left} of {wanted_bytes} bytes are missing")
    return b"".join(parts)


def first_shape(batches: Iterable[Images], what: str) -> tuple[tuple[int, ...], Iterator[Images]]:
    """The shape (H,W[,C]) of images that are all alike, and all their arrays.

    Raises InputError for no images and, while the arrays are taken, where another shape follows.
    """
    same = one_shape(batches, what, "an array takes one size and mode; write a folder, .zip, .tar or .parquet instead")
    first = next(same, None)
    if first is None:
        raise InputError(f"{what}: there are no images to write")

    def chained() -> Iterator[Images]:
        yield first
        yield from same

    return first.shape[1:], chained()


def write_npy(stream: BinaryIO, batches: Iterable[Images], count: int, name: str = "standard output") -> None:
    """Images of one shape (n,H,W[,C]) as a .npy file, array by array.

    Raises InputError for several shapes.
    """
    shape, same = first_shape(batches, name)
    header: dict[str, Any] = {"descr": "|u1", "fortran_order": False, "shape": (count, *shape)}
    np.lib.format.write_array_header_1_0(stream, header)
    for batch in same:
        stream.write(np.ascontiguousarray(batch).tobytes())
