"""The benchmark: compressnet and its rivals at many settings, all coded and decoded for real.

images, codec, names of rivals  ->  steps  ->  a Point or a Failure each  ->  Bench
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from compressnet import api
from compressnet.bench.archives import measure_archive, measure_lossless
from compressnet.bench.points import COMPRESSNET, SHOWN_IMAGES, Bench, Failure, Inspected, Point
from compressnet.bench.rivals.catalogue import find_lossless_rivals, find_rivals
from compressnet.bench.rivals.pictures import pixels_of
from compressnet.bench.rivals.rival import Rival, Setting, setting_text
from compressnet.bench.sets import ImageSets
from compressnet.codec.codec import Codec
from compressnet.coding.coder import LOSSLESS_QUALITY
from compressnet.container.container import Container
from compressnet.container.sources import FileSource
from compressnet.files import temporary_folder
from compressnet.images.alpha import clear_hidden
from compressnet.images.kinds import Images, eight_bits, kind_of
from compressnet.images.metrics import compare

EFFORTS = (1, 5, 9)
SINGLE_IMAGES = 1000
"""Rivals with a file for each image get only so many: their bytes an image do not depend on it."""
SEARCHED_IMAGES = 2000
"""Efforts above 1 get only so many, chosen at random with a fixed seed."""
Report = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """One measurement to come."""

    title: str
    measure: Callable[[], Point | Failure]


def run_bench(
    images: Images,
    source: str,
    codec: Codec,
    *,
    rivals: Sequence[str] | None = None,
    efforts: Sequence[int] = EFFORTS,
    qualities: Sequence[int] | None = None,
    report: Report = lambda _done, _total, _title: None,
) -> Bench:
    """Measure curves, and what loses nothing, on images (N,H,W) or (N,H,W,C).

    report: is told how many steps are done, of how many, and what comes next. A rival that fails
    is noted, and the rest goes on. Raises InputError for unknown rivals, MissingExtraError.
    """
    images_NHWC = pixels_of(images)
    chosen = find_rivals(rivals)
    steps = _curve_steps(images_NHWC, codec, efforts, qualities)
    if codec.why_not(kind_of(images_NHWC), LOSSLESS_QUALITY) is None:
        steps.append(_lossless_step(images_NHWC, codec))
    bench = _run([*steps, *_rival_steps(images_NHWC, chosen)], images_NHWC, source, codec, report)
    return replace(bench, inspected=inspect(ImageSets.of([images_NHWC]), codec, codec.default_quality, 1))


def run_lossless(
    images: Images,
    source: str,
    codec: Codec,
    *,
    rivals: Sequence[str] | None = None,
    report: Report = lambda _done, _total, _title: None,
) -> Bench:
    """Measure only what loses nothing, otherwise as `run_bench`.

    A codec that cannot code these images without loss is noted as a failure.
    """
    images_NHWC = pixels_of(images)
    chosen = find_lossless_rivals(rivals)
    steps = [_lossless_step(images_NHWC, codec), *_rival_steps(images_NHWC, chosen)]
    return _run(steps, images_NHWC, source, codec, report)


def _run(steps: Sequence[_Step], images_NHWC: Images, source: str, codec: Codec, report: Report) -> Bench:
    """Do all steps."""
    points: list[Point] = []
    failures: list[Failure] = []
    for done, step in enumerate(steps):
        report(done, len(steps), step.title)
        found = step.measure()
        if isinstance(found, Point):
            points.append(found)
        else:
            failures.append(found)
    return Bench(
        source=source,
        codec=codec.name,
        images=len(images_NHWC),
        originals=images_NHWC[:SHOWN_IMAGES],
        points=points,
        failures=failures,
        inspected=None,
    )


def _curve_steps(
    images_NHWC: Images, codec: Codec, efforts: Sequence[int], qualities: Sequence[int] | None
) -> list[_Step]:
    """The codec at every effort and quality."""
    low, high = codec.qualities
    grid = sorted({*range(low, high + 1, 9), codec.default_quality, high}) if qualities is None else qualities
    few = images_NHWC
    if len(images_NHWC) > SEARCHED_IMAGES:
        picked = np.random.default_rng(0).choice(len(images_NHWC), SEARCHED_IMAGES, replace=False)
        few = images_NHWC[np.sort(picked)]
    shown = images_NHWC[:SHOWN_IMAGES]
    return [
        _Step(
            title=f"{COMPRESSNET}, effort {effort}, quality {quality}",
            measure=partial(_measure_own, images_NHWC if effort == 1 else few, shown, codec, quality, effort),
        )
        for effort in efforts
        for quality in grid
    ]


def _lossless_step(images_NHWC: Images, codec: Codec) -> _Step:
    """The codec at quality 100."""

    def measured() -> Point | Failure:
        reason = codec.why_not(kind_of(images_NHWC), LOSSLESS_QUALITY)
        if reason is None:
            return measure_lossless(images_NHWC, codec)
        return Failure(codec=COMPRESSNET, mode="archive", setting=f"quality {LOSSLESS_QUALITY}", error=reason)

    return _Step(title=f"{COMPRESSNET}, lossless", measure=measured)


def _rival_steps(images_NHWC: Images, rivals: Sequence[Rival]) -> list[_Step]:
    """Every rival at every setting."""
    return [
        _Step(
            title=f"{rival.name}, {rival.mode}, {setting_text(setting)}",
            measure=partial(
                _measure_rival, rival, images_NHWC[:SINGLE_IMAGES] if rival.mode == "single" else images_NHWC, setting
            ),
        )
        for rival in rivals
        for setting in rival.settings
    ]


def _measure_own(images_NHWC: Images, first_NHWC: Images, codec: Codec, quality: int, effort: int) -> Point:
    point, _ = measure_archive(images_NHWC, codec, quality, effort)
    return replace(point, shown=codec.decompress(codec.compress(first_NHWC, quality, effort)))


def _measure_rival(rival: Rival, images_NHWC: Images, setting: Setting) -> Point | Failure:
    """A rival at a setting; its failure is a result, whatever it raises."""
    text = setting_text(setting)
    images_NHWC = clear_hidden(images_NHWC)
    try:
        start = time.perf_counter()
        coded = rival.encode(images_NHWC, setting)
        middle = time.perf_counter()
        decoded = coded.decode()
        end = time.perf_counter()
        if rival.lossless and not np.array_equal(clear_hidden(decoded), images_NHWC):
            raise ValueError("decoded images differ from the originals, though the setting is lossless")
    except Exception as error:
        return Failure(codec=rival.name, mode=rival.mode, setting=text, error=repr(error))
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


def inspect(images: ImageSets, codec: Codec, quality: int, effort: int) -> Inspected:
    """Bytes of every block, and the ten worst images, of an archive of images."""
    with temporary_folder() as folder:
        path = folder / "bench.cnet"
        api.compress(images.in_order(), path, codec, quality=quality, effort=effort, embed_codec=False)
        with Container(FileSource(path)) as container:
            block_bytes = np.array([entry.chunk_bytes for entry in container.blocks])
        with api.open(path, codec=codec) as archive:
            decoded = [eight_bits(np.asarray(archive[positions])) for positions in images.positions]
    errors = images.errors(decoded)
    worst: list[tuple[int, float, Images, Images]] = []
    for number in np.argsort(errors)[::-1][:10].tolist():
        i, row = images.place_of(number)
        pair = (pixels_of(found[i][row : row + 1])[0] for found in (images.sets, decoded))
        worst.append((number, float(errors[number]), *pair))
    return Inspected(block_bytes=block_bytes, worst=worst)
