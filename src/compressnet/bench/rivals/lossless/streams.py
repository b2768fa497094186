"""Byte codecs at their slowest settings, with the largest window: zstd 2 GiB, brotli 16 MiB."""

from __future__ import annotations

import importlib
import lzma
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from compressnet.bench.rivals.lossless.rival import NOTHING, Needed
from compressnet.bench.rivals.rival import Coded, Setting
from compressnet.images.kinds import Images

_ZSTD_WINDOW_LOG = 31
_BZIP3_BLOCK_BYTES = (65 << 10, 511 << 20)
"""The smallest and the largest block that bzip3 takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ByteCodec:
    """A byte codec at one setting."""

    key: str
    name: str
    compress: Callable[[bytes], bytes]
    decompress: Callable[[bytes], bytes]
    needed: Needed = NOTHING

    def missing(self) -> str | None:
        """Why this installation cannot measure the codec; None where it can."""
        return self.needed.missing(self.name)

    def encode(self, images_NHWC: Images, _setting: Setting) -> Coded:
        """Code images of one kind, as a rival of the advice."""
        data = self.compress(images_NHWC.tobytes())

        def decode() -> Images:
            return np.frombuffer(self.decompress(data), np.uint8).reshape(images_NHWC.shape)

        return Coded(total_bytes=len(data), decode=decode)


def _compress_xz(data: bytes) -> bytes:
    """With a dictionary as large as the data, where the 64 MiB of preset 9 are too small."""
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "dict_size": max(64 << 20, len(data))}]
    return lzma.compress(data, check=lzma.CHECK_CRC32, filters=filters)


def _compress_zstd(data: bytes) -> bytes:
    zstandard = importlib.import_module("zstandard")
    window = max(27, min(_ZSTD_WINDOW_LOG, len(data).bit_length()))
    parameters = zstandard.ZstdCompressionParameters.from_level(22, window_log=window, enable_ldm=True)
    return zstandard.ZstdCompressor(compression_params=parameters).compress(data)


def _decompress_zstd(data: bytes) -> bytes:
    zstandard = importlib.import_module("zstandard")
    return zstandard.ZstdDecompressor(max_window_size=1 << _ZSTD_WINDOW_LOG).decompress(data)


def _compress_brotli(data: bytes) -> bytes:
    return bytes(importlib.import_module("imagecodecs").brotli_encode(data, level=11, lgwin=24))


def _decompress_brotli(data: bytes) -> bytes:
    return bytes(importlib.import_module("imagecodecs").brotli_decode(data))


def _compress_bzip3(data: bytes) -> bytes:
    smallest, largest = _BZIP3_BLOCK_BYTES
    return importlib.import_module("bz3").compress(data, block_size=min(largest, max(smallest, len(data))))


def _decompress_bzip3(data: bytes) -> bytes:
    return importlib.import_module("bz3").decompress(data)


XZ = ByteCodec(key="xz", name="xz -9e", compress=_compress_xz, decompress=lzma.decompress)
ZSTD = ByteCodec(
    key="zstd",
    name="zstd -22 --long",
    compress=_compress_zstd,
    decompress=_decompress_zstd,
    needed=Needed(module="zstandard"),
)
BROTLI = ByteCodec(
    key="brotli",
    name="brotli -11",
    compress=_compress_brotli,
    decompress=_decompress_brotli,
    needed=Needed(module="imagecodecs"),
)
BZIP3 = ByteCodec(
    key="bzip3",
    name="bzip3",
    compress=_compress_bzip3,
    decompress=_decompress_bzip3,
    needed=Needed(module="bz3", extra="rivals"),
)
BYTE_CODECS = (XZ, ZSTD, BROTLI, BZIP3)
