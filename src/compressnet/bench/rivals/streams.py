"""Byte codecs: all pixels as one stream, or each image alone with a dictionary for all."""

from __future__ import annotations

import bz2
import lzma
from collections.abc import Callable

import numpy as np

from compressnet.bench.rivals.rival import Coded, Rival, Setting
from compressnet.images.kinds import Images

Compress = Callable[[bytes, Setting], bytes]
Decompress = Callable[[bytes], bytes]


def _stream(
    name: str, settings: tuple[Setting, ...], compress: Compress, decompress: Decompress, needs: str | None = None
) -> Rival:
    """All pixels as one stream."""

    def encode(images_NHWC: Images, setting: Setting) -> Coded:
        data = compress(images_NHWC.tobytes(), setting)
        return Coded(total_bytes=len(data), decode=lambda: _from_bytes(decompress(data), images_NHWC.shape))

    return Rival(name=name, mode="stream", lossless=True, settings=settings, encode=encode, needs=needs)


def _from_bytes(data: bytes, shape: tuple[int, ...]) -> Images:
    return np.frombuffer(data, np.uint8).reshape(shape)


def _compress_xz(data: bytes, setting: Setting) -> bytes:
    return lzma.compress(data, preset=setting["preset"] | (lzma.PRESET_EXTREME if setting["extreme"] else 0))


def _compress_bz2(data: bytes, setting: Setting) -> bytes:
    return bz2.compress(data, setting["level"])


def _compress_zstd(data: bytes, setting: Setting) -> bytes:
    import zstandard

    return zstandard.ZstdCompressor(**setting).compress(data)


def _decompress_zstd(data: bytes) -> bytes:
    import zstandard

    return zstandard.ZstdDecompressor().decompress(data)


def _encode_zstd_dictionary(images_NHWC: Images, setting: Setting) -> Coded:
    """Each image with a dictionary that was trained on the images themselves and counts."""
    import zstandard

    samples = [image.tobytes() for image in images_NHWC]
    dictionary = zstandard.train_dictionary(setting["dictionary_bytes"], samples)
    compressor = zstandard.ZstdCompressor(
        dict_data=dictionary, write_content_size=False, write_dict_id=False, level=setting["level"]
    )
    files = [compressor.compress(sample) for sample in samples]

    def decode() -> Images:
        decompressor = zstandard.ZstdDecompressor(dict_data=dictionary)
        image_bytes = len(samples[0])
        parts = [decompressor.decompress(file, max_output_size=image_bytes) for file in files]
        return _from_bytes(b"".join(parts), images_NHWC.shape)

    return Coded(total_bytes=sum(map(len, files)) + len(dictionary.as_bytes()), decode=decode)


XZ = _stream("xz", ({"preset": 9, "extreme": True},), _compress_xz, lzma.decompress)
BZ2 = _stream("bz2", ({"level": 9},), _compress_bz2, bz2.decompress)
ZSTD = _stream("zstd", ({"level": 19}, {"level": 22}), _compress_zstd, _decompress_zstd, "zstandard")
ZSTD_DICTIONARY = Rival(
    name="zstd",
    mode="dictionary",
    lossless=True,
    settings=tuple({"level": 19, "dictionary_bytes": kib << 10} for kib in (4, 16)),
    encode=_encode_zstd_dictionary,
    needs="zstandard",
)
