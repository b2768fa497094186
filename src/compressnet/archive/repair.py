"""`repair`: a new archive of all that is whole in a damaged one.

file -> whole chunks -> blocks that decode -> copied as they are
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from compressnet.archive.blocks import BlockReader
from compressnet.archive.embedding import resolve_codec
from compressnet.archive.losses import Lost
from compressnet.archive.selection import add_renumbered
from compressnet.archive.surviving import damage, kept_images, lost_blocks, read_columns, taken
from compressnet.archive.verifying import why_unreadable
from compressnet.codec.codec import BackendName, Codec
from compressnet.container.remains import FoundBlock, Remains, find_remains
from compressnet.container.sources import open_source
from compressnet.container.writer import ContainerWriter
from compressnet.errors import CodecRefusedError, CorruptError, InputError
from compressnet.files import is_same_file, open_target
from compressnet.limits import DEFAULT_LIMITS, Limits, Spending
from compressnet.remote import located

PathLike = str | os.PathLike[str]
Report = Callable[[int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Repaired:
    """What became of a damaged archive."""

    images: int | None
    """Of the damaged archive; None where nobody knows."""
    kept: int
    """Images of the new archive."""
    archive_bytes: int
    lost: list[Lost] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    """What else was damaged, and what that means, a line each."""

    @property
    def lost_images(self) -> int | None:
        """Images that are lost; None where nobody knows."""
        return None if self.images is None else self.images - self.kept

    def as_json(self) -> dict[str, Any]:
        """The document that `repair --json` prints."""
        return {
            "images": self.images,
            "kept": self.kept,
            "lost_images": self.lost_images,
            "archive_bytes": self.archive_bytes,
            "lost": [lost.as_json() for lost in self.lost],
            "remarks": self.remarks,
        }


def repair(
    path: PathLike,
    output: PathLike,
    *,
    codec: PathLike | Codec | None = None,
    backend: BackendName | None = None,
    threads: int | None = None,
    limits: Limits = DEFAULT_LIMITS,
    report: Report = lambda _: None,
) -> Repaired:
    """Write all that is whole in a damaged archive into a new one, and say what is lost.

    Blocks are found by their checksums, without header and index, decoded to see that they are
    whole, and copied as they are. Where the index is whole, images keep their order, names and
    labels; else they have the order of the blocks. `report` is told the images that were looked
    at. codec, limits: as for `compressnet.open`. Raises FormatError for what is no archive,
    CorruptError where nothing can be saved, InputError, and CodecError where a codec is not at
    hand; `output` is written only if all went well.
    """
    require_other(path, output)
    with contextlib.closing(open_source(path, whole=True)) as source:
        remains = find_remains(source)
        readable = _with_codecs(remains, codec, backend, threads, limits)
        with open_target(output) as stream:
            return _write(stream, remains, readable, limits, report)


def require_other(path: PathLike, output: PathLike) -> None:
    """Raises InputError where what is to be written is the damaged archive itself."""
    if is_same_file(located(path), located(output)):
        raise InputError(f"{output}: is the damaged archive itself, which stays as it is; give another name")


def _with_codecs(
    remains: Remains,
    codec: PathLike | Codec | None,
    backend: BackendName | None,
    threads: int | None,
    limits: Limits,
) -> dict[int, Codec]:
    """The codecs that can be read, by number; of others, it is noted why they cannot.

    Raises CodecError where one is not at hand.
    """
    name = remains.source.name
    codecs: dict[int, Codec] = {}
    spending = Spending(limits)
    for number, entry in remains.codecs.items():
        try:
            codecs[number] = resolve_codec(entry, codec, name, backend, threads, spending)
        except (CorruptError, CodecRefusedError) as error:
            remains.remarks.append(f"codec or primer {number} cannot be read: {str(error).removeprefix(f'{name}: ')}")
    remains.codecs = {number: remains.codecs[number] for number in codecs}
    return codecs


def _write(stream: BinaryIO, remains: Remains, codecs: dict[int, Codec], limits: Limits, report: Report) -> Repaired:
    """The new archive. Raises CorruptError where it would be empty."""
    writer = ContainerWriter(stream)
    whys = _copy(remains, codecs, writer, limits, report)
    name = remains.source.name
    if not writer.images:
        why = next((why for why in whys if why is not None), "none is whole")
        raise CorruptError(f"{name}: no block of it can be read ({why}), so nothing was written; look for another copy")
    columns = read_columns(remains)
    chosen, places = kept_images(remains, whys)
    writer.finish(taken(columns.labels, chosen), taken(columns.names, chosen), places, columns.class_names)
    return Repaired(
        images=None if remains.index is None else remains.index.images,
        kept=len(chosen),
        archive_bytes=writer.bytes_written,
        lost=lost_blocks(remains, whys, columns.names),
        remarks=[*damage(remains), *remains.remarks],
    )


def _copy(
    remains: Remains, codecs: dict[int, Codec], writer: ContainerWriter, limits: Limits, report: Report
) -> list[str | None]:
    """Append each block that can be decoded; why each of the others cannot."""
    name = remains.source.name
    tried = [block for block in remains.blocks if _needs(block, codecs) is None]
    container = remains.container(tried)
    reader = BlockReader(container, [codecs[number] for number in remains.codecs], limits)
    entries = {entry.identity: entry for entry in container.codecs}
    refused: dict[int | None, str] = {}
    whys: list[str | None] = []
    number = looked_at = 0
    for block in remains.blocks:
        why = _needs(block, codecs) or refused.get(block.codec)
        if _needs(block, codecs) is None:
            if why is None:
                first = int(container.blocks.firsts[number])
                try:
                    why = why_unreadable(reader, number, first, block.images, name)
                except CodecRefusedError as error:
                    reason = str(error).removeprefix(f"{name}: ")
                    why = refused[block.codec] = f"its codec or primer cannot be used here ({reason})"
            if why is None:
                add_renumbered(writer, container.read_block(number), container, entries)
            number += 1
        whys.append(why)
        looked_at += block.images
        report(looked_at)
    return whys


def _needs(block: FoundBlock, codecs: dict[int, Codec]) -> str | None:
    """Why a block lacks what it needs, if it does."""
    if block.why_not is None and block.codec is not None and block.codec not in codecs:
        return f"the codec or primer that it needs, number {block.codec}, cannot be read"
    return block.why_not
