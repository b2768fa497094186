"""What a measurement leaves: bench.json, curves as PNG and SVG, and a page to read.

Bench       ->  bench.json, rate-distortion.png, rate-distortion.svg, report.html
Evaluation  ->  the page of `evaluate --report`
"""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from compressnet.bench.curves import BdRate, bd_rates, curves_of, draw
from compressnet.bench.evaluate import Evaluation
from compressnet.bench.lossless import HEADER, lossless_rows
from compressnet.bench.page import captioned, histogram, page, pictures, table
from compressnet.bench.points import Bench, Inspected, Point
from compressnet.files import atomic_write
from compressnet.images.kinds import Images
from compressnet.images.metrics import psnr_of_mse

_WORST = "<h2>The ten worst images{}</h2><p>Each original beside what was decoded.</p>"
_BLOCKS = "<h2>Bytes of the blocks{}</h2>"


def write_bench(bench: Bench, folder: Path, interval: tuple[float, float] | None = None) -> dict[str, Any]:
    """Write all files into `folder`, and give what bench.json says.

    Without lossy points there are no curves to draw. interval: of the BD-rates, in dB.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rates = bd_rates(bench.points, interval)
    document = _document(bench, rates)
    atomic_write(folder / "bench.json", (json.dumps(document, indent=1) + "\n").encode())
    sections = [_introduction(bench)]
    if curves_of(bench.points):
        title = f"{bench.source}: {bench.images} images"
        svg = draw(bench.points, title, "svg")
        atomic_write(folder / "rate-distortion.png", draw(bench.points, title, "png"))
        atomic_write(folder / "rate-distortion.svg", svg)
        sections += _curves(svg.decode(), rates)
    sections += [*_lossless(bench), *_matched(bench), *_inspected(bench), *_all_points(bench), *_failures(bench)]
    atomic_write(folder / "report.html", page(f"compressnet on {bench.source}", sections).encode())
    return document


def _document(bench: Bench, rates: Sequence[BdRate]) -> dict[str, Any]:
    return {
        "source": bench.source,
        "codec": bench.codec,
        "images": bench.images,
        "points": [point.as_json() for point in bench.points],
        "bd_rate": [rate.as_json() for rate in rates],
        "lossless": [row.as_json() for row in lossless_rows(bench)],
        "failures": [
            {"codec": failure.codec, "mode": failure.mode, "setting": failure.setting, "error": failure.error}
            for failure in bench.failures
        ],
    }


def worst_images(worst: Iterable[tuple[int, float, Images, Images]]) -> str:
    """The images with the highest errors, original beside decoded."""
    figures = (
        captioned(pictures([original, decoded]), f"image {index}, {psnr_of_mse(mse):.1f} dB")
        for index, mse, original, decoded in worst
    )
    return f'<div class="figures">{"".join(figures)}</div>'


def render_evaluation(evaluation: Evaluation, inspected: Inspected, source: str) -> str:
    """The page of `evaluate --report`."""
    header = ("path", "MSE", "PSNR (dB)", "PSNR, mean (dB)", "SSIM", "SHA-256 of the pixels")
    rows = [
        (
            row.path,
            f"{row.quality.mse:.6f}",
            _number(row.quality.psnr, 2),
            _number(row.quality.psnr_mean, 2),
            _number(row.quality.ssim, 4),
            row.pixels_sha256,
        )
        for row in evaluation.rows
    ]
    settings = f"codec {evaluation.codec}, quality {evaluation.quality}, effort {evaluation.effort}"
    sections = [
        f"<p>{evaluation.images:,} images, {html.escape(settings)}. "
        f"Archive on disk: {evaluation.archive_bytes:,} bytes, {evaluation.bytes_per_image:.2f} an image "
        f"(ideal code length {evaluation.ideal_bytes_per_image:.2f}); "
        f"the codec, if embedded, adds {evaluation.codec_bytes:,} bytes.</p>",
        table(header, rows, texts=("SHA-256 of the pixels",)),
        *(f"<p>{html.escape(line)}.</p>" for line in evaluation.remarks),
        "<p>Every pixel came back as it was.</p>" if evaluation.perfect else _WORST.format(""),
        "" if evaluation.perfect else worst_images(inspected.worst),
        _BLOCKS.format(""),
        histogram(inspected.block_bytes, "bytes of a block", "blocks"),
    ]
    return page(f"compressnet on {source}", sections)


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _introduction(bench: Bench) -> str:
    return (
        f"<p>The codec {html.escape(bench.codec)} on {bench.images} images of {html.escape(bench.source)}. Bytes are "
        "files on disk over images, without the codec; rivals code one file for each image (single), all images as "
        "one picture (mosaic), each image with a dictionary for all (counted), or all pixels as one stream.</p>"
    )


def _curves(svg: str, rates: Sequence[BdRate]) -> list[str]:
    rows = [
        (
            rate.rival,
            rate.curve,
            "-" if rate.percent is None else f"{rate.percent:+.1f} %",
            rate.note if rate.psnr_interval is None else "{:.1f} to {:.1f} dB".format(*rate.psnr_interval),
        )
        for rate in rates
    ]
    return [
        "<p>klt is a Karhunen-Loeve transform fitted to these images, without what its tables take.</p>",
        svg[svg.index("<svg") :],
        "<h2>BD-rate</h2><p>Bytes that compressnet takes more (+) or less (-) at equal PSNR.</p>",
        table(("rival", "compressnet", "BD-rate", "interval of PSNR"), rows, texts=("compressnet", "interval of PSNR")),
    ]


def _lossless(bench: Bench) -> list[str]:
    rows = [row.texts for row in lossless_rows(bench)]
    words = "Every pixel as it was, the smallest first; /s is images a second."
    return [f"<h2>Lossless</h2><p>{words}</p>", table(HEADER, rows, texts=("mode", "setting"))] if rows else []


def _matched(bench: Bench) -> list[str]:
    """The same images from every lossy curve, at about the bytes of compressnet's middle point."""
    own = [point for point in bench.points if point.effort is not None]
    if not own:
        return []
    aim = sorted(point.bytes_per_image for point in own)[len(own) // 2]
    nearest: dict[str, Point] = {}
    for point in bench.points:
        known = nearest.get(point.curve)
        closer = known is None or abs(point.bytes_per_image - aim) < abs(known.bytes_per_image - aim)
        if not point.lossless and closer:
            nearest[point.curve] = point
    shown = [captioned(pictures(bench.originals), "originals")]
    for name, point in nearest.items():
        caption = f"{name}: {point.bytes_per_image:.1f} bytes, {point.psnr or 0:.1f} dB"
        shown.append(captioned(pictures(point.shown), caption))
    return [
        "<h2>The same images at nearly the same bytes an image</h2>",
        f'<div class="figures">{"".join(shown)}</div>',
    ]


def _inspected(bench: Bench) -> list[str]:
    if bench.inspected is None:
        return []
    settings = ", default quality, effort 1"
    return [
        _WORST.format(settings),
        worst_images(bench.inspected.worst),
        _BLOCKS.format(settings),
        histogram(bench.inspected.block_bytes, "bytes of a block", "blocks"),
    ]


def _all_points(bench: Bench) -> list[str]:
    """Where there are curves, every point of them; the lossless table has the others already."""
    if not curves_of(bench.points):
        return []
    header = ("codec", "setting", "images", "bytes/image", "PSNR (dB)", "SSIM", "encode (ms)", "decode (ms)")
    rows = [
        (
            point.curve,
            point.setting,
            str(point.images),
            f"{point.bytes_per_image:.2f}",
            _number(point.psnr, 2),
            _number(point.ssim, 4),
            f"{1e3 * point.encode_s / point.images:.3f}",
            f"{1e3 * point.decode_s / point.images:.3f}",
        )
        for point in bench.points
    ]
    return ["<h2>All points, and the time they took for an image</h2>", table(header, rows, texts=("setting",))]


def _failures(bench: Bench) -> list[str]:
    rows = [(f.codec, f.mode, f.setting, f.error) for f in bench.failures]
    header = ("codec", "mode", "setting", "error")
    return ["<h2>Failures</h2>", table(header, rows, texts=header)] if rows else []
