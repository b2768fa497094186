"""What a user sees of a training: a live table of held-out figures beside general codecs'."""

from __future__ import annotations

import contextlib
import math
import threading
from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING, Any

from compressnet.commands.console import errors_console

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from rich.table import Table

    from compressnet.bench.rivals.pictures import PictureCodec
    from compressnet.training.common.options import Progress

COMPARED_PX = 1 << 18
"""Held-out pixels that general codecs are measured on."""
COMPARED_QUALITIES = (5, 25, 45, 65, 80, 92)


def _compared() -> tuple[PictureCodec, ...]:
    """The codecs whose mosaics are measured."""
    from compressnet.bench.rivals.catalogue import AVIF, JPEG_XL

    return AVIF, JPEG_XL


class RivalCurves:
    """Bytes an image that general codecs' mosaics take at a PSNR.

    They are measured on a thread of their own while something else runs.
    """

    def __init__(self, held_out: Sequence[NDArray[np.uint8]]) -> None:
        self._curves: dict[str, list[tuple[float, float]]] = {}
        self._held_out = held_out
        self._thread = threading.Thread(target=self._measure, daemon=True)
        self._thread.start()

    def _measure(self) -> None:
        from compressnet.bench.rivals.groups import make_groups, measure, sampled

        groups = sampled(make_groups(self._held_out), COMPARED_PX)
        images = sum(len(group.images_NHWC) * group.scale for group in groups)
        channels = groups[0].images_NHWC.shape[3]
        for codec in _compared():
            if codec.matching is None or codec.missing() is not None:
                continue
            setting = {**codec.matching.variants(channels)[0], **codec.matching.quick}
            # A rival that fails is left out: the table is no result.
            with contextlib.suppress(Exception):
                points: list[tuple[float, float]] = []
                for quality in COMPARED_QUALITIES:
                    found = measure(groups, codec.encode_mosaic, {**setting, "quality": quality})
                    points.append((found.psnr, found.total_bytes / images))
                self._curves[codec.title] = sorted(points)

    def wait(self) -> None:
        """Until all is measured."""
        self._thread.join()

    def at(self, name: str, psnr: float) -> float | None:
        """Bytes an image at a PSNR in dB; None outside of what was measured, or before it is."""
        points = self._curves.get(name)
        if not points or not points[0][0] <= psnr <= points[-1][0]:
            return None
        import numpy as np

        psnr_P, bytes_P = np.array(points).T
        return float(np.exp(np.interp(psnr, psnr_P, np.log(bytes_P))))


def training_table(progress: Progress, curves: RivalCurves | None) -> Table:
    """Figures at three qualities on held-out images, beside general codecs at the same PSNR."""
    from rich.table import Table

    table = Table(title=f"{progress.network}: {progress.share:.0%}, {progress.epoch:.1f} epochs, held-out images")
    compared = () if curves is None else tuple(codec.title for codec in _compared())
    for column in ("quality", "bytes/image", "PSNR dB", "SSIM", *(f"{name} mosaic" for name in compared)):
        table.add_column(column, justify="right")
    for point in progress.points:
        rivals = [None if curves is None else curves.at(name, point.psnr) for name in compared]
        table.add_row(
            str(point.quality),
            f"{point.bytes_per_image:.1f}",
            "lossless" if math.isinf(point.psnr) else f"{point.psnr:.2f}",
            "" if point.ssim is None else f"{point.ssim:.4f}",
            *("" if rival is None else f"{rival:.1f}" for rival in rivals),
        )
    return table


@contextlib.contextmanager
def watched_training(*, quiet: bool, curves: RivalCurves | None = None) -> Generator[Callable[[Any], None]]:
    """Gives what takes a training's `Progress`: tables that replace one another, on stderr.

    Nothing is shown where that is no terminal.
    """
    if quiet or not errors_console.is_terminal:
        yield lambda _: None
        return
    from rich.console import Group
    from rich.live import Live

    tables: dict[str, Table] = {}
    with Live(console=errors_console.rich, transient=True, refresh_per_second=2) as live:

        def show(progress: Progress) -> None:
            tables[progress.network] = training_table(progress, curves)
            live.update(Group(*tables.values()))

        yield show


class Watcher:
    """Shows how packing goes."""

    def __init__(self, show_training: Callable[[Any], None], say: Callable[[str], None]) -> None:
        self.training, self._say = show_training, say

    def step(self, text: str) -> None:
        """Show what comes next."""
        self._say(text)

    def packed(self, images: int) -> None:
        """Images in the archive so far."""
        self._say(f"pack: {images} images")
