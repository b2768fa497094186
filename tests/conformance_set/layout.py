"""Archives laid out by hand, chunk by chunk, so that any of it may be wrong."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from compressnet.adaptive.model import AdaptiveSettings, Picture, PictureShape
from compressnet.adaptive.part import AdaptivePart, new_model
from compressnet.adaptive.primer import Primer, checksum_of, levels_of, pack_primer
from compressnet.codec.bundle import adaptive_bundle
from compressnet.codec.codec import Codec
from compressnet.codec.loading import make_backend, make_codec
from compressnet.coding.coder import Coder
from compressnet.container.block import Block, pack_block
from compressnet.container.entries import CodecEntry, pack_codec, pack_kind
from compressnet.images.alpha import has_alpha
from compressnet.images.forms import Form
from compressnet.wire import pack_varint

SIGNATURE = bytes.fromhex("89434E540D0A1A0A")
LEAST = AdaptiveSettings(table_bits=10, flags=1, bytes=1, histograms=0)
USUAL = AdaptiveSettings(table_bits=12, flags=0x1E, bytes=0x1FF, histograms=0x13ED)

Chunk = tuple[bytes, bytes]
"""Type and payload."""


def chunk(kind: bytes, payload: bytes) -> bytes:
    body = kind + len(payload).to_bytes(4, "big") + payload
    return body + zlib.crc32(body).to_bytes(4, "big")


def varints(*numbers: int) -> bytes:
    return b"".join(map(pack_varint, numbers))


@dataclass(kw_only=True)
class Layout:
    """An archive in its parts. Whatever is None is what it should be."""

    front: list[Chunk] = field(default_factory=list)
    """Between HEAD and the first block."""
    entries: list[tuple[bytes, bytes, int]] = field(default_factory=list)
    """From the first block on: type, payload, and images, 0 for no block."""
    extras: list[Chunk] = field(default_factory=list)
    """Between the last block and the index."""
    places: list[int] | None = None
    head: bytes = b"\x01"
    images: int | None = None
    listed: list[tuple[int, int]] | None = None
    """Bytes and images of each entry, as the index has them."""
    first_block: int | None = None
    extra_bytes: int | None = None
    order: int | None = None
    listed_places: bytes | None = None
    after_index: bytes = b""
    tail: int | None = None

    def data(self) -> bytes:
        data = SIGNATURE + chunk(b"HEAD", self.head) + b"".join(chunk(*each) for each in self.front)
        first_block = len(data)
        entries = [chunk(kind, payload) for kind, payload, _ in self.entries]
        extras = b"".join(chunk(*each) for each in self.extras)
        data += b"".join(entries) + extras
        listed = [(len(entry), images) for entry, (_, _, images) in zip(entries, self.entries, strict=True)]
        held = sum(images for _, images in listed) if self.places is None else len(self.places)
        listed = listed if self.listed is None else self.listed
        places = b"" if self.places is None else packed_places(self.places)
        index = varints(
            held if self.images is None else self.images,
            len(listed),
            first_block if self.first_block is None else self.first_block,
            len(extras) if self.extra_bytes is None else self.extra_bytes,
            int(self.places is not None) if self.order is None else self.order,
            *(number for pair in listed for number in pair),
        )
        index += places if self.listed_places is None else self.listed_places
        tail = len(data) if self.tail is None else self.tail
        return data + chunk(b"INDX", index + self.after_index) + chunk(b"TAIL", tail.to_bytes(8, "big"))


def packed_places(places: Sequence[int]) -> bytes:
    steps = np.diff(np.array([-1, *places], np.int64)) - 1
    return zlib.compress((steps % (1 << 32)).astype("<u4").tobytes(), 9)


def form_of(images: np.ndarray, *, grey: bool = False, opaque: bool = False) -> Form:
    return Form(shape=images.shape[1:], deep=images.dtype == np.uint16, grey=grey, opaque=opaque)


def kind(form: Form) -> Chunk:
    return b"KIND", pack_kind(form)


def codec_chunk(codec: Codec, method: int, embedded: bytes | None = None, encoding: int = 2) -> Chunk:
    identity = codec.bundle.identity_of(method)
    assert identity is not None
    return b"CODC", pack_codec(CodecEntry(identity=identity, name=codec.name, embedded=embedded, embedded_as=encoding))


def block(payload: bytes, images: int, **fields: int) -> tuple[bytes, bytes, int]:
    """A BLOK chunk; `fields` are those of `Block`, by default of a stored one of kind 0."""
    numbers = {"method": 0, "quality": 100, "kind": 0, "codec": 0} | fields
    return b"BLOK", pack_block(Block(images=images, payload=payload, **numbers)), images


def blocks(
    coder: Coder, images_NHWC: np.ndarray, most: int, kind: int = 0, codec: int = 0
) -> list[tuple[bytes, bytes, int]]:
    """Images as blocks of at most so many, by a coder."""
    counts = [min(most, len(images_NHWC) - first) for first in range(0, len(images_NHWC), most)]
    payloads = coder.write(coder.values_of(images_NHWC), counts)
    fields = {"method": coder.method, "quality": coder.quality, "kind": kind, "codec": codec}
    return [block(payload, count, **fields) for payload, count in zip(payloads, counts, strict=True)]


def primed(images: Sequence[np.ndarray], settings: AdaptiveSettings = USUAL, error: int = 0) -> tuple[Codec, Primer]:
    """A codec that has learned images (H,W,C): uint8 within an error, or uint16 exactly."""
    pictures = [_picture(image, error) for image in images]
    model = new_model(settings, sum(picture.shape.pixels for picture in pictures), make_backend(None, 1))
    payload, _ = model.learn_write(pictures) if pictures else (b"", [])
    primer = Primer(
        settings=settings,
        error=error,
        shapes=tuple(picture.shape for picture in pictures),
        checksum=checksum_of([picture.values_HWB for picture in pictures]),
        payload=payload,
    )
    part = AdaptivePart.of(pack_primer(primer), "the primer")
    return make_codec(adaptive_bundle(part), None, 1, "conformance"), primer


def _picture(image_HWC: np.ndarray, error: int) -> Picture:
    height, width, channels = image_HWC.shape
    deep = image_HWC.dtype == np.uint16
    coded = Form(shape=image_HWC.shape, deep=deep).coded(image_HWC[None])[0]
    if not deep:
        coded = levels_of(coded, error, with_alpha=has_alpha(channels))
    return Picture(coded, PictureShape(height=height, width=width, channels=channels, deep=deep))
