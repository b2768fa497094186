"""What a benchmark writes: bench.json, the curves as PNG and SVG, and report.html, one page without a link outside."""

from __future__ import annotations

import base64
import html
import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from compressnet.bench.curves import BdRate, bd_rates, draw
from compressnet.bench.evaluate import Evaluation
from compressnet.bench.lossless import HEADER, lossless_rows
from compressnet.bench.points import Bench, Inspected, Point
from compressnet.files import atomic_write
from compressnet.images.kinds import Images
from compressnet.images.metrics import psnr_of_mse

_SCALE = 2
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
table { border-collapse: collapse; margin: 1rem 0 } th, td { padding: .2rem .7rem; border-bottom: 1px solid #ddd }
td { text-align: right; font-variant-numeric: tabular-nums } td:first-child, th { text-align: left }
img { image-rendering: pixelated; max-width: 100% } svg { max-width: 100%; height: auto } h2 { margin-top: 2.2rem }
"""


def write_bench(bench: Bench, folder: Path, interval: tuple[float, float] | None = None) -> dict[str, Any]:
    """Write all files into `folder`, and give what bench.json says."""
    folder.mkdir(parents=True, exist_ok=True)
    rates = bd_rates(bench.points, interval)
    document = _document(bench, rates)
    title = f"{bench.source}: {bench.images} images"
    svg = draw(bench.points, title, "svg")
    atomic_write(folder / "bench.json", (json.dumps(document, indent=1) + "\n").encode())
    atomic_write(folder / "rate-distortion.png", draw(bench.points, title, "png"))
    atomic_write(folder / "rate-distortion.svg", svg)
    atomic_write(folder / "report.html", render(bench, rates, svg.decode()).encode())
    return document


def write_lossless(bench: Bench, folder: Path) -> dict[str, Any]:
    """Write bench.json and report.html of what loses nothing into `folder`, and give what bench.json says."""
    folder.mkdir(parents=True, exist_ok=True)
    document = _document(bench, [])
    atomic_write(folder / "bench.json", (json.dumps(document, indent=1) + "\n").encode())
    atomic_write(folder / "report.html", render_lossless(bench).encode())
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


def page(title: str, sections: Iterable[str]) -> str:
    """A self-contained HTML page."""
    body = "\n".join(sections)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<style>{_STYLE}</style></head>\n<body><h1>{html.escape(title)}</h1>\n{body}\n</body></html>\n"
    )


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """An HTML table of texts."""
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in header)
    lines = ("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{head}</tr>\n" + "\n".join(lines) + "</table>"


def picture(images_NHWC: Images) -> str:
    """Images in a row, enlarged, as an inline PNG."""
    row = np.concatenate(list(np.pad(images_NHWC, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=128)), axis=1)
    enlarged = row.repeat(_SCALE, axis=0).repeat(_SCALE, axis=1)
    stream = io.BytesIO()
    Image.fromarray(enlarged[..., 0] if row.shape[2] == 1 else enlarged).save(stream, "png", optimize=True)
    return f'<img alt="" src="data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}">'


def worst_images(worst: Iterable[tuple[int, float, Images, Images]]) -> str:
    """The images with the highest errors, original beside decoded."""
    cells = [
        f"<figure style='display:inline-block;margin:.5rem'>{picture(np.stack([original, decoded]))}"
        f"<figcaption>image {index}, {psnr_of_mse(mse):.1f} dB</figcaption></figure>"
        for index, mse, original, decoded in worst
    ]
    return "".join(cells)


def histogram(values: Sequence[float] | np.ndarray, unit: str) -> str:
    """Counts of values in up to 20 bins, as bars of text."""
    counts, edges = np.histogram(values, bins=min(20, max(1, len(np.unique(values)))))
    rows = [
        (f"{edges[i]:.0f} to {edges[i + 1]:.0f} {unit}", str(count), "█" * round(30 * count / counts.max()))
        for i, count in enumerate(counts)
    ]
    return table(("", "blocks", ""), rows)


def _rate_rows(rates: Sequence[BdRate]) -> list[tuple[str, str, str, str]]:
    return [
        (
            rate.rival,
            rate.curve,
            "-" if rate.percent is None else f"{rate.percent:+.1f} %",
            rate.note if rate.psnr_interval is None else "{:.1f} to {:.1f} dB".format(*rate.psnr_interval),
        )
        for rate in rates
    ]


def _matched(bench: Bench) -> str:
    """The same images from every lossy curve, at the bytes nearest to the middle one of compressnet's points."""
    own = [point for point in bench.points if point.effort is not None]
    aim = sorted(point.bytes_per_image for point in own)[len(own) // 2]
    nearest: dict[str, Point] = {}
    for point in bench.points:
        known = nearest.get(point.curve)
        closer = known is None or abs(point.bytes_per_image - aim) < abs(known.bytes_per_image - aim)
        if not point.lossless and closer:
            nearest[point.curve] = point
    rows = [f"<tr><td>originals</td><td></td><td>{picture(bench.originals)}</td></tr>"]
    for name, point in nearest.items():
        figures = f"{point.bytes_per_image:.1f} bytes, {point.psnr or 0:.1f} dB"
        rows.append(f"<tr><td>{html.escape(name)}</td><td>{figures}</td><td>{picture(point.shown)}</td></tr>")
    return "<table>" + "\n".join(rows) + "</table>"


def render_evaluation(evaluation: Evaluation, inspected: Inspected, source: str) -> str:
    """The page of `evaluate --report`."""
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
        f"<p>{evaluation.images} images, {html.escape(settings)}. Archive on disk: {evaluation.archive_bytes} bytes, "
        f"{evaluation.bytes_per_image:.2f} an image (ideal code length {evaluation.ideal_bytes_per_image:.2f}); "
        f"the codec, if embedded, adds {evaluation.codec_bytes} bytes.</p>",
        table(("path", "MSE", "PSNR (dB)", "PSNR, mean (dB)", "SSIM", "SHA-256 of the pixels"), rows),
        "<p>Every pixel came back as it was.</p>" if evaluation.perfect else "<h2>The ten worst images</h2>",
        "" if evaluation.perfect else worst_images(inspected.worst),
        "<h2>Bytes of the blocks</h2>",
        histogram(inspected.block_bytes, "bytes"),
    ]
    return page(f"compressnet on {source}", sections)


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _lossless(bench: Bench) -> list[str]:
    rows = [row.texts for row in lossless_rows(bench)]
    words = "Every pixel as it was, the smallest first; /s is images a second."
    return [f"<h2>Lossless</h2><p>{words}</p>", table(HEADER, rows)] if rows else []


def _failures(bench: Bench) -> list[str]:
    rows = [(f.codec, f.mode, f.setting, f.error) for f in bench.failures]
    return ["<h2>Failures</h2>", table(("codec", "mode", "setting", "error"), rows)] if rows else []


def _introduction(bench: Bench) -> str:
    return (
        f"<p>The codec {html.escape(bench.codec)} on {bench.images} images of {html.escape(bench.source)}. Bytes are "
        "files on disk over images, without the codec; rivals code one file for each image (single), all images as "
        "one picture (mosaic), each image with a dictionary for all (counted), or all pixels as one stream.</p>"
    )


def _inspected(inspected: Inspected | None) -> list[str]:
    if inspected is None:
        return []
    return [
        "<h2>The ten worst images, default quality, effort 1</h2>",
        worst_images(inspected.worst),
        "<h2>Bytes of the blocks, default quality, effort 1</h2>",
        histogram(inspected.block_bytes, "bytes"),
    ]


def render_lossless(bench: Bench) -> str:
    """The page of what loses nothing."""
    return page(f"compressnet on {bench.source}", [_introduction(bench), *_lossless(bench), *_failures(bench)])


def render(bench: Bench, rates: Sequence[BdRate], svg: str) -> str:
    """The page."""
    header = ("codec", "setting", "images", "bytes/image", "PSNR (dB)", "SSIM", "encode (ms)", "decode (ms)")
    points = [
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
    sections = [
        _introduction(bench),
        "<p>klt is a Karhunen-Loeve transform fitted to these images, without what its tables take.</p>",
        svg[svg.index("<svg") :],
        "<h2>BD-rate</h2><p>Bytes that compressnet takes more (+) or less (-) at equal PSNR.</p>",
        table(("rival", "compressnet", "BD-rate", "interval of PSNR"), _rate_rows(rates)),
        *_lossless(bench),
        "<h2>The same images at nearly the same bytes</h2>",
        _matched(bench),
        *_inspected(bench.inspected),
        "<h2>All points, and the time they took for an image</h2>",
        table(header, points),
        *_failures(bench),
    ]
    return page(f"compressnet on {bench.source}", sections)
