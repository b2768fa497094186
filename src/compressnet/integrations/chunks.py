"""Chunks of a store, each an array of images, as archives: what Zarr and numcodecs share.

    chunk (n,h,w) or (n,h,w,c), uint8 or uint16 -> encode -> an archive
    chunk (n,h,w) or (n,h,w,c), uint8 or uint16 <- decode <- an archive

Axes: n images, h rows, w columns, c channels.
"""

from __future__ import annotations

import base64
import binascii
import io
import os
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

import compressnet
from compressnet.codec.bundle import Bundle
from compressnet.codec.codec import Codec
from compressnet.codec.file import from_bytes, to_bytes
from compressnet.codec.loading import make_codec
from compressnet.codec.shipped import read_bundle, shipped_name
from compressnet.coding.coder import LOSSLESS_QUALITY
from compressnet.errors import CodecError, CodecNotFoundError, CorruptError, InputError
from compressnet.images.kinds import Pictures, size_text
from compressnet.limits import CHANNELS_LIMIT, CODEC_BYTES_LIMIT, SIDE_LIMIT_PX

CODECS_VARIABLE = "COMPRESSNET_CODECS"
"""The environment variable with folders of .codec files, as PATH has them."""
_IDENTITY = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class ChunkCoding:
    """How chunks are coded, as a store's metadata keep it; `make_coding` checks one."""

    codec: str | None = None
    """What the codec is called; None where each chunk learns from its images, without loss."""
    identity: str | None = None
    """The codec's, in hex."""
    quality: int | None = None
    max_error: int | None = None
    effort: int | None = None
    embedded: str | None = None
    """The codec without its encoder, deflated, in base64."""

    def config(self) -> dict[str, Any]:
        """What is not None, as JSON."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if value is not None}

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_loaded"}

    def check(self, shape: Sequence[int], dtype: np.dtype[Any]) -> None:
        """Raises InputError for chunks that are not coded: of other shapes, types or sizes."""
        self.check_axes(len(shape), dtype)
        height, width, channels = (*shape[1:], 1)[:3]
        if not 1 <= min(height, width) <= max(height, width) <= SIDE_LIMIT_PX or not 1 <= channels <= CHANNELS_LIMIT:
            raise InputError(
                f"chunks of {size_text(shape)}: an image has sides of 1 to {SIDE_LIMIT_PX} pixels and 1 to "
                f"{CHANNELS_LIMIT} channels; the axes are (n,h,w) or (n,h,w,c)"
            )
        if self.codec is not None and "_loaded" in self.__dict__:
            codec = self._codec()
            quality = codec.default_quality if self.quality is None else self.quality
            if dtype == np.uint8 and (reason := codec.why_not((height, width, channels), quality)):
                raise InputError(f"chunks of {size_text(shape)}: {reason}")

    def check_axes(self, axes: int, dtype: np.dtype[Any]) -> None:
        """Raises InputError for another number of axes, or another type, than is coded."""
        if axes not in (3, 4) or dtype not in (np.dtype("u1"), np.dtype("<u2")):
            raise InputError(
                f"chunks of {axes} axes and type {dtype.str}: compressnet codes images, which are chunks (n,h,w) or "
                "(n,h,w,c) of uint8 or little-endian uint16"
            )
        if dtype == np.dtype("<u2") and (self.codec is not None or self.quality not in (None, LOSSLESS_QUALITY)):
            raise InputError(
                "chunks of 16 bits are coded without loss and without a codec; leave codec and quality out"
            )

    def encode(self, images: Pictures) -> bytes:
        """A chunk (n,h,w) or (n,h,w,c) as an archive. Raises InputError, CodecError."""
        self.check(images.shape, images.dtype)
        stream = io.BytesIO()
        learned = self.codec is None
        compressnet.compress(
            np.ascontiguousarray(images),
            stream,
            None if learned else self._codec(),
            self.quality,
            self.effort,
            embed_codec=False,
            max_error=self.max_error,
            solid=learned,
            threads=1,
        )
        return stream.getvalue()

    def decode(self, data: bytes, shape: Sequence[int] | None = None) -> Pictures:
        """A chunk (n,h,w) or (n,h,w,c) from an archive.

        shape: what it should have. Raises CorruptError, FormatError; CodecError where the codec is
        not the one that the chunk needs, or is not at hand.
        """
        codec = None if self.codec is None else self._codec()
        with compressnet.open(data, codec, threads=1) as archive:
            if shape is not None and archive.shape != tuple(shape):
                found = size_text(archive.shape)
                raise CorruptError(f"a chunk of {found}, but the store says {size_text(shape)}; is it another's?")
            return archive.array()

    def _codec(self) -> Codec:
        """The codec, loaded once, with a thread: chunks go side by side."""
        if "_loaded" not in self.__dict__:
            object.__setattr__(self, "_loaded", make_codec(self._bundle(), None, 1, f"codec {self.codec}"))
        return self.__dict__["_loaded"]

    def _bundle(self) -> Bundle:
        """The codec of the identity: that of a folder, one that ships, or what is embedded."""
        assert self.codec is not None
        assert self.identity is not None
        identity = bytes.fromhex(self.identity)
        found = find_identity(identity, self.codec)
        if found is not None:
            return found
        if self.embedded is None:
            raise CodecNotFoundError(
                f"the codec {self.codec} of identity {self.identity} is neither in the store nor shipped with "
                f"compressnet; name its folder in the environment variable {CODECS_VARIABLE}"
            )
        bundle = _unpacked(self.embedded)
        if bundle.identity != identity:
            raise CodecError(
                f"the store embeds a codec of identity {bundle.identity.hex()}, but says that it is {self.identity}"
            )
        return bundle


def make_coding(
    codec: str | os.PathLike[str] | None = None,
    quality: int | None = None,
    max_error: int | None = None,
    effort: int | None = None,
    identity: str | None = None,
    embedded: str | None = None,
    *,
    embed: bool | None = None,
) -> ChunkCoding:
    """How to code chunks.

    codec: the name of one that ships, a path, or an identity in hex; None learns from each chunk.
    identity, embedded: as metadata have them; the codec is then looked for when it is needed.
    embed: whether metadata embed the codec; by default if it did not come with the package. The
    rest is as for `compressnet.compress`. Raises InputError, CodecError, FormatError.
    """
    for name, value, top in (("quality", quality, 100), ("max_error", max_error, 255), ("effort", effort, 9)):
        least = int(name == "effort")
        if value is not None and (type(value) is not int or not least <= value <= top):
            raise InputError(f"{name} {value!r}: give a whole number from {least} to {top}")
    for name, text in (("codec", codec), ("identity", identity), ("embedded", embedded)):
        if text is not None and not isinstance(text, (str, os.PathLike)):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InputError(f"{name} {text!r}: give a text")
    if identity is not None and (codec is None or not _IDENTITY.fullmatch(identity)):
        raise InputError(f"identity {identity}: give 64 hex digits, and what the codec is called")
    if codec is None or identity is not None:
        name = None if codec is None else str(codec)
        return ChunkCoding(
            codec=name, identity=identity, quality=quality, max_error=max_error, effort=effort, embedded=embedded
        )
    bundle = _named(str(codec))
    if embed is None:
        embed = shipped_name(bundle.identity, bundle.name) is None
    coding = ChunkCoding(
        codec=bundle.name,
        identity=bundle.identity.hex(),
        quality=quality,
        max_error=max_error,
        effort=effort,
        embedded=_packed(bundle) if embed else None,
    )
    object.__setattr__(coding, "_loaded", make_codec(bundle, None, 1, f"codec {bundle.name}"))
    return coding


def require_known(config: Mapping[str, Any]) -> None:
    """Raises InputError for metadata that this version does not understand."""
    known = {field.name for field in fields(ChunkCoding)}
    unknown = [name for name in config if name not in known]
    if unknown:
        raise InputError(f"the codec compressnet has no setting {', '.join(unknown)}; a later version may know it")


def find_identity(identity: bytes, likely: str) -> Bundle | None:
    """The whole codec of an identity in a folder of COMPRESSNET_CODECS, or one that ships.

    likely: what it is probably called, so that others need not be read.
    """
    shipped = shipped_name(identity, likely)
    if shipped is not None:
        return read_bundle(shipped)
    paths = sorted(_codec_files(), key=lambda path: path.stem != likely)
    return next((bundle for path in paths if (bundle := read_bundle(path)).identity == identity), None)


def _codec_files() -> Iterator[Path]:
    for folder in os.environ.get(CODECS_VARIABLE, "").split(os.pathsep):
        if folder:
            yield from Path(folder).glob("*.codec")


def _named(codec: str) -> Bundle:
    """A codec by name, path or identity."""
    if not _IDENTITY.fullmatch(codec):
        return read_bundle(codec)
    bundle = find_identity(bytes.fromhex(codec), "")
    if bundle is None:
        raise CodecNotFoundError(
            f"no codec of identity {codec} is shipped; name its folder in the environment variable {CODECS_VARIABLE}"
        )
    return bundle


def _packed(bundle: Bundle) -> str:
    return base64.b64encode(zlib.compress(to_bytes(bundle, encoder=False), 9)).decode()


def _unpacked(text: str) -> Bundle:
    what = "the codec in the store's metadata"
    try:
        inflater = zlib.decompressobj()
        data = inflater.decompress(base64.b64decode(text, validate=True), CODEC_BYTES_LIMIT)
    except (zlib.error, binascii.Error, ValueError) as error:
        raise CorruptError(f"{what} is damaged: {error}") from error
    if not inflater.eof:
        raise CorruptError(f"{what} is cut off, or beyond the limit of {CODEC_BYTES_LIMIT} bytes")
    return from_bytes(data, what)
