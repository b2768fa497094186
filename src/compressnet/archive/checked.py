"""Archives that lose nothing: what was written is read back, and compared with what was given.

images -> archive in a file of ours -> all images again -> the same digests -> the target

Axes: N images.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from compressnet.archive.archive import Archive
from compressnet.archive.blocks import Piece
from compressnet.archive.embedding import resolve_codec
from compressnet.archive.writing.distinct import DIGEST_BYTES, digests_of
from compressnet.archive.writing.outcome import Written
from compressnet.archive.writing.settings import Settings
from compressnet.archive.writing.write import Columns, write_archive
from compressnet.codec.codec import Codec
from compressnet.container.container import Container
from compressnet.container.entries import CodecEntry
from compressnet.container.sources import StreamSource
from compressnet.errors import CodecError, DefectError, FormatError
from compressnet.images.kinds import Pictures

SPOOLED_BYTES = 1 << 26
"""Of an archive that is held in memory until it was compared; a larger one is on disk."""
COMPARED_IMAGES = 4096
COMPARED_VALUES = 1 << 23
"""Values of images that are compared together, if these are not those of one block."""
NEW = "the new archive"


def write_checked(
    stream: BinaryIO,
    images: Iterable[Pictures],
    codec: Codec,
    settings: Settings,
    columns: Columns,
    *,
    is_ours: bool,
    report: Callable[[int], None] = lambda _: None,
) -> Written:
    """`write_archive`; where nothing may be lost, nothing gets anywhere before it was compared.

    is_ours: whether the stream is a file that can be read, and that vanishes where an error is
    raised; others get the archive at the end, all at once. Raises InputError, and DefectError
    where an image does not come back as it was given.
    """
    if not settings.loses_nothing:
        return write_archive(stream, images, codec, settings, columns, report)[0]
    with nullcontext(stream) if is_ours else tempfile.SpooledTemporaryFile(SPOOLED_BYTES) as opened:
        file = cast("BinaryIO", opened)
        written, given = write_archive(file, images, codec, settings, columns, report)
        require_as_given(file, given, codec)
        if not is_ours:
            file.seek(0)
            shutil.copyfileobj(file, stream)
    return replace(written, lossless_checked=True)


def require_as_given(stream: BinaryIO, given: bytes, codec: Codec | None, first: int = 0) -> None:
    """Read the images of an archive that was just written, from number `first` on.

    Its codec is read as others will read it: out of the archive where it is embedded there, else
    it is the one that is given. Raises DefectError where shape, type or any value of an image are
    not those of the digests `given`.
    """

    def resolve(entry: CodecEntry) -> Codec:
        known = codec if entry.embedded is None else None
        threads = None if codec is None else codec.threads
        return resolve_codec(entry, known, NEW, None, threads)

    try:
        archive = Archive(Container(StreamSource(stream, NEW)), resolve)
        found_N = _digests(archive, np.arange(first, len(archive)))
    except (FormatError, CodecError) as error:
        raise DefectError(f"what was written cannot be read back, so nothing was kept ({error})") from error
    given_N = np.frombuffer(given, f"V{DIGEST_BYTES}")
    if len(found_N) != len(given_N):
        raise DefectError(f"{len(found_N)} images came back of {len(given_N)}, so nothing was kept")
    differs_N = found_N != given_N
    if differs_N.any():
        image = first + int(np.argmax(differs_N))
        raise DefectError(f"image {image} did not come back as it was given, so nothing was kept")


def _digests(archive: Archive, positions: NDArray[np.int64]) -> NDArray[np.void]:
    """The digests of images of an archive, each block decoded once, (N,)."""
    container = archive.container
    places, place_of = np.unique(container.places_of(positions), return_inverse=True)
    found = np.zeros((len(places), DIGEST_BYTES), np.uint8)
    for run in _runs(archive, places):

        def take(piece: Piece, run: slice = run) -> None:
            shown = container.kinds[piece.coding.kind].shown(piece.images())
            digests = np.frombuffer(b"".join(digests_of(shown)), np.uint8)
            found[run][piece.rows] = digests.reshape(-1, DIGEST_BYTES)

        archive.reader.for_each(places[run], take)
    return found.view(f"V{DIGEST_BYTES}")[place_of, 0]


def _runs(archive: Archive, places: NDArray[np.int64]) -> Iterator[slice]:
    """Parts of rising places: those of whole blocks, and as many as may be read together."""
    container = archive.container
    blocks = container.blocks_of(places)
    numbers, starts = np.unique(blocks, return_index=True)
    stops = [*starts[1:].tolist(), len(places)]
    kinds = container.kinds_of(numbers).tolist()
    start = values = 0
    for begin, stop, kind, count in zip(
        starts.tolist(), stops, kinds, container.blocks.counts[numbers].tolist(), strict=True
    ):
        block_values = count * int(np.prod(container.kinds[kind].kind))
        if begin > start and (values + block_values > COMPARED_VALUES or stop - start > COMPARED_IMAGES):
            yield slice(start, begin)
            start, values = begin, 0
        values += block_values
    if start < len(places):
        yield slice(start, len(places))
