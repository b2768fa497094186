"""A whole archive from a stream of arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import BinaryIO

from compressnet.archive.writing.outcome import Written
from compressnet.archive.writing.router import Router
from compressnet.archive.writing.settings import Settings
from compressnet.codec.codec import Codec
from compressnet.container.columns import Labels
from compressnet.container.writer import ContainerWriter
from compressnet.images.kinds import Images


def write_archive(
    stream: BinaryIO,
    images: Iterable[Images],
    codec: Codec | None,
    settings: Settings,
    *,
    labels: Labels | None = None,
    names: Sequence[str] | None = None,
    report: Callable[[int], None] = lambda _: None,
) -> Written:
    """Write an archive of arrays (n,H,W[,C]), each of one shape.

    `report` is told how many images are done so far.

    codec: None to store all images; settings: with a quality where there is a codec. Raises
    InputError where the codec codes none of the images, where there are no images at all, or where
    labels or names do not match.
    """
    writer = ContainerWriter(stream)
    router = Router(writer, codec, settings, report=report)
    for array in images:
        router.add(array)
    positions_N = router.finish()
    writer.finish(labels, names, positions_N)
    return router.written()
