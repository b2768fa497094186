"""Parts of an HTML page that links to nothing outside: tables, pictures and a histogram.

Axes: N images, H rows, W columns, C channels.
"""

from __future__ import annotations

import base64
import html
import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from compressnet.bench.rivals.pictures import save_picture
from compressnet.images.kinds import Images

SCALE = 4
"""Pictures are shown at so many times their size."""
MOST_BINS, MOST_TICKS = 12, 6
_LABELS_PX, _BARS_PX, _COUNTS_PX, _ROW_PX, _BAR_PX, _AXIS_PX = 180, 560, 60, 24, 16, 44
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
h2 { margin-top: 2.2rem }
table { border-collapse: collapse; margin: 1rem 0 }
th, td { padding: .2rem .7rem; border-bottom: 1px solid #ddd; text-align: left; vertical-align: top }
td:last-child { overflow-wrap: anywhere }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
figure { margin: 0 } figcaption { font-size: 13px; color: #555 }
.figures { display: flex; flex-wrap: wrap; gap: 1rem 1.6rem }
.pictures { display: flex; flex-wrap: wrap; gap: 4px }
.pictures img { image-rendering: pixelated;
  background: repeating-conic-gradient(#ccc 0 25%, #fff 0 50%) 0 0 / 16px 16px }
svg { max-width: 100%; height: auto }
"""


def page(title: str, sections: Iterable[str]) -> str:
    """A self-contained HTML page."""
    body = "\n".join(sections)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<style>{_STYLE}</style></head>\n<body><h1>{html.escape(title)}</h1>\n{body}\n</body></html>\n"
    )


def table(header: Sequence[str], rows: Iterable[Sequence[str]], *, texts: Sequence[str] = ()) -> str:
    """A table. Columns are numbers, set to the right, but for the first and those of `texts`."""
    kinds = ["" if i == 0 or name in texts else ' class="number"' for i, name in enumerate(header)]

    def line(tag: str, cells: Sequence[str]) -> str:
        shown = (f"<{tag}{kind}>{html.escape(cell)}</{tag}>" for kind, cell in zip(kinds, cells, strict=True))
        return f"<tr>{''.join(shown)}</tr>"

    return "<table>" + "\n".join([line("th", header), *(line("td", row) for row in rows)]) + "</table>"


def pictures(images_NHWC: Iterable[Images]) -> str:
    """Images side by side: PNG files of their own size, which the browser enlarges unsmoothed."""
    return f'<div class="pictures">{"".join(map(_picture, images_NHWC))}</div>'


def _picture(image_HWC: Images) -> str:
    height, width = image_HWC.shape[:2]
    data = base64.b64encode(save_picture(image_HWC, {"optimize": True}, "PNG")).decode()
    return f'<img alt="" width="{SCALE * width}" height="{SCALE * height}" src="data:image/png;base64,{data}">'


def captioned(content: str, caption: str) -> str:
    """Something shown, with a line below it."""
    return f"<figure>{content}<figcaption>{html.escape(caption)}</figcaption></figure>"


def histogram(values: NDArray[np.int64], unit: str, counted: str) -> str:
    """How often whole numbers occur: a bar for each bin, all bars on one scale, as an SVG picture.

    unit: of the values. counted: what has these values, such as `blocks`.
    """
    edges, counts = bins_of(values)
    step = round_step(int(counts.max()), MOST_TICKS)
    last_tick = step * -(-int(counts.max()) // step)
    bottom = _ROW_PX * (len(counts) + 1)
    width, height = _LABELS_PX + _BARS_PX + _COUNTS_PX, bottom + _AXIS_PX
    parts = [
        f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'font-size="13" font-family="system-ui, sans-serif" fill="#222">',
        _text(_LABELS_PX - 8, _ROW_PX - 8, unit, "end", "#555"),
    ]
    for tick in range(0, last_tick + 1, step):
        x = _LABELS_PX + _BARS_PX * tick / last_tick
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{_ROW_PX}" y2="{bottom}" stroke="#ddd"/>')
        parts.append(_text(x, bottom + 16, f"{tick:,}", "middle", "#555"))
    for row, count in enumerate(counts.tolist()):
        low, high = int(edges[row]), int(edges[row + 1])
        y, length = _ROW_PX * (row + 1), _BARS_PX * count / last_tick
        label = f"{low:,}" if high - low == 1 else f"{low:,} to {high:,}"
        parts.append(_text(_LABELS_PX - 8, y + 17, label, "end"))
        parts.append(f'<rect x="{_LABELS_PX}" y="{y + 4}" width="{length:.1f}" height="{_BAR_PX}" fill="#1d3557"/>')
        parts.append(_text(_LABELS_PX + length + 6, y + 17, f"{count:,}", "start"))
    parts.append(_text(_LABELS_PX + _BARS_PX / 2, bottom + 36, f"number of {counted}", "middle", "#555"))
    return "\n".join(parts) + "</svg>"


def _text(x: float, y: float, text: str, anchor: str, colour: str = "#222") -> str:
    return f'<text x="{x:.1f}" y="{y}" text-anchor="{anchor}" fill="{colour}">{html.escape(text)}</text>'


def bins_of(values: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Round limits of at most MOST_BINS equal bins (B+1,), and how many values lie in each (B,).

    The lower limit of a bin belongs to it, the upper one does not.
    """
    low, high = int(values.min()), int(values.max())
    # The first and the last bin may reach beyond the values.
    step = round_step(high - low, MOST_BINS - 2)
    edges = np.arange(low // step, high // step + 2) * step
    counts = np.bincount((values - edges[0]) // step, minlength=len(edges) - 1)
    return edges, counts


def round_step(length: int, parts: int) -> int:
    """The smallest of 1, 2, 5, 10, 20, .. that goes at most `parts` times into a length."""
    unit = 10 ** max(0, math.floor(math.log10(max(1, length / parts))))
    return next(step for step in (unit, 2 * unit, 5 * unit, 10 * unit) if step * parts >= length)
