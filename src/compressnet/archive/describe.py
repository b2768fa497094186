"""What `compressnet info` shows of an archive or a codec, without running any network."""

from __future__ import annotations

import contextlib
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from compressnet.adaptive.primer import unpack_primer
from compressnet.archive.indexing import looks_of
from compressnet.archive.manifest import Manifest, read_manifest
from compressnet.archive.sharing import open_file
from compressnet.coding.coder import STORED
from compressnet.container.container import SIGNATURE, VERSION, Container
from compressnet.container.entries import EMBEDDED_PRIMER, CodecEntry
from compressnet.container.sources import open_source
from compressnet.limits import DEFAULT_LIMITS, Limits
from compressnet.remote import Url, located

if TYPE_CHECKING:
    from compressnet.codec.bundle import Bundle
    from compressnet.lossy.sizeless import AnyNetwork


def describe(name: str, limits: Limits = DEFAULT_LIMITS) -> dict[str, Any]:
    """A JSON document about an archive by path or URL, or a set, or a codec by path, URL or name.

    limits: as for `compressnet.open`. Raises CodecNotFoundError, FormatError.
    """
    path = located(name)
    if isinstance(path, Path) and path.is_dir():
        return _describe_set(path, read_manifest(path), limits)
    if path.suffix != ".codec" and (isinstance(path, Url) or path.is_file()):
        with contextlib.closing(open_source(path, whole=True)) as source:
            if source.read_at(0, len(SIGNATURE)) == SIGNATURE or path.suffix == ".cnet":
                return _describe_archive(Container(source, limits))
    return _describe_codec(name)


def _describe_archive(container: Container) -> dict[str, Any]:
    blocks = [container.read_block(i) for i in range(len(container.blocks))]
    labels, names = container.read_labels(), container.read_names()
    of_kind, duplicates = _counts(container)
    looks = looks_of(container.kinds)
    shape = looks[0].shape if len(looks) == 1 else ()
    total_bytes = container.source.total_bytes
    return {
        "file": container.name,
        "type": "archive",
        "format_version": VERSION,
        "images": container.images,
        "shape": [container.images, *shape],
        "kinds": [
            {
                "shape": list(form.shape),
                "bits": 8 * form.dtype.itemsize,
                "coded_channels": form.kept_channels,
                "images": count,
            }
            for form, count in zip(container.kinds, of_kind, strict=True)
        ],
        "duplicates": duplicates,
        "archive_bytes": total_bytes,
        "bytes_per_image": total_bytes / container.images if container.images else None,
        "blocks": len(blocks),
        "methods": dict(Counter(block.method_name for block in blocks)),
        "qualities": sorted({block.quality for block in blocks if block.method != STORED}),
        "stored_images": sum(block.images for block in blocks if block.method == STORED),
        "labels": None if labels is None else "texts" if labels.dtype == object else str(labels.dtype),
        "class_names": container.read_class_names(),
        "names": names is not None,
        "codecs": _described_codecs(container),
    }


def _describe_set(folder: Path, manifest: Manifest, limits: Limits) -> dict[str, Any]:
    """What the manifest says, and which codecs the first shard names."""
    look = manifest.look
    with open_file(folder / manifest.shards[0].file, limits=limits) as container:
        codecs = _described_codecs(container)
    return {
        "file": str(folder),
        "type": "set",
        "images": manifest.images,
        "shape": [manifest.images, *(() if look is None else look.shape)],
        "shards": len(manifest.shards),
        "archive_bytes": manifest.bytes,
        "bytes_per_image": manifest.bytes / manifest.images if manifest.images else None,
        "shared": [entry.file for entry in manifest.shared],
        "labels": manifest.labels,
        "class_names": None if manifest.class_names is None else list(manifest.class_names),
        "names": manifest.names,
        "codecs": codecs,
    }


def _described_codecs(container: Container) -> list[dict[str, Any]]:
    """The codecs that an archive names."""
    return [
        {
            "name": entry.name,
            "identity": entry.identity.hex(),
            "embedded_bytes": None if entry.embedded is None else len(entry.embedded),
        }
        | _described_primer(entry, container.name, container.limits)
        for entry in container.codecs
    ]


def _counts(container: Container) -> tuple[list[int], int]:
    """Images of each kind, and how many are the same as another one."""
    kinds = container.kinds_of(np.arange(len(container.blocks)))
    positions_N = container.positions_N
    if positions_N is None:
        counts, duplicates = container.blocks.counts, 0
    else:
        counts = np.bincount(container.blocks_of(positions_N.astype(np.int64)), minlength=len(kinds))
        duplicates = container.images - len(np.unique(positions_N))
    return [int(counts[kinds == kind].sum()) for kind in range(len(container.kinds))], duplicates


def _described_primer(entry: CodecEntry, name: str, limits: Limits) -> dict[str, Any]:
    """What a primer says: how many images it has, and how far values may be off."""
    if entry.embedded is None or entry.embedded_as != EMBEDDED_PRIMER:
        return {}
    primer = unpack_primer(entry.embedded, f"{name}: the primer", limits)
    return {"primer_images": len(primer.shapes), "max_error": primer.error}


def _describe_codec(name: str) -> dict[str, Any]:
    from compressnet.codec.shipped import find_codec, read_bundle  # an archive is described without

    path = find_codec(name)
    codec = read_bundle(name)
    return {
        "file": str(path),
        "type": "codec",
        "name": codec.name,
        "identity": codec.identity.hex(),
        "codec_bytes": path.file_bytes() if isinstance(path, Url) else path.stat().st_size,
        "embedded_bytes": _packed_bytes(codec, codec.lossy_identity),
        "lossless_embedded_bytes": _packed_bytes(codec, codec.lossless_identity),
        "default_quality": codec.default_quality,
        "about": codec.about,
        "networks": [_describe_network(network) for network in codec.networks],
        "lossless": [
            {"size": None if model.size is None else list(model.size), "channels": model.channels}
            for model in codec.pixels
        ],
        "lossless_identity": None if codec.lossless_identity is None else codec.lossless_identity.hex(),
    }


def _describe_network(network: AnyNetwork) -> dict[str, Any]:
    """A network; one for any size has neither a kind nor a number of symbols."""
    from compressnet.lossy.sizeless import SizelessNetwork  # an archive is described without

    qualities, has_encoder = list(network.qualities), network.encoder is not None
    if isinstance(network, SizelessNetwork):
        images = {"size": None, "channels": list(network.served), "tile_px": network.tile_px}
        return images | {"qualities": qualities, "encoder": has_encoder}
    return {"kind": list(network.kind), "qualities": qualities, "symbols": network.symbols, "encoder": has_encoder}


def _packed_bytes(codec: Bundle, identity: bytes | None) -> int | None:
    """What a part of a codec takes in an archive; None where there is none."""
    from compressnet.codec.packed import pack_bundle

    part = None if identity is None else codec.only(identity)
    return None if part is None else len(pack_bundle(part))
