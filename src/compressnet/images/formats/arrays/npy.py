"""NumPy's .npy: one array, mapped into memory where it is a plain file, else streamed."""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from compressnet.errors import InputError
from compressnet.images.arrays.layouts import Layout
from compressnet.images.formats.arrays.common import (
    ArraySource,
    Opener,
    cut_blocks,
    first_kind,
    read_exactly,
    streamed_blocks,
)
from compressnet.images.kinds import Pictures
from compressnet.images.untrusted import Readable, as_binary, input_errors

NPY_MAGIC = b"\x93NUMPY"


@dataclass(frozen=True, slots=True, kw_only=True)
class NpyHeader:
    """What stands before the values of a .npy file."""

    shape: tuple[int, ...]
    fortran_order: bool
    dtype: np.dtype[Any]


def mapped_source(path: Path, short_name: str) -> ArraySource:
    """The array of a .npy file that can be mapped into memory. Raises InputError."""
    name = str(path)
    with input_errors(name), path.open("rb") as stream:
        header = read_header(stream, name)
        require_no_objects(header, name)
        order = "F" if header.fortran_order else "C"
        array: NDArray[Any] | None = None
        if 0 not in header.shape:
            array = np.memmap(path, header.dtype, "r", stream.tell(), header.shape, order)  # checks the length
    if array is None or not header.fortran_order:
        # pages of a mapped file that were read would count as memory of this process
        source = npy_source(name, short_name, lambda: path.open("rb"))
        return source if header.fortran_order else replace(source, span=partial(_span, path, header))
    return ArraySource(
        name=name,
        short_name=short_name,
        shape=header.shape,
        dtype=header.dtype,
        blocks=lambda layout: cut_blocks(array, layout),
    )


def _span(path: Path, header: NpyHeader, layout: Layout, start: int, stop: int) -> Iterator[NDArray[Any]]:
    """Images start to stop - 1 of a plain file, by their place in it."""
    with path.open("rb") as stream:
        read_header(stream, str(path))
        stream.seek(start * math.prod(layout.stored[1:]) * header.dtype.itemsize, io.SEEK_CUR)
        yield from streamed_blocks(stream, header.dtype, layout, str(path), stop - start)


def npy_source(name: str, short_name: str, open_stream: Opener) -> ArraySource:
    """The array of a .npy file that is no plain file: gzipped, in memory, in a ZIP.

    Raises InputError.
    """
    with input_errors(name), open_stream() as stream:
        header = read_header(stream, name)
    require_no_objects(header, name)

    def blocks(layout: Layout) -> Iterator[NDArray[Any]]:
        with open_stream() as stream:
            if header.fortran_order:  # the last image begins right after the first: no streaming
                yield from cut_blocks(read_npy(stream, name), layout)
                return
            read_header(stream, name)
            yield from streamed_blocks(stream, header.dtype, layout, name)

    return ArraySource(name=name, short_name=short_name, shape=header.shape, dtype=header.dtype, blocks=blocks)


def read_npy(stream: Readable, name: str) -> NDArray[Any]:
    """A whole array from a stream, of any type but Python's objects. Raises InputError."""
    header = read_header(stream, name)
    require_no_objects(header, name)
    data = read_exactly(stream, math.prod(header.shape) * header.dtype.itemsize, name)
    order = "F" if header.fortran_order else "C"
    return np.frombuffer(data, header.dtype).reshape(header.shape, order=order)


def read_header(stream: Readable, name: str) -> NpyHeader:
    """What stands before the values. Raises InputError."""
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
    return NpyHeader(shape=shape, fortran_order=fortran_order, dtype=dtype)


def require_no_objects(header: NpyHeader, name: str) -> None:
    """Raises InputError for an array of Python's objects: loading these runs what is in them."""
    if header.dtype.hasobject:
        raise InputError(f"{name}: holds Python objects, which are never loaded; save plain numbers or texts")


def write_npy(stream: BinaryIO, batches: Iterable[Pictures], count: int, name: str = "standard output") -> None:
    """Images of one shape (n,H,W[,C]) as a .npy file, array by array; uint8 or uint16.

    Raises InputError for several shapes or types.
    """
    shape, dtype, same = first_kind(batches, name)
    stored = dtype.newbyteorder("<")
    header: dict[str, Any] = {"descr": stored.str, "fortran_order": False, "shape": (count, *shape)}
    np.lib.format.write_array_header_1_0(stream, header)
    for batch in same:
        stream.write(np.ascontiguousarray(batch, stored).tobytes())


def write_array(stream: BinaryIO, array: NDArray[Any]) -> None:
    """A whole array, integers or texts, as a .npy file."""
    np.lib.format.write_array(stream, np.ascontiguousarray(array), allow_pickle=False)
