"""A codec of numcodecs, for arrays of Zarr v2; its entry point is `compressnet`.

    zarr.create_array(store, shape=(10000, 28, 28), chunks=(1000, 28, 28), dtype="uint8",
                      zarr_format=2, compressors=Compressnet())

What it encodes are arrays (n,h,w) or (n,h,w,c), uint8 or uint16 in little-endian and C order.
"""

from __future__ import annotations

import os
from typing import Any, Self

from compressnet.errors import InputError
from compressnet.integrations.chunks import make_coding, require_known
from compressnet.integrations.hosts import missing_host

try:
    from numcodecs.abc import Codec
    from numcodecs.compat import ensure_bytes, ensure_ndarray, ndarray_copy
except ModuleNotFoundError as error:
    raise missing_host("numcodecs", "numcodecs") from error


class Compressnet(Codec):
    """Codes arrays of images as archives; without arguments without loss."""

    codec_id = "compressnet"

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
        self._coding = make_coding(codec, quality, max_error, effort, identity, embedded, embed=embed)

    def encode(self, buf: Any) -> Any:
        """Images as the bytes of an archive.

        Raises InputError for what is no array of images in C order.
        """
        images = ensure_ndarray(buf)
        self._coding.check(images.shape, images.dtype)
        if images.flags.f_contiguous and not images.flags.c_contiguous:
            raise InputError("chunks in Fortran order: compressnet codes images row by row; create them in order C")
        return self._coding.encode(images)

    def decode(self, buf: Any, out: Any = None) -> Any:
        """Images (n,h,w) or (n,h,w,c) from an archive, into `out` where it is given.

        Raises CorruptError, FormatError, CodecError.
        """
        images = self._coding.decode(ensure_bytes(buf))
        little = images.astype(images.dtype.newbyteorder("<"), copy=False)
        return little if out is None else ndarray_copy(little, out)

    @classmethod
    def from_config(cls, config: Any) -> Self:
        """From an array's metadata. Raises InputError for what this version does not know."""
        require_known(config)
        return cls(**config)

    def get_config(self) -> dict[str, Any]:
        """What `from_config` makes the same codec of, and its id."""
        return {"id": self.codec_id, **self._coding.config()}

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={value!r}" for name, value in self._coding.config().items())
        return f"{type(self).__name__}({arguments})"
