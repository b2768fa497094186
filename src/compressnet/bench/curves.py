"""Rate-distortion curves: the Bjontegaard delta rate between two, and the figure of all.

BD-rate: G. Bjontegaard, "Calculation of average PSNR differences between RD-curves", VCEG-M33,
2001; by the library `bjontegaard`, piecewise cubic (PCHIP), over the interval of PSNR that both
curves have.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from compressnet.bench.points import COMPRESSNET, Point

LEAST_OVERLAP_DB = 1.0
COLOURS = {
    COMPRESSNET: "#c1121f",
    "avif": "#1d3557",
    "jxl": "#2a9d8f",
    "webp": "#7b2cbf",
    "jpeg2000": "#8d6e63",
    "jpeg": "#e09f3e",
    "klt": "#606c38",
}
STYLES = {"mosaic": "-", "single": ":", "archive": "-"}


@dataclass(frozen=True, slots=True, kw_only=True)
class BdRate:
    """How many bytes fewer (negative) or more a curve takes than a rival's at equal PSNR."""

    curve: str
    rival: str
    percent: float | None
    psnr_interval: tuple[float, float] | None
    """In dB; None where the curves do not overlap."""
    note: str

    def as_json(self) -> dict[str, Any]:
        """A row of bench.json."""
        return asdict(self)


def curves_of(points: Sequence[Point]) -> dict[str, list[Point]]:
    """Lossy points by curve, each in order of bytes."""
    curves: dict[str, list[Point]] = {}
    for point in sorted(points, key=lambda point: point.bytes_per_image):
        if not point.lossless and point.psnr is not None:
            curves.setdefault(point.curve, []).append(point)
    return curves


def _rising(points: Sequence[Point]) -> tuple[np.ndarray, np.ndarray]:
    """Bytes and PSNR of the points that no cheaper one equals: both rise."""
    best: list[tuple[float, float]] = []
    for point in points:
        assert point.psnr is not None
        if not best or point.psnr > best[-1][1]:
            best.append((point.bytes_per_image, point.psnr))
    return np.array([rate for rate, _ in best]), np.array([psnr for _, psnr in best])


def _within(rate: np.ndarray, psnr: np.ndarray, low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
    """A curve cut to an interval of PSNR, its ends interpolated as the library interpolates."""
    from scipy.interpolate import PchipInterpolator

    interpolate = PchipInterpolator(psnr, np.log(rate))
    inner = psnr[(psnr > low) & (psnr < high)]
    chosen = np.concatenate([[low], inner, [high]])
    return np.exp(interpolate(chosen)), chosen


def bd_rate(points: Sequence[Point], rival: Sequence[Point], interval: tuple[float, float] | None = None) -> BdRate:
    """BD-rate of a curve against a rival's, over the PSNR that both have.

    interval: in dB; nothing outside of it counts.
    """
    import bjontegaard

    names = {"curve": points[0].curve, "rival": rival[0].curve}
    if len({point.psnr for point in points}) < 2 or len({point.psnr for point in rival}) < 2:
        return BdRate(**names, percent=None, psnr_interval=None, note="a curve needs two points at least")
    own_rate, own_psnr = _rising(points)
    rival_rate, rival_psnr = _rising(rival)
    low, high = max(own_psnr[0], rival_psnr[0]), min(own_psnr[-1], rival_psnr[-1])
    if interval is not None:
        low, high = max(low, interval[0]), min(high, interval[1])
    if high - low < LEAST_OVERLAP_DB:
        note = (
            f"the curves do not overlap by {LEAST_OVERLAP_DB:g} dB: "
            f"{own_psnr[0]:.1f} to {own_psnr[-1]:.1f} dB, the rival {rival_psnr[0]:.1f} to {rival_psnr[-1]:.1f} dB"
        )
        return BdRate(**names, percent=None, psnr_interval=None, note=note)
    own = _within(own_rate, own_psnr, low, high)
    other = _within(rival_rate, rival_psnr, low, high)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        percent = bjontegaard.bd_rate(*other, *own, method="pchip", require_matching_points=False, min_overlap=0)
    assert not isinstance(percent, tuple)
    interval_used = (round(float(low), 2), round(float(high), 2))
    return BdRate(**names, percent=float(percent), psnr_interval=interval_used, note="")


def bd_rates(points: Sequence[Point], interval: tuple[float, float] | None = None) -> list[BdRate]:
    """Every effort of compressnet against every rival."""
    curves = curves_of(points)
    own = sorted(name for name in curves if name.startswith(COMPRESSNET))
    rivals = sorted(name for name in curves if name not in own)
    return [bd_rate(curves[name], curves[rival], interval) for rival in rivals for name in own]


def draw(points: Sequence[Point], title: str, file_format: Literal["png", "svg"]) -> bytes:
    """PSNR and SSIM over bytes an image (log axis), a curve for each codec, as an image file."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 5.2), layout="constrained")
    curves = curves_of(points)
    for axes, measure, label in zip(
        figure.subplots(1, 2), ("psnr", "ssim"), ("PSNR of the mean squared error (dB)", "SSIM"), strict=True
    ):
        for name, curve in curves.items():
            shown = [(p.bytes_per_image, getattr(p, measure)) for p in curve if getattr(p, measure) is not None]
            if shown:
                own = curve[0].effort is not None
                axes.plot(
                    *zip(*shown, strict=True),
                    STYLES[curve[0].mode],
                    color=COLOURS.get(curve[0].codec, "#555555"),
                    alpha=1.0 if not own else {1: 1.0, 5: 0.7}.get(curve[0].effort or 1, 0.45),
                    linewidth=2.2 if own else 1.2,
                    marker="o" if own else ".",
                    markersize=4,
                    label=name,
                )
        axes.set_xscale("log")
        axes.set_xlabel("bytes an image, on disk (log axis)")
        axes.set_ylabel(label)
        axes.grid(visible=True, which="both", alpha=0.25)
    figure.axes[0].legend(fontsize=8)
    figure.suptitle(title)
    stream = io.BytesIO()
    metadata = {"Date": None} if file_format == "svg" else None
    figure.savefig(stream, format=file_format, dpi=150, metadata=metadata)
    return stream.getvalue()
