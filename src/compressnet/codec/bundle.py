"""A codec as data: what it is called, and its parts, proved.

A codec has up to two parts, of one method each: networks, which are lossy, and pixel models, which
are not. Each has an identity of its own, and an archive embeds the parts that it needs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from compressnet.adaptive.part import AdaptivePart
from compressnet.coding.coder import LOSSLESS, LOSSLESS_QUALITY, LOSSY
from compressnet.coding.part import Part, Tensors, whole_number
from compressnet.container.entries import PRIMER_NAME
from compressnet.errors import CorruptError
from compressnet.lossless.model import PixelModel
from compressnet.lossless.part import LosslessPart
from compressnet.lossy.part import LossyPart
from compressnet.lossy.sizeless import AnyNetwork

PARTS = (LossyPart, LosslessPart)
"""Every kind of part that a codec file has, in its order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A codec as data."""

    name: str
    default_quality: int
    about: str
    parts: tuple[LossyPart | LosslessPart | AdaptivePart, ...]
    """One of each method at most, at least one in all."""

    @property
    def identity(self) -> bytes:
        """The first part's: the lossy one's, where there is one."""
        return self.parts[0].identity

    @property
    def networks(self) -> tuple[AnyNetwork, ...]:
        """The networks of the lossy part; none where there is no such part."""
        return next((part.networks for part in self.parts if isinstance(part, LossyPart)), ())

    @property
    def pixels(self) -> tuple[PixelModel, ...]:
        """The models of the lossless part; none where there is no such part."""
        return next((part.models for part in self.parts if isinstance(part, LosslessPart)), ())

    @property
    def lossy_identity(self) -> bytes | None:
        """The lossy part's identity."""
        return self.identity_of(LOSSY)

    @property
    def lossless_identity(self) -> bytes | None:
        """The lossless part's identity."""
        return self.identity_of(LOSSLESS)

    def identity_of(self, method: int) -> bytes | None:
        """The identity of the part of a method; None where there is no such part."""
        return next((part.identity for part in self.parts if part.method == method), None)

    def part_at(self, quality: int) -> Part | None:
        """The part that codes at a quality; None where none does."""
        return next((part for part in self.parts if part.has_quality(quality)), None)

    def without_encoder(self) -> Bundle:
        """The same codec, of the same identity, without what only encoding needs."""
        return replace(self, parts=tuple(part.without_encoder() for part in self.parts))

    def only(self, identity: bytes) -> Bundle | None:
        """A codec of the part of an identity alone; None where no part has it."""
        for part in self.parts:
            if part.identity == identity and len(self.parts) == 1:
                return self
            if part.identity == identity:
                low, high = part.qualities
                quality = min(max(self.default_quality, low), high)
                return replace(self, parts=(part,), default_quality=quality)
        return None


def make_bundle(
    networks: tuple[AnyNetwork, ...],
    pixels: tuple[PixelModel, ...] = (),
    *,
    name: str,
    default_quality: int,
    about: str,
) -> Bundle:
    """A bundle of networks and pixel models, with its identities computed."""
    parts = (LossyPart.of(networks) if networks else None, LosslessPart.of(pixels) if pixels else None)
    return Bundle(
        name=name,
        default_quality=default_quality,
        about=about,
        parts=tuple(part for part in parts if part is not None),
    )


def adaptive_bundle(part: AdaptivePart) -> Bundle:
    """A bundle of a primer alone."""
    return Bundle(name=PRIMER_NAME, default_quality=LOSSLESS_QUALITY - part.primer.error, about="", parts=(part,))


def _text(value: Any) -> str:
    """A text from JSON, which may hold what UTF-8 has not. Raises CorruptError."""
    if not isinstance(value, str):
        raise CorruptError(f"{value!r} stands where a text should")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise CorruptError("it holds text that is not UTF-8") from error
    return value


def from_parts(document: Any, tensors: Tensors, source: str) -> Bundle:
    """A bundle from its JSON document and the tensors of all its parts, proved; `source` names it.

    Raises CorruptError for a codec that is damaged or would not run exactly.
    """
    try:
        read = tuple(part.read(document, tensors) for part in PARTS)
        bundle = Bundle(
            name=_text(document["name"]),
            default_quality=whole_number(document["default_quality"]),
            about=_text(document["about"]),
            parts=tuple(part for part in read if part is not None),
        )
        if not bundle.parts:
            raise CorruptError("it has no network")
        if not bundle.parts[0].has_quality(bundle.default_quality):
            raise CorruptError(f"none of its networks has its default quality, {bundle.default_quality}")
    except CorruptError as error:
        raise CorruptError(f"{source}: {error}") from error
    except (
        ValueError,
        KeyError,
        TypeError,
        IndexError,
        AttributeError,
        OverflowError,
        RecursionError,
    ) as error:
        raise CorruptError(f"{source}: the codec's networks cannot be read ({error!r})") from error
    return bundle
