"""Images of a damaged archive: which are lost, and what is known of the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from compressnet.archive.losses import Holders, Lost, count_of, named
from compressnet.container.columns import INTEGERS, Labels, unpack_class_names, unpack_labels, unpack_names
from compressnet.container.container import BLOK, CLAS, EXTRAS, HEAD, LABL, NAME, SIGNATURE, TAIL
from compressnet.container.matching import table_of
from compressnet.container.remains import Remains
from compressnet.container.scanning import Stretch
from compressnet.errors import CorruptError

LEAST_BLOCK_BYTES = 18
"""Damaged bytes that are fewer held no block."""
FRONT_BYTES = len(SIGNATURE) + 13
"""Signature and HEAD."""
NOT_WHOLE, NO_CHUNK = "damaged or cut off", "no whole chunk is there"
T = TypeVar("T")


@dataclass(slots=True)
class Columns:
    """What is known of each image of the damaged archive."""

    labels: Labels | None = None
    names: list[str] | None = None
    class_names: list[str] | None = None


def read_columns(remains: Remains) -> Columns:
    """Labels and names, where these are whole and the index tells whose they are."""
    columns = Columns()
    found = [stretch for kind in EXTRAS for stretch in remains.scan.of_type(kind)]
    if remains.index is None:
        remains.remarks.append("images are in the order of their blocks, and numbered anew")
        if found:
            remains.remarks.append("labels and names are left out, as nobody knows whose they are")
        return columns
    images = remains.index.images
    if sum(stretch.end - stretch.offset for stretch in found) < remains.index.extra_bytes:
        remains.remarks.append("some of labels, names and names of classes are lost, as their chunks are damaged")

    def read(kind: bytes, unpack: Callable[[bytes, str], T]) -> T | None:
        of_kind = remains.scan.of_type(kind)
        if len(of_kind) != 1:
            return None
        try:
            return unpack(remains.payload(of_kind[0]), f"chunk {kind.decode()}")
        except CorruptError as error:
            remains.remarks.append(str(error))
            return None

    columns.labels = read(LABL, lambda payload, what: unpack_labels(payload, images, what))
    columns.names = read(NAME, lambda payload, what: unpack_names(payload, images, what))
    are_numbers = read(LABL, lambda payload, _: payload[:1] == bytes([INTEGERS]))
    if columns.labels is not None and are_numbers:
        columns.class_names = read(CLAS, unpack_class_names)
    elif remains.scan.of_type(CLAS):
        remains.remarks.append("the names of classes are left out, as the labels are lost")
    return columns


def kept_images(remains: Remains, whys: Sequence[str | None]) -> tuple[NDArray[np.int64], NDArray[np.uint32] | None]:
    """The numbers that the images of the new archive had, and their places among its blocks.

    Places are None where the images are in the order of the blocks. whys: as for `lost_blocks`.
    """
    kept = [block.images for block, why in zip(remains.blocks, whys, strict=True) if why is None]
    starts = (np.cumsum(kept) - kept).tolist()
    if remains.index is None:
        return np.arange(sum(kept)), None
    table = table_of(remains.index)
    numbers = [number for number, why in zip(remains.numbers, whys, strict=True) if why is None]
    positions_N = remains.index.positions_N
    if positions_N is None:
        ranges = [np.arange(count) + table.firsts[number] for number, count in zip(numbers, kept, strict=True)]
        return np.concatenate(ranges), None
    new_firsts = np.full(len(table), -1, np.int64)
    new_firsts[numbers] = starts
    places_N = positions_N.astype(np.int64)
    blocks_N = np.searchsorted(table.firsts, places_N, side="right") - 1
    chosen = np.flatnonzero(new_firsts[blocks_N] >= 0)
    places = new_firsts[blocks_N[chosen]] + places_N[chosen] - table.firsts[blocks_N[chosen]]
    return chosen, places.astype(np.uint32)


def lost_blocks(remains: Remains, whys: Sequence[str | None], names: Sequence[str] | None) -> list[Lost]:
    """The blocks that are not in the new archive, in their order.

    whys: of each block that was found, why it cannot be read; None of those that can.
    """
    if remains.index is None:
        lost = [
            Lost(why=why, offset=block.at.offset, end=block.at.end, images=block.images, ranges=[], names=[])
            for block, why in zip(remains.blocks, whys, strict=True)
            if why is not None
        ]
        lost += [
            Lost(why=NO_CHUNK, offset=stretch.offset, end=stretch.end, ranges=[], names=[])
            for stretch in remains.scan.damaged
            if _may_have_held_blocks(stretch)
        ]
        return sorted(lost, key=lambda one: one.offset)
    table, holders = table_of(remains.index), Holders(remains.index.positions_N)
    why_of = dict(zip(remains.numbers, whys, strict=True))
    at = {number: block.at.offset for number, block in zip(remains.numbers, remains.blocks, strict=True)}
    lost: list[Lost] = []
    for number in range(len(table)):
        why = why_of.get(number, NOT_WHOLE)
        if why is not None:
            entry = table[number]
            ranges = holders.ranges(entry.first, entry.images)
            lost.append(
                Lost(
                    why=why,
                    offset=(offset := at.get(number, entry.offset)),
                    end=offset + entry.chunk_bytes,
                    block=number,
                    images=count_of(ranges),
                    ranges=ranges,
                    names=named(names, ranges),
                )
            )
    return lost


def damage(remains: Remains) -> list[str]:
    """What is damaged besides blocks, a line each."""
    lines: list[str] = []
    if remains.source.read_at(0, len(SIGNATURE)) != SIGNATURE:
        lines.append("the signature at its begin is damaged")
    lines += [f"chunk {kind.decode()} is lost" for kind in (HEAD, TAIL) if not remains.scan.of_type(kind)]
    for stretch in remains.scan.damaged:
        if stretch.is_explained and stretch.heads:
            heads = [head.decode() for head in stretch.heads if head not in (BLOK, HEAD, TAIL)]
            lines += [f"chunk {head} in bytes {stretch.offset} to {stretch.end - 1} is damaged" for head in heads]
        elif remains.index is not None or not _may_have_held_blocks(stretch):
            lines.append(f"bytes {stretch.offset} to {stretch.end - 1} hold no whole chunk")
    return lines


def _may_have_held_blocks(stretch: Stretch) -> bool:
    if stretch.is_explained:
        return BLOK in stretch.heads
    return stretch.end > FRONT_BYTES and stretch.end - stretch.offset >= LEAST_BLOCK_BYTES


def taken(values: Any, chosen: NDArray[np.int64]) -> Any:
    """The values of chosen images; None where there are none."""
    if values is None:
        return None
    return values[chosen] if isinstance(values, np.ndarray) else [values[i] for i in chosen.tolist()]
