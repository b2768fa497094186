"""A whole archive from a stream of arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from compressnet.archive.writing.outcome import Written
from compressnet.archive.writing.router import Router
from compressnet.archive.writing.settings import Settings
from compressnet.codec.codec import Codec
from compressnet.container.columns import Labels
from compressnet.container.writer import ContainerWriter
from compressnet.images.kinds import Pictures


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """What an archive holds besides its images, as it is kept."""

    labels: Labels | None = None
    names: Sequence[str] | None = None
    class_names: Sequence[str] | None = None


def write_archive(
    stream: BinaryIO,
    images: Iterable[Pictures],
    codec: Codec,
    settings: Settings,
    columns: Columns,
    report: Callable[[int], None] = lambda _: None,
) -> tuple[Written, bytes]:
    """Write an archive of arrays (n,H,W[,C]), each of one shape.

    Gives what was written, and the digests of all images as they were given, where nothing may be
    lost. `report` is told how many images are done so far.

    settings: with a quality. Raises InputError where the codec codes none of the images, where
    there are no images at all, or where labels or names do not match.
    """
    writer = ContainerWriter(stream)
    router = Router(writer, codec, settings, report=report)
    for array in images:
        router.add(array)
    positions_N = router.finish()
    writer.finish(columns.labels, columns.names, positions_N, columns.class_names)
    return router.written(), router.given
