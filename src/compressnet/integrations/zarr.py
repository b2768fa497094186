"""A Zarr v3 codec from arrays of images to bytes, and Zarr arrays as collections of images.

The codec's entry point is `compressnet`:

    zarr.create_array(store, shape=(10000, 28, 28), chunks=(1000, 28, 28), dtype="uint8",
                      serializer=CompressnetCodec(), compressors=None)

Chunks are (n,h,w) or (n,h,w,c), uint8 or uint16, and each is an archive of its own.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from compressnet.errors import InputError
from compressnet.images import Collection, Reading
from compressnet.images.arrays.layouts import Layout
from compressnet.images.collection import batch_images
from compressnet.images.formats.arrays.common import ArraySource, array_collections
from compressnet.integrations.chunks import ChunkCoding, make_coding, require_known
from compressnet.integrations.hosts import missing_host

try:
    import zarr
    from zarr.abc.codec import ArrayBytesCodec
    from zarr.core.common import parse_named_configuration
except ModuleNotFoundError as error:
    raise missing_host("Zarr", "zarr") from error

if TYPE_CHECKING:
    from zarr.core.array_spec import ArraySpec
    from zarr.core.buffer import Buffer, NDBuffer
    from zarr.core.chunk_grids import ChunkGrid
    from zarr.core.dtype.wrapper import ZDType

NAME = "compressnet"


@dataclass(frozen=True, init=False)
class CompressnetCodec(ArrayBytesCodec):
    """Codes each chunk of images as an archive; without arguments without loss."""

    coding: ChunkCoding
    is_fixed_size = False

    def __init__(
        self,
        codec: str | os.PathLike[str] | None = None,
        quality: int | None = None,
        max_error: int | None = None,
        effort: int | None = None,
        identity: str | None = None,
        embedded: str | None = None,
        *,
        embed: bool | None = None,
    ) -> None:
        """As for `compressnet.integrations.chunks.make_coding`."""
        coding = make_coding(codec, quality, max_error, effort, identity, embedded, embed=embed)
        object.__setattr__(self, "coding", coding)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """From an array's metadata. Raises InputError for what this version does not know."""
        _, configuration = parse_named_configuration(data, NAME, require_configuration=False)
        found: dict[str, Any] = dict(configuration or {})
        require_known(found)
        return cls(**found)

    def to_dict(self) -> dict[str, Any]:
        """As an array's metadata keep it."""
        return {"name": NAME, "configuration": self.coding.config()}

    def evolve_from_array_spec(self, array_spec: ArraySpec) -> Self:
        """The same. Raises InputError for other types, or another number of axes, than it codes.

        This is what arrays with shards are asked as well, where `validate` is not.
        """
        self.coding.check_axes(len(array_spec.shape), array_spec.dtype.to_native_dtype().newbyteorder("<"))
        return self

    def validate(self, *, shape: tuple[int, ...], dtype: ZDType[Any, Any], chunk_grid: ChunkGrid) -> None:
        """Raises InputError for chunks that it does not code."""
        chunk = getattr(chunk_grid, "chunk_shape", shape)
        self.coding.check(chunk, dtype.to_native_dtype().newbyteorder("<"))

    def compute_encoded_size(self, input_byte_length: int, chunk_spec: ArraySpec) -> int:
        """Raises NotImplementedError: it depends on the images."""
        raise NotImplementedError

    async def _encode_single(self, chunk_data: NDBuffer, chunk_spec: ArraySpec) -> Buffer:
        images = chunk_data.as_numpy_array()
        little = images.astype(images.dtype.newbyteorder("<"), copy=False)
        data = await asyncio.to_thread(self.coding.encode, little)
        return chunk_spec.prototype.buffer.from_bytes(data)

    async def _decode_single(self, chunk_data: Buffer, chunk_spec: ArraySpec) -> NDBuffer:
        images = await asyncio.to_thread(self.coding.decode, chunk_data.to_bytes(), chunk_spec.shape)
        found = images.astype(chunk_spec.dtype.to_native_dtype(), copy=False)
        return chunk_spec.prototype.nd_buffer.from_numpy_array(found)


def zarr_collection(source: str, reading: Reading) -> Collection:
    """The images of a Zarr array (N,H,W[,C]), of either version of its format, by its path.

    Raises InputError for what is no array of images.
    """
    try:
        array = zarr.open_array(source, mode="r")
    except Exception as error:  # Zarr's stores and metadata raise nearly anything
        raise InputError(f"{source}: cannot be opened as a Zarr array ({error}); give the path of one array") from error
    shape = tuple(map(int, array.shape))

    def span(layout: Layout, start: int, stop: int) -> Iterator[NDArray[Any]]:
        step = batch_images(int(np.prod(layout.stored[1:])) * array.dtype.itemsize)
        chunk = int(array.chunks[0])
        step = step // chunk * chunk or step  # no chunk is decoded twice, unless it is longer
        while start < stop:
            end = min(stop, (start // step + 1) * step)
            block = np.asarray(array[start:end] if layout.count == shape[0] else array[...])
            yield block.reshape(end - start, *layout.stored[1:])
            start = end

    images = ArraySource(
        name=source,
        short_name=Path(source).name,
        shape=shape,
        dtype=np.dtype(array.dtype),
        blocks=lambda layout: span(layout, 0, layout.count),
        span=span,
        type_is="Zarr array of type",
    )
    return array_collections([images], reading)[0]
