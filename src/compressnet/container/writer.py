"""Writes an archive's chunks from front to end, without seeking: to a file or a pipe.

A codec or a kind may follow blocks that do not need it, so neither has to be known before the
first image.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from compressnet.container.block import Block, pack_block
from compressnet.container.chunks import pack_chunk
from compressnet.container.columns import Labels, pack_class_names, pack_labels, pack_names
from compressnet.container.container import (
    BLOK,
    CLAS,
    CODC,
    HEAD,
    INDX,
    KIND,
    LABL,
    NAME,
    PRIM,
    SIGNATURE,
    TAIL,
    VERSION,
)
from compressnet.container.entries import EMBEDDED_PRIMER, CodecEntry, pack_codec, pack_kind
from compressnet.container.index import Index, pack_index
from compressnet.errors import InputError
from compressnet.images.forms import Form
from compressnet.limits import CODECS_LIMIT, KINDS_LIMIT, LISTED_IMAGES_LIMIT


class ContainerWriter:
    """Writes an archive from front to end.

    `finish` writes the index. Without it the file is no archive.
    """

    def __init__(self, stream: BinaryIO, codecs: Sequence[CodecEntry] = (), kinds: Sequence[Form] = ()) -> None:
        self._stream, self.bytes_written, self.images = stream, 0, 0
        self._entries: list[tuple[int, int]] = []
        self._codecs: dict[bytes, int] = {}
        self._kinds: dict[Form, int] = {}
        self._first_block: int | None = None
        self._write(SIGNATURE + pack_chunk(HEAD, bytes([VERSION])))
        for codec in codecs:
            self.codec_number(codec)
        for kind in kinds:
            self.kind_number(kind)

    def _write(self, data: bytes) -> None:
        self._stream.write(data)
        self.bytes_written += len(data)

    def _write_entry(self, chunk: bytes, images: int) -> None:
        """A chunk that the index lists, from the first block on."""
        self._write(chunk)
        if self._first_block is not None:
            self._entries.append((len(chunk), images))

    def has_codec(self, entry: CodecEntry) -> bool:
        """Whether a codec is written already."""
        return entry.identity in self._codecs

    def codec_number(self, entry: CodecEntry) -> int:
        """The number of a codec, which is written where it has none yet.

        Raises InputError for too many.
        """
        if entry.identity not in self._codecs:
            if len(self._codecs) >= CODECS_LIMIT:
                raise InputError(f"more than {CODECS_LIMIT} codecs in one archive; write several archives")
            self._codecs[entry.identity] = len(self._codecs)
            if entry.embedded is not None and entry.embedded_as == EMBEDDED_PRIMER:
                chunk = pack_chunk(PRIM, entry.embedded)
            else:
                chunk = pack_chunk(CODC, pack_codec(entry))
            self._write_entry(chunk, 0)
        return self._codecs[entry.identity]

    def kind_number(self, entry: Form) -> int:
        """The number of a kind, which is written where it has none yet.

        Raises InputError for too many.
        """
        if entry not in self._kinds:
            if len(self._kinds) >= KINDS_LIMIT:
                raise InputError(f"images of more than {KINDS_LIMIT} sizes in one archive; write several archives")
            self._kinds[entry] = len(self._kinds)
            self._write_entry(pack_chunk(KIND, pack_kind(entry)), 0)
        return self._kinds[entry]

    def add(self, block: Block) -> None:
        """Append a block."""
        if self._first_block is None:
            self._first_block = self.bytes_written
        self._write_entry(pack_chunk(BLOK, pack_block(block)), block.images)
        self.images += block.images

    def finish(
        self,
        labels: Labels | None,
        names: Sequence[str] | None = None,
        positions_N: NDArray[np.uint32] | None = None,
        class_names: Sequence[str] | None = None,
    ) -> None:
        """Write labels, names, index and tail.

        positions_N: of each image of the collection its place among those in the blocks, where
        these are not the same. class_names: what integer labels stand for. Raises InputError for
        labels or names of another number than images, and for names of classes without labels that
        are integers.
        """
        if positions_N is not None and np.array_equal(positions_N, np.arange(self.images, dtype=np.uint32)):
            positions_N = None
        images = self.images if positions_N is None else len(positions_N)
        if positions_N is not None and images > LISTED_IMAGES_LIMIT:
            raise InputError(
                f"{images} images, more than the {LISTED_IMAGES_LIMIT} that an archive of images of several sizes, or "
                "of equal images, may have; write several archives"
            )
        for noun, column in (("labels", labels), ("names", names)):
            if column is not None and len(column) != images:
                raise InputError(f"{len(column)} {noun} for {images} images; there has to be one for each image")
        if class_names is not None and (labels is None or labels.dtype.kind != "i"):
            raise InputError("names of classes go with labels that are integers; give such labels, or no names")
        extra = b"" if labels is None else pack_chunk(LABL, pack_labels(labels))
        extra += b"" if class_names is None else pack_chunk(CLAS, pack_class_names(class_names))
        extra += b"" if names is None else pack_chunk(NAME, pack_names(names))
        first_block = self.bytes_written if self._first_block is None else self._first_block
        self._write(extra)
        entries = np.array(self._entries, np.int64).reshape(-1, 2)
        index = Index(
            images=images,
            first_block=first_block,
            extra_bytes=len(extra),
            chunk_bytes_E=entries[:, 0],
            counts_E=entries[:, 1],
            positions_N=positions_N,
        )
        index_offset = self.bytes_written
        self._write(pack_chunk(INDX, pack_index(index)))
        self._write(pack_chunk(TAIL, index_offset.to_bytes(8, "big")))
