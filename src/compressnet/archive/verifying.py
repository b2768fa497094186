"""`verify`: all that is damaged in an archive that opens, and the images that are lost by it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from compressnet.archive.archive import Archive
from compressnet.archive.blocks import BlockReader
from compressnet.archive.losses import Holders, Lost, count_of, named
from compressnet.archive.manifest import digest_of
from compressnet.archive.shards import ArchiveSet
from compressnet.errors import BeyondLimitsError, CorruptError, FormatError, InputError
from compressnet.limits import beyond_limits, paid

ALL_WORK = 60
"""How often the limit on work all blocks together may take, besides what bytes pay for."""
WORK_PAID = 4 * 10**7
"""Work that each byte of the file pays for: a millisecond."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What `verify` found."""

    images: int
    blocks: int
    damaged: list[Lost]
    """Blocks that cannot be read."""
    remarks: list[str]
    """What else is damaged, a line each."""

    @property
    def is_well(self) -> bool:
        """Whether nothing is damaged."""
        return not self.damaged and not self.remarks

    @property
    def damaged_images(self) -> int:
        """Images that cannot be read."""
        return sum(lost.images or 0 for lost in self.damaged)

    def as_json(self) -> dict[str, Any]:
        """The document that `verify --json` prints."""
        return asdict(self) | {"damaged_images": self.damaged_images}


def verify(archive: Archive, report: Callable[[int], None] = lambda _: None) -> Verified:
    """Compare every checksum and decode every block; goes on after damage, to list all of it.

    `report` is told how many images of the blocks are done. Raises CodecError, and
    BeyondLimitsError for a small file whose blocks would take very long together.
    """
    if isinstance(archive, ArchiveSet):
        return _verify_set(archive, report)
    container = archive.container
    blocks = container.blocks
    _require_affordable(archive)
    try:
        archive.check(report)
    except CorruptError as error:
        first = _without_name(error, archive)
    else:
        return Verified(images=len(archive), blocks=len(blocks), damaged=[], remarks=[])
    remarks: list[str] = []
    names: list[str] | None = None
    try:
        names = container.read_names()
    except CorruptError as error:
        remarks.append(_without_name(error, archive))
    for read in (container.read_labels, container.read_class_names):
        try:
            read()
        except CorruptError as error:
            remarks.append(_without_name(error, archive))
    holders: Holders | None = None
    damaged: list[Lost] = []
    for number in range(len(blocks)):
        entry = blocks[number]
        why = why_unreadable(archive.reader, number, entry.first, entry.images, archive.name)
        if why is not None:
            holders = holders or Holders(container.positions_N)
            ranges = holders.ranges(entry.first, entry.images)
            damaged.append(
                Lost(
                    why=why,
                    offset=entry.offset,
                    end=entry.offset + entry.chunk_bytes,
                    block=number,
                    images=count_of(ranges),
                    ranges=ranges,
                    names=named(names, ranges),
                )
            )
        report(entry.first + entry.images)
    if not damaged and not remarks:
        remarks.append(first)
    return Verified(images=len(archive), blocks=len(blocks), damaged=damaged, remarks=list(dict.fromkeys(remarks)))


def _require_affordable(archive: Archive) -> None:
    """Add up what decoding each block takes. Raises BeyondLimitsError, CodecRefusedError."""
    container, work = archive.container, 0
    allowed = ALL_WORK * container.limits.work
    for number, images in enumerate(container.blocks.counts.tolist()):
        with suppress(CorruptError):  # damage is listed later
            work += archive.reader.coding(number).coder.cost_of(images).work
        if paid(work, container.source.total_bytes, WORK_PAID) > allowed:
            what = f"blocks up to number {number} of {len(container.blocks)} would take {work:.2g} steps of work"
            raise beyond_limits(f"{archive.name}: {what} together, too many for so small a file", "work")


def _verify_set(archives: ArchiveSet, report: Callable[[int], None]) -> Verified:
    """`verify` of each shard, and each file compared with the manifest. Raises CodecError."""
    damaged: list[Lost] = []
    remarks: list[str] = []
    blocks = first = 0
    for entry in archives.manifest.shared:
        if _differs(archives, entry.file, entry.sha256):
            remarks.append(f"{entry.file}: is missing, or not the file that the manifest names")
    for number, entry in enumerate(archives.manifest.shards):
        try:
            shard = archives.shard(number)
            found = verify(shard, lambda images, before=first: report(before + images))
        except BeyondLimitsError:
            raise
        except (InputError, FormatError) as error:
            why, ranges = str(error).removeprefix(f"{archives.folder / entry.file}: "), [(0, entry.images - 1)]
            lost = Lost(why=why, offset=0, end=entry.bytes, images=entry.images, ranges=ranges, names=[])
            found = Verified(images=entry.images, blocks=0, damaged=[lost], remarks=[])
        if found.is_well and _differs(archives, entry.file, entry.sha256):
            remarks.append(f"{entry.file}: is whole, but not the file that the manifest names")
        damaged += [
            replace(lost, file=entry.file, ranges=[(first + a, first + b) for a, b in lost.ranges])
            for lost in found.damaged
        ]
        remarks += [f"{entry.file}: {remark}" for remark in found.remarks]
        blocks, first = blocks + found.blocks, first + entry.images
    return Verified(images=first, blocks=blocks, damaged=damaged, remarks=remarks)


def _differs(archives: ArchiveSet, file: str, sha256: str) -> bool:
    """Whether a file of a set is not as the manifest says."""
    path = archives.folder / file
    return not path.is_file() or digest_of(path) != sha256


def why_unreadable(reader: BlockReader, number: int, first: int, images: int, name: str) -> str | None:
    """Decode a block; why that fails, None where it does not.

    first: the place of its first image. name: the archive's. Raises CodecError.
    """
    try:
        for piece in reader.pieces(first + np.arange(images)):
            piece.images()
    except CorruptError as error:
        why = str(error).removeprefix(f"{name}: ").removeprefix(f"block {number}").removeprefix(":").strip()
        return why.removeprefix("is damaged: ").removeprefix("is ")
    return None


def _without_name(error: CorruptError, archive: Archive) -> str:
    return str(error).removeprefix(f"{archive.name}: ")
