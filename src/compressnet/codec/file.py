"""The codec file, NAME.codec, to a `Bundle` and back: docs/FORMAT.md, "Codec file"."""

from __future__ import annotations

import json
from typing import Any

import safetensors.numpy

from compressnet.codec.bundle import Bundle, from_parts
from compressnet.coding.part import Tensors
from compressnet.errors import CorruptError, FormatError
from compressnet.lossy.part import LossyPart

VERSION = "1"


def to_bytes(bundle: Bundle, *, encoder: bool = True) -> bytes:
    """The codec file; without its encoder it is what an archive may embed."""
    document: dict[str, Any] = {
        "name": bundle.name,
        "default_quality": bundle.default_quality,
        "about": bundle.about,
        LossyPart.key: [],  # there in every codec file
    }
    tensors: Tensors = {}
    for part in bundle.parts:
        written = part if encoder else part.without_encoder()
        document[part.key] = written.entries()
        tensors |= written.tensors()
    metadata = {"compressnet": VERSION, "codec": json.dumps(document, separators=(",", ":"), sort_keys=True)}
    return _canonical(safetensors.numpy.save(tensors, metadata))


def _canonical(data: bytes) -> bytes:
    """The same file with its header's keys sorted: safetensors leaves their order to chance."""
    length = int.from_bytes(data[:8], "little")
    header = json.dumps(json.loads(data[8 : 8 + length]), separators=(",", ":"), sort_keys=True).encode()
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header + data[8 + length :]


def from_bytes(data: bytes, source: str) -> Bundle:
    """Parse and prove a codec file; `source` names it in errors.

    Raises FormatError for bytes that are no codec, CorruptError for a codec that is damaged or
    would not run exactly.
    """
    try:
        tensors: Tensors = safetensors.numpy.load(data)
        metadata = _metadata(data)
    except (safetensors.SafetensorError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise FormatError(f"{source}: not a compressnet codec, or a damaged one ({error})") from error
    if metadata.get("compressnet") != VERSION:
        raise FormatError(f"{source}: not a compressnet codec of version {VERSION}")
    try:
        document = json.loads(metadata["codec"])
    except (ValueError, KeyError, RecursionError) as error:
        raise CorruptError(f"{source}: the codec's networks cannot be read ({error!r})") from error
    return from_parts(document, tensors, source)


def _metadata(data: bytes) -> dict[str, str]:
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    return header.get("__metadata__", {})
