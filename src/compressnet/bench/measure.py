"""The benchmark: compressnet and its rivals over a grid of settings, every byte real, every pixel decoded."""

from __future__ import annotations

import itertools
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from compressnet import api
from compressnet.bench.archives import measure_archive, measure_lossless
from compressnet.bench.points import COMPRESSNET, SHOWN_IMAGES, Bench, Failure, Inspected, Point
from compressnet.bench.rivals.catalogue import find_lossless_rivals, find_rivals
from compressnet.bench.rivals.pictures import pixels_of
from compressnet.bench.rivals.rival import Rival, setting_text
from compressnet.codec.codec import Codec
from compressnet.coding.coder import LOSSLESS_QUALITY
from compressnet.container.container import Container
from compressnet.container.sources import FileSource
from compressnet.images.alpha import clear_hidden
from compressnet.images.kinds import Images, kind_of
from compressnet.images.metrics import compare, mse_per_image

EFFORTS = (1, 5, 9)
SINGLE_IMAGES = 1000
"""Rivals with a file for each image get only so many: what they take per image does not depend on it."""
SEARCHED_IMAGES = 2000
"""Efforts above 1 get only so many, chosen at random with a fixed seed."""
Report = Callable[[int, int, str], None]


def run_bench(
    images: Images,
    source: str,
    codec: Codec,
    *,
    rivals: Sequence[str] | None = None,
    efforts: Sequence[int] = EFFORTS,
    qualities: Sequence[int] | None = None,
    report: Report = lambda _done, _total, _name: None,
) -> Bench:
    """Measure on images (N,H,W[,C]); `report` is told what is done, of how much, and what comes next.

    Raises InputError for unknown rivals, MissingExtraError. A rival that fails is noted, and the rest goes on.
    """
    images_NHWC = pixels_of(images)
    chosen = find_rivals(rivals)
    low, high = codec.qualities
    grid = sorted({*range(low, high + 1, 9), codec.default_quality, high}) if qualities is None else list(qualities)
    own_lossless = codec.why_not(kind_of(images_NHWC), LOSSLESS_QUALITY) is None
    begin = _steps(len(grid) * len(efforts) + own_lossless + _settings(chosen), report)
    points: list[Point] = []
    few = images_NHWC
    if len(images_NHWC) > SEARCHED_IMAGES:
        picked = np.random.default_rng(0).choice(len(images_NHWC), SEARCHED_IMAGES, replace=False)
        few = images_NHWC[np.sort(picked)]
    for effort in efforts:
        for quality in grid:
            begin(f"{COMPRESSNET}, effort {effort}, quality {quality}")
            points.append(
                _measure_own(images_NHWC if effort == 1 else few, images_NHWC[:SHOWN_IMAGES], codec, quality, effort)
            )
    if own_lossless:
        begin(f"{COMPRESSNET}, lossless")
        points.append(measure_lossless(images_NHWC, codec))
    rival_points, failures = _measure_rivals(chosen, images_NHWC, begin)
    return Bench(
        source=source,
        codec=codec.name,
        images=len(images_NHWC),
        originals=images_NHWC[:SHOWN_IMAGES],
        points=points + rival_points,
        failures=failures,
        inspected=inspect(images_NHWC, codec, codec.default_quality, 1),
    )


def run_lossless(
    images: Images,
    source: str,
    codec: Codec,
    *,
    rivals: Sequence[str] | None = None,
    report: Report = lambda _done, _total, _name: None,
) -> Bench:
    """As `run_bench`, of what loses nothing; a codec that cannot code these images without loss is a failure."""
    images_NHWC = pixels_of(images)
    chosen = find_lossless_rivals(rivals)
    begin = _steps(1 + _settings(chosen), report)
    begin(f"{COMPRESSNET}, lossless")
    points: list[Point] = []
    failures: list[Failure] = []
    if codec.why_not(kind_of(images_NHWC), LOSSLESS_QUALITY) is None:
        points.append(measure_lossless(images_NHWC, codec))
    else:
        kind = "x".join(map(str, images_NHWC.shape[1:]))
        error = f"the codec {codec.name} does not code images of {kind} without loss"
        failures.append(Failure(codec=COMPRESSNET, mode="archive", setting=f"quality {LOSSLESS_QUALITY}", error=error))
    rival_points, rival_failures = _measure_rivals(chosen, images_NHWC, begin)
    return Bench(
        source=source,
        codec=codec.name,
        images=len(images_NHWC),
        originals=images_NHWC[:SHOWN_IMAGES],
        points=points + rival_points,
        failures=failures + rival_failures,
        inspected=None,
    )


def _steps(total: int, report: Report) -> Callable[[str], None]:
    """What is told the name of each step as it begins, and reports how many are done."""
    done = itertools.count()
    return lambda name: report(next(done), total, name)


def _settings(rivals: Sequence[Rival]) -> int:
    return sum(len(rival.settings) for rival in rivals)


def _measure_rivals(
    rivals: Sequence[Rival], images_NHWC: Images, begin: Callable[[str], None]
) -> tuple[list[Point], list[Failure]]:
    """Every rival at every setting; those that fail are noted."""
    points: list[Point] = []
    failures: list[Failure] = []
    for rival in rivals:
        subset = images_NHWC[:SINGLE_IMAGES] if rival.mode == "single" else images_NHWC
        for setting in rival.settings:
            text = setting_text(setting)
            begin(f"{rival.name}, {rival.mode}, {text}")
            try:
                points.append(_measure_rival(rival, subset, setting, text))
            except Exception as error:  # a rival's failure is a result, whatever it raises
                failures.append(Failure(codec=rival.name, mode=rival.mode, setting=text, error=repr(error)))
    return points, failures


def _measure_own(images_NHWC: Images, first_NHWC: Images, codec: Codec, quality: int, effort: int) -> Point:
    point, _ = measure_archive(images_NHWC, codec, quality, effort)
    return replace(point, shown=codec.decompress(codec.compress(first_NHWC, quality, effort)))


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
