"""How each block of an archive was coded, and so which coder reads it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from compressnet.adaptive.part import AdaptiveCoders, shape_of
from compressnet.codec.codec import Codec
from compressnet.coding.coder import ADAPTIVE, LOSSLESS_QUALITY, METHODS, WITHOUT_CODEC, Coder
from compressnet.coding.stored import StoredCoder
from compressnet.container.block import Block
from compressnet.container.container import Container
from compressnet.errors import CorruptError
from compressnet.threads import Lock

CODERS = {StoredCoder.method: StoredCoder}
"""What makes a coder for a kind, for each method of WITHOUT_CODEC."""


@dataclass(frozen=True, slots=True)
class Coding:
    """How a block was coded: by which coder, and what the archive calls its kind and codec."""

    coder: Coder
    kind: int
    codec: int


class Codings:
    """Finds coders for the blocks of a container; may be used by several threads."""

    def __init__(self, container: Container, codecs: Sequence[Codec]) -> None:
        self._container, self._codecs = container, codecs
        self._known: dict[tuple[int, int, int, int], Coding] = {}
        self._lock = Lock()

    def of(self, number: int, block: Block) -> Coding:
        """How a block was coded, the same object for blocks that were coded alike.

        Raises CorruptError, CodecRefusedError.
        """
        key = (block.method, block.quality, block.kind, block.codec)
        with self._lock:
            known = self._known.get(key)
        if known is None:
            coder = self._coder(f"{self._container.name}: block {number}", block)
            with self._lock:
                known = self._known.setdefault(key, Coding(coder, block.kind, block.codec))
        return known

    def _coder(self, what: str, block: Block) -> Coder:
        """The coder that a block needs.

        `what` names it. Raises CorruptError, CodecRefusedError.
        """
        form = self._container.kinds[block.kind]
        kind = form.kind
        if block.method in WITHOUT_CODEC:
            if block.quality != LOSSLESS_QUALITY:
                raise CorruptError(f"{what} is {block.method_name} and has the quality {block.quality}")
            return CODERS[block.method](kind)
        if form.deep and block.method != ADAPTIVE:
            raise CorruptError(f"{what} holds images of 16 bits in a way which this version does not read")
        codec = self._codecs[block.codec]
        coders = codec.coders(block.method)
        if coders is None and block.method in METHODS:
            raise CorruptError(
                f"{what} is {block.method_name}, but the codec {codec.name} has no {block.method_name} part"
            )
        if coders is None:
            raise CorruptError(
                f"{what} was coded by the method {block.method_name!r}, which this version does not read"
            )
        shape = shape_of(kind, deep=form.deep)
        adaptive = isinstance(coders, AdaptiveCoders)
        reason = coders.why_not_shape(shape, block.quality) if adaptive else coders.why_not(kind, block.quality)
        if reason is not None:
            raise CorruptError(f"{what}: {reason}")
        return codec.coder_of(coders, kind, block.quality, deep=form.deep)
