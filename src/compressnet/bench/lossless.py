"""Lossless coding in the benchmark: compressnet at quality 100, and the table of all that lose nothing."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from compressnet import api
from compressnet.bench.points import COMPRESSNET, SHOWN_IMAGES, Bench, Point
from compressnet.codec.codec import Codec, kind_of
from compressnet.errors import CompressnetError
from compressnet.images.alpha import clear_hidden
from compressnet.images.metrics import compare
from compressnet.lossy.coder import Images
from compressnet.wire import LOSSLESS_QUALITY

HEADER = ("codec", "mode", "setting", "images", "bytes/image", "bits/pixel", "encoded/s", "decoded/s")


@dataclass(frozen=True, slots=True, kw_only=True)
class LosslessRow:
    """What one lossless codec takes."""

    name: str
    mode: str
    setting: str
    images: int
    """Codecs with a file for each image are measured on some of them."""
    bytes_per_image: float
    bits_per_pixel: float
    """Of a pixel with all its channels."""
    encode_images_per_s: float
    decode_images_per_s: float

    @property
    def texts(self) -> tuple[str, ...]:
        """What stands under HEADER; /s is images a second."""
        return (
            self.name,
            self.mode,
            self.setting,
            str(self.images),
            f"{self.bytes_per_image:.2f}",
            f"{self.bits_per_pixel:.3f}",
            f"{self.encode_images_per_s:.0f}",
            f"{self.decode_images_per_s:.0f}",
        )

    def as_json(self) -> dict[str, Any]:
        """A row of bench.json."""
        return asdict(self)


def lossless_rows(bench: Bench) -> list[LosslessRow]:
    """The lossless points as a table, the smallest first."""
    height, width = bench.originals.shape[1:3]
    lossless = sorted((point for point in bench.points if point.lossless), key=lambda point: point.bytes_per_image)
    return [
        LosslessRow(
            name=f"{point.codec} lossless" if point.codec == COMPRESSNET else point.codec,
            mode=point.mode,
            setting=point.setting,
            images=point.images,
            bytes_per_image=point.bytes_per_image,
            bits_per_pixel=8 * point.bytes_per_image / (height * width),
            encode_images_per_s=point.images / point.encode_s,
            decode_images_per_s=point.images / point.decode_s,
        )
        for point in lossless
    ]


def best_rows(rows: Sequence[LosslessRow]) -> list[LosslessRow]:
    """The smallest of each codec and mode."""
    best: dict[tuple[str, str], LosslessRow] = {}
    for row in sorted(rows, key=lambda row: row.bytes_per_image):
        best.setdefault((row.name, row.mode), row)
    return list(best.values())


def codes_lossless(codec: Codec, images_NHWC: Images) -> bool:
    """Whether the codec codes images like these without loss."""
    return codec.codes_lossless(kind_of(images_NHWC))


def measure_archive(images_NHWC: Images, codec: Codec, quality: int, effort: int) -> tuple[Point, Images]:
    """What images (N,H,W,C) take in an archive on disk, and how long that takes; with what is read back, (N,H,W,C)."""
    with tempfile.TemporaryDirectory(prefix="compressnet-") as folder:
        path = Path(folder) / "bench.cnet"
        start = time.perf_counter()
        api.compress(images_NHWC, path, codec, quality=quality, effort=effort, embed_codec=False)
        middle = time.perf_counter()
        with api.open(path, codec=codec) as archive:
            decoded_NHWC = archive.array().reshape(images_NHWC.shape)
        end = time.perf_counter()
        total_bytes = path.stat().st_size
    figures = compare(images_NHWC, decoded_NHWC)
    point = Point(
        codec=COMPRESSNET,
        mode="archive",
        setting=f"quality {quality}",
        lossless=False,
        effort=effort,
        quality=quality,
        images=len(images_NHWC),
        total_bytes=total_bytes,
        mse=figures.mse,
        psnr=figures.psnr,
        ssim=figures.ssim,
        encode_s=middle - start,
        decode_s=end - middle,
        shown=decoded_NHWC[:SHOWN_IMAGES],
    )
    return point, decoded_NHWC


def measure_lossless(images_NHWC: Images, codec: Codec) -> Point:
    """Code without loss by compressnet, on disk and back; colour under alpha 0 does not count.

    Raises CompressnetError where pixels differ, and what `api.compress` raises.
    """
    images_NHWC = clear_hidden(images_NHWC)
    point, decoded_NHWC = measure_archive(images_NHWC, codec, LOSSLESS_QUALITY, 1)
    if not np.array_equal(clear_hidden(decoded_NHWC), images_NHWC):
        raise CompressnetError(
            f"the codec {codec.name} gave other pixels than the originals at quality {LOSSLESS_QUALITY}, "
            "which is lossless; this is a defect of compressnet: please report it"
        )
    return replace(point, lossless=True, effort=None)
