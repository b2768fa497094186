"""The codec file, NAME.codec, to a `Bundle` and back: docs/FORMAT.md, "Codec file"."""

from __future__ import annotations

import json

import safetensors.numpy

from compressnet.codec.bundle import PIXELS, Bundle, from_parts
from compressnet.errors import CorruptError, FormatError
from compressnet.lossless.arrays import PROBE, arrays_of, entry_of
from compressnet.lossy.arrays import Tensors, part_of, to_parts

VERSION = "1"


def to_bytes(bundle: Bundle, *, encoder: bool = True) -> bytes:
    """The codec file; without its encoder it is what an archive embeds."""
    networks, tensors = to_parts(bundle.networks)
    if not encoder:
        networks = [{key: value for key, value in network.items() if key != "encoder"} for network in networks]
        tensors = {name: array for name, array in tensors.items() if part_of(name) != "encoder"}
    document = {
        "name": bundle.name,
        "default_quality": bundle.default_quality,
        "about": bundle.about,
        "networks": networks,
    }
    if bundle.pixels:
        document["pixels"] = [entry_of(model) for model in bundle.pixels]
        for i, model in enumerate(bundle.pixels):
            tensors |= {f"{PIXELS}.{i}.{name}": array for name, array in arrays_of(model).items()}
            tensors[f"{PIXELS}.{i}.{PROBE}"] = model.probe
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

    Raises FormatError for bytes that are no codec, CorruptError for a codec that is damaged or would not run exactly.
    """
    try:
        tensors: Tensors = safetensors.numpy.load(data)
        metadata = _metadata(data)
    except (safetensors.SafetensorError, ValueError, KeyError, UnicodeDecodeError) as error:
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
