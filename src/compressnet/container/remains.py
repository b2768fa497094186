"""What is left of a damaged archive: its whole blocks, and what is known of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from compressnet.coding.coder import WITHOUT_CODEC
from compressnet.container.block import Block, unpack_block
from compressnet.container.chunks import is_critical, unpack_chunk
from compressnet.container.container import (
    BLOK,
    CODC,
    HEAD,
    INDX,
    KIND,
    PRIM,
    SIGNATURE,
    VERSION,
    Container,
)
from compressnet.container.entries import BlockTable, CodecEntry, primer_entry, unpack_codec, unpack_kind
from compressnet.container.index import Index, unpack_index
from compressnet.container.matching import match_blocks
from compressnet.container.numbering import Event, numbers_of
from compressnet.container.scanning import KNOWN, Scan, Stretch, scan
from compressnet.container.sources import Source
from compressnet.errors import CorruptError, FormatError
from compressnet.images.forms import Form

CODECS = (CODC, PRIM)
MOVED_BYTES = 1 << 40
"""How much shorter than its index says a file may have become."""


@dataclass(frozen=True, slots=True)
class FoundBlock:
    """A whole block, and why it cannot be read, if it cannot."""

    at: Stretch
    images: int
    kind: int
    codec: int | None
    """None where it needs none."""
    why_not: str | None = None


class FoundContainer(Container):
    """The whole blocks of a damaged archive, in their order, with the codecs and kinds they need.

    Codecs and kinds are numbered anew.
    """

    def __init__(
        self, source: Source, blocks: Sequence[FoundBlock], codecs: dict[int, CodecEntry], kinds: dict[int, Form]
    ) -> None:
        self.source = source
        self._codec_of = {number: i for i, number in enumerate(codecs)}
        self._kind_of = {number: i for i, number in enumerate(kinds)}
        self.codecs, self.kinds = list(codecs.values()), list(kinds.values())
        self.blocks = BlockTable(
            np.array([block.at.offset for block in blocks], np.int64),
            np.array([block.at.end - block.at.offset for block in blocks], np.int64),
            np.array([block.images for block in blocks], np.int64),
        )
        self._kind_of_block = np.array([self._kind_of[block.kind] for block in blocks], np.int32)
        self.images = self.images_in_blocks = sum(block.images for block in blocks)
        self.positions_N = None

    def _block(self, number: int, data: bytes) -> Block:
        payload, _ = self._chunk(self.blocks[number].offset, BLOK, f"block {number}", data)
        block = unpack_block(payload, f"{self.name}: block {number}")
        codec = 0 if block.method in WITHOUT_CODEC else self._codec_of[block.codec]
        return replace(block, codec=codec, kind=self._kind_of[block.kind])


@dataclass(slots=True)
class Remains:
    """What is left of a damaged archive."""

    source: Source
    scan: Scan
    blocks: list[FoundBlock] = field(default_factory=list)
    """All whole ones, those included that cannot be read."""
    codecs: dict[int, CodecEntry] = field(default_factory=dict)
    """By number, where that is known."""
    kinds: dict[int, Form] = field(default_factory=dict)
    index: Index | None = None
    """Where it is whole, and tells which block is which."""
    numbers: list[int] = field(default_factory=list)
    """With an index: the number that each whole block had in the archive."""
    remarks: list[str] = field(default_factory=list)

    def payload(self, stretch: Stretch) -> bytes:
        """Of a whole chunk."""
        return _payload(self.source, stretch)

    def container(self, chosen: Sequence[FoundBlock]) -> FoundContainer:
        """Some of the blocks, none of which lacks its kind or its codec."""
        return FoundContainer(self.source, chosen, self.codecs, self.kinds)


def find_remains(source: Source) -> Remains:
    """What is left of an archive, from its whole chunks; of several, of the first.

    Raises FormatError for a file that is no archive or of another version, CorruptError where none
    of its chunks is whole, or where one is unknown but has to be understood.
    """
    found = scan(source)
    _require_archive(source, found)
    remains = Remains(source, found)
    _leave_out_others(remains)
    codec_events: list[tuple[Event, int]] = []
    kind_events: list[tuple[Event, int]] = []
    codecs: list[CodecEntry | None] = []
    kinds: list[Form | None] = []
    seen: set[bytes] = set()
    for stretch in found.stretches:
        if stretch.type in (KIND, *CODECS) and not _is_new(remains, stretch, seen):
            continue  # writers write each once, so this is a copy that damage left, without a number
        if stretch.type == BLOK:
            block = _found_block(remains, stretch)
            if block is None:
                continue
            remains.blocks.append(block)
            kind_events.append((Event.USED, block.kind))
            if block.codec is not None:
                codec_events.append((Event.USED, block.codec))
        elif stretch.type == KIND:
            kinds.append(_kind(remains, stretch))
            kind_events.append((Event.FOUND, 0))
        elif stretch.type in CODECS:
            codecs.append(_codec(remains, stretch))
            codec_events.append((Event.FOUND, 0))
        elif not stretch.type:
            kind_events += [(Event.LOST, 0)] * stretch.heads.count(KIND)
            codec_events += [(Event.LOST, 0)] * sum(map(stretch.heads.count, CODECS))
            after = Event.HIDDEN if stretch.is_explained else Event.GAP
            kind_events.append((after, 0))
            codec_events.append((after, 0))
    numbered_kinds = zip(numbers_of(kind_events), kinds, strict=True)
    numbered_codecs = zip(numbers_of(codec_events), codecs, strict=True)
    remains.kinds = {number: kind for number, kind in numbered_kinds if number is not None and kind is not None}
    remains.codecs = {number: codec for number, codec in numbered_codecs if number is not None and codec is not None}
    remains.blocks = [_with_needs(block, remains) for block in remains.blocks]
    _read_index(remains)
    return remains


def _is_new(remains: Remains, stretch: Stretch, seen: set[bytes]) -> bool:
    """Whether a chunk equals none before it; `seen` has the digests of those."""
    digest = hashlib.sha256(stretch.type + remains.payload(stretch)).digest()
    is_new = digest not in seen
    seen.add(digest)
    return is_new


def _require_archive(source: Source, found: Scan) -> None:
    """Raises FormatError, CorruptError."""
    is_signed = source.read_at(0, len(SIGNATURE)) == SIGNATURE
    whole = [stretch for stretch in found.stretches if stretch.type]
    if not whole and not is_signed:
        raise FormatError(f"{source.name}: not a compressnet archive, and no chunk of one is in it")
    if not whole:
        raise CorruptError(f"{source.name}: no chunk of it is whole, so nothing can be saved; look for another copy")
    for stretch in whole:
        if stretch.type == HEAD and (version := _payload(source, stretch)) != bytes([VERSION]):
            raise FormatError(f"{source.name}: version {version.hex()} of the format; this software reads {VERSION}")
        if is_critical(stretch.type) and stretch.type not in KNOWN:
            raise CorruptError(
                f"{source.name}: chunk {stretch.type.decode()} is unknown to this version, and has to be understood; "
                "use a newer version"
            )


def _payload(source: Source, stretch: Stretch) -> bytes:
    data = source.read_at(stretch.offset, stretch.end - stretch.offset)
    return unpack_chunk(data, f"{source.name}: chunk at byte {stretch.offset}")[1]


def _leave_out_others(remains: Remains) -> None:
    """Forget what follows the first archive, where others were put after it."""
    found = remains.scan
    for i, stretch in enumerate(found.stretches):
        if stretch.type == HEAD and any(before.type for before in found.stretches[:i]):
            remains.remarks.append(
                f"another archive begins before byte {stretch.offset}, and is left out: cut the file and repair it, too"
            )
            found.stretches = found.stretches[:i]
            break
    if found.stopped_at is not None:
        remains.remarks.append(
            f"from byte {found.stopped_at} on nothing was looked for, as too much looked like a chunk and was none"
        )


def _found_block(remains: Remains, stretch: Stretch) -> FoundBlock | None:
    """The block in a chunk; None, and noted, where none is."""
    try:
        block = unpack_block(remains.payload(stretch), f"the block at byte {stretch.offset}")
    except CorruptError as error:
        remains.remarks.append(str(error))
        return None
    return FoundBlock(stretch, block.images, block.kind, None if block.method in WITHOUT_CODEC else block.codec)


def _kind(remains: Remains, stretch: Stretch) -> Form | None:
    try:
        return unpack_kind(remains.payload(stretch), f"chunk KIND at byte {stretch.offset}")
    except CorruptError as error:
        remains.remarks.append(str(error))
        return None


def _codec(remains: Remains, stretch: Stretch) -> CodecEntry | None:
    payload = remains.payload(stretch)
    if stretch.type == PRIM:
        return primer_entry(payload)
    try:
        return unpack_codec(payload, f"chunk CODC at byte {stretch.offset}")
    except CorruptError as error:
        remains.remarks.append(str(error))
        return None


def _with_needs(block: FoundBlock, remains: Remains) -> FoundBlock:
    """The block, and why it cannot be read where what it needs is lost."""
    if block.kind not in remains.kinds:
        return replace(block, why_not=f"the shape of its images, kind {block.kind}, is lost")
    if block.codec is not None and block.codec not in remains.codecs:
        return replace(block, why_not=f"the codec or primer that it needs, number {block.codec}, is lost")
    return block


def _read_index(remains: Remains) -> None:
    """Take the index, where it is whole and what was found agrees with it."""
    found = remains.scan.of_type(INDX)
    if len(found) != 1:
        what = "there are several indexes" if found else "the index is lost"
        remains.remarks.append(f"{what}, so nobody knows which image was which")
        return
    try:
        index = unpack_index(remains.payload(found[0]), remains.source.total_bytes + MOVED_BYTES, "the index")
    except CorruptError as error:
        remains.remarks.append(f"{error}, so nobody knows which image was which")
        return
    places = [(block.at.offset, block.at.end - block.at.offset, block.images) for block in remains.blocks]
    gaps = [stretch.offset for stretch in remains.scan.damaged]
    numbers = match_blocks(index, found[0].offset, places, gaps)
    if numbers is None:
        remains.remarks.append(
            f"the index is of {index.images} images, but the blocks are not where it says, so nobody knows which image "
            "was which"
        )
        return
    remains.index, remains.numbers = index, numbers
