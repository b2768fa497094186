"""The benchmark: compressnet and its rivals over a grid of settings, every byte real, every pixel decoded."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compressnet import api
from compressnet.alpha import clear_hidden
from compressnet.bench.rivals import Rival, find_rivals, pixels_of
from compressnet.codec import Codec
from compressnet.container import Container
from compressnet.metrics import compare, mse_per_image
from compressnet.network import Images
from compressnet.sources import FileSource

EFFORTS = (1, 5, 9)
SINGLE_IMAGES = 1000
"""Rivals with a file for each image get only so many: what they take per image does not depend on it."""
SEARCHED_IMAGES = 2000
"""Efforts above 1 get only so many, chosen at random with a fixed seed."""
SHOWN_IMAGES = 12
COMPRESSNET = "compressnet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One codec at one setting."""

    codec: str
    mode: str
    """`archive`, `mosaic` or `single`."""
    setting: str
    lossless: bool
    effort: int | None
    quality: int | None
    images: int
    total_bytes: int
    mse: float
    psnr: float | None
    ssim: float | None
    encode_s: float
    decode_s: float
    shown: Images = field(repr=False)
    """The first images decoded."""

    @property
    def bytes_per_image(self) -> float:
        """Bytes on disk over images."""
        return self.total_bytes / self.images

    @property
    def curve(self) -> str:
        """What this point is a part of: a codec in a mode, and at an effort."""
        if self.effort is not None:
            return f"{COMPRESSNET}, effort {self.effort}"
        return f"{self.codec}, {self.mode}{', lossless' if self.lossless else ''}"

    def as_json(self) -> dict[str, Any]:
        """A point of bench.json."""
        names = ("codec", "mode", "setting", "lossless", "effort", "quality", "images", "mse", "psnr", "ssim")
        return {name: getattr(self, name) for name in names} | {
            "bytes": self.total_bytes,
            "bytes_per_image": self.bytes_per_image,
            "encode_s": self.encode_s,
            "decode_s": self.decode_s,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A rival that could not do it."""

    codec: str
    mode: str
    setting: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspected:
    """An archive looked into."""

    block_bytes: NDArray[np.int64]
    """Of each block."""
    worst: list[tuple[int, float, Images, Images]]
    """The ten images of the highest error: index, MSE, original, decoded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """All that was measured."""

    source: str
    codec: str
    images: int
    originals: Images
    """The first images."""
    points: list[Point]
    failures: list[Failure]
    inspected: Inspected
    """At default quality and effort 1."""


def run_bench(
    images: Images,
    source: str,
    codec: Codec,
    *,
    rivals: Sequence[str] | None = None,
    efforts: Sequence[int] = EFFORTS,
    qualities: Sequence[int] | None = None,
    report: Callable[[int, int, str], None] = lambda _done, _total, _name: None,
) -> Bench:
    """Measure on images (N,H,W[,C]); `report` is told what is done, of how much, and what comes next.

    Raises InputError for unknown rivals, MissingExtraError. A rival that fails is noted, and the rest goes on.
    """
    images_NHWC = pixels_of(images)
    chosen = find_rivals(rivals)
    low, high = codec.qualities
    grid = sorted({*range(low, high + 1, 9), codec.default_quality, high}) if qualities is None else list(qualities)
    total = len(grid) * len(efforts) + sum(len(rival.settings) for rival in chosen)
    points: list[Point] = []
    failures: list[Failure] = []
    done = 0
    few = images_NHWC
    if len(images_NHWC) > SEARCHED_IMAGES:
        picked = np.random.default_rng(0).choice(len(images_NHWC), SEARCHED_IMAGES, replace=False)
        few = images_NHWC[np.sort(picked)]
    for effort in efforts:
        for quality in grid:
            report(done, total, f"{COMPRESSNET}, effort {effort}, quality {quality}")
            points.append(
                _measure_own(images_NHWC if effort == 1 else few, images_NHWC[:SHOWN_IMAGES], codec, quality, effort)
            )
            done += 1
    for rival in chosen:
        subset = images_NHWC[:SINGLE_IMAGES] if rival.mode == "single" else images_NHWC
        for setting in rival.settings:
            text = ", ".join(f"{key} {value}" for key, value in setting.items())
            report(done, total, f"{rival.name}, {rival.mode}, {text}")
            try:
                points.append(_measure_rival(rival, subset, setting, text))
            except Exception as error:  # a rival's failure is a result, whatever it raises
                failures.append(Failure(codec=rival.name, mode=rival.mode, setting=text, error=repr(error)))
            done += 1
    inspected = inspect(images_NHWC, codec, codec.default_quality, 1)
    return Bench(
        source=source,
        codec=codec.name,
        images=len(images_NHWC),
        originals=images_NHWC[:SHOWN_IMAGES],
        points=points,
        failures=failures,
        inspected=inspected,
    )


def _measure_own(images_NHWC: Images, first_NHWC: Images, codec: Codec, quality: int, effort: int) -> Point:
    with tempfile.TemporaryDirectory(prefix="compressnet-") as folder:
        path = Path(folder) / "bench.cnet"
        start = time.perf_counter()
        api.compress(images_NHWC, path, codec, quality=quality, effort=effort, embed_codec=False)
        middle = time.perf_counter()
        with api.open(path, codec=codec) as archive:
            decoded = archive.array()
        end = time.perf_counter()
        total_bytes = path.stat().st_size
    shown = codec.decompress(codec.compress(first_NHWC, quality, effort))
    figures = compare(images_NHWC, decoded.reshape(images_NHWC.shape))
    return Point(
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
        shown=shown,
    )


def _measure_rival(rival: Rival, images_NHWC: Images, setting: dict[str, Any], text: str) -> Point:
    images_NHWC = clear_hidden(images_NHWC)
    start = time.perf_counter()
    coded = rival.encode(images_NHWC, setting)
    middle = time.perf_counter()
    decoded = coded.decode()
    end = time.perf_counter()
    if rival.lossless and not np.array_equal(clear_hidden(decoded), images_NHWC):
        raise ValueError("decoded images differ from the originals, though the setting is lossless")
    figures = compare(images_NHWC, decoded)
    return Point(
        codec=rival.name,
        mode=rival.mode,
        setting=text,
        lossless=rival.lossless,
        effort=None,
        quality=None,
        images=len(images_NHWC),
        total_bytes=coded.total_bytes,
        mse=figures.mse,
        psnr=figures.psnr,
        ssim=figures.ssim,
        encode_s=middle - start,
        decode_s=end - middle,
        shown=decoded[:SHOWN_IMAGES],
    )


def inspect(images_NHWC: Images, codec: Codec, quality: int, effort: int) -> Inspected:
    """Bytes of every block, and the ten worst images, of an archive of images (N,H,W,C)."""
    with tempfile.TemporaryDirectory(prefix="compressnet-") as folder:
        path = Path(folder) / "bench.cnet"
        api.compress(images_NHWC, path, codec, quality=quality, effort=effort, embed_codec=False)
        with Container(FileSource(path)) as container:
            block_bytes = np.array([entry.chunk_bytes for entry in container.blocks])
        with api.open(path, codec=codec) as archive:
            decoded = archive.array().reshape(images_NHWC.shape)
    errors = mse_per_image(images_NHWC, decoded)
    order = np.argsort(errors)[::-1][:10]
    worst = [(int(i), float(errors[i]), images_NHWC[i], decoded[i]) for i in order]
    return Inspected(block_bytes=block_bytes, worst=worst)
