"""The manifest of a set of archives: which files it has, in order, and what each holds.

    DIR/manifest.json    DIR/shared.cnet    DIR/shard-000000-5d0c….cnet, ...

It is written last: a folder without one is no set yet. docs/FORMAT.md, "Set of archives".
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from compressnet.archive.indexing import Look
from compressnet.archive.sharing import open_file
from compressnet.container.sources import FileSource
from compressnet.errors import CorruptError, FormatError, InputError
from compressnet.files import atomic_write
from compressnet.limits import IMAGES_LIMIT, SIDE_LIMIT_PX

MANIFEST_NAME = "manifest.json"
VERSION = 1
LABELS = (None, "integers", "texts")
_READ_BYTES = 1 << 24


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardEntry:
    """An archive of a set."""

    file: str
    images: int
    bytes: int
    sha256: str
    shape: tuple[int, ...] | None
    """(H,W) or (H,W,C) of its images; None where they have several shapes or types."""
    dtype: str
    """uint8; uint16 where some images have 16 bits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileEntry:
    """A file of a set that is no archive of images: what the archives share."""

    file: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a set of archives is made of."""

    shards: tuple[ShardEntry, ...]
    shared: tuple[FileEntry, ...]
    labels: str | None
    """`integers` or `texts`, or None where images have no labels."""
    class_names: tuple[str, ...] | None
    names: bool
    made: dict[str, Any]
    """How it was made: inputs and settings, for those who read the manifest, and for a rerun."""

    @property
    def images(self) -> int:
        """Of all archives."""
        return sum(shard.images for shard in self.shards)

    @property
    def bytes(self) -> int:
        """Of all files but the manifest."""
        return sum(entry.bytes for entry in (*self.shards, *self.shared))

    @property
    def look(self) -> Look | None:
        """The shape and type of all images; None where there are several."""
        (shape, dtype), *others = {(shard.shape, shard.dtype) for shard in self.shards}
        return None if others or shape is None else Look(shape, np.dtype(dtype))


def digest_of(path: Path) -> str:
    """SHA-256 of a file, in hex. Raises InputError."""
    source = FileSource(path)
    digest = hashlib.sha256()
    for offset in range(0, source.total_bytes, _READ_BYTES):
        digest.update(source.read_at(offset, _READ_BYTES))
    source.close()
    return digest.hexdigest()


def shard_entry(path: Path) -> ShardEntry:
    """What a manifest says of an archive. Raises InputError, FormatError, CorruptError."""
    with open_file(path) as container:
        looks = dict.fromkeys((form.shape, form.dtype.name) for form in container.kinds)
        dtype = np.result_type(*(np.dtype(name) for _, name in looks)).name if looks else "uint8"
        return ShardEntry(
            file=path.name,
            images=container.images,
            bytes=container.source.total_bytes,
            sha256=digest_of(path),
            shape=next(iter(looks))[0] if len(looks) == 1 else None,
            dtype=dtype,
        )


def file_entry(path: Path) -> FileEntry:
    """What a manifest says of a file that archives share. Raises InputError."""
    return FileEntry(file=path.name, bytes=path.stat().st_size, sha256=digest_of(path))


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest of a folder, whole or not at all."""
    document = {"compressnet_set": VERSION, "images": manifest.images, **asdict(manifest)}
    atomic_write(folder / MANIFEST_NAME, (json.dumps(document, indent=1) + "\n").encode())


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a folder.

    Raises InputError where it has none, FormatError for another version, CorruptError where it is
    damaged.
    """
    path = folder / MANIFEST_NAME
    try:
        document = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise InputError(
            f"{folder}: a folder without {MANIFEST_NAME}, so no set of archives, or one that is not finished; "
            "run the command that writes it once more"
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise CorruptError(f"{path}: cannot be read as a manifest ({error})") from error
    if not isinstance(document, dict) or document.get("compressnet_set") != VERSION:
        raise FormatError(f"{path}: not a compressnet manifest of version {VERSION}")
    try:
        return _manifest(document)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise CorruptError(f"{path}: is damaged ({error!r})") from error


def _manifest(document: dict[str, Any]) -> Manifest:
    """Raises what Python raises for a document that is none."""
    class_names = document["class_names"]
    manifest = Manifest(
        shards=tuple(_shard(entry) for entry in document["shards"]),
        shared=tuple(
            FileEntry(file=_file(entry["file"]), bytes=_count(entry["bytes"]), sha256=str(entry["sha256"]))
            for entry in document["shared"]
        ),
        labels=_one_of(document["labels"], LABELS),
        class_names=None if class_names is None else tuple(map(str, class_names)),
        names=bool(document["names"]),
        made=dict(document["made"]),
    )
    if not manifest.shards or manifest.images != document["images"] or manifest.images > IMAGES_LIMIT:
        raise ValueError(f"{document['images']} images promised, {manifest.images} in its shards")
    return manifest


def _shard(entry: dict[str, Any]) -> ShardEntry:
    shape = None if entry["shape"] is None else tuple(map(_count, entry["shape"]))
    if shape is not None and not (len(shape) in (2, 3) and all(1 <= side <= SIDE_LIMIT_PX for side in shape)):
        raise ValueError(f"a shape of {shape}")
    return ShardEntry(
        file=_file(entry["file"]),
        images=_count(entry["images"]),
        bytes=_count(entry["bytes"]),
        sha256=str(entry["sha256"]),
        shape=shape,
        dtype=str(_one_of(entry["dtype"], ("uint8", "uint16"))),
    )


def _file(name: Any) -> str:
    """A name within the folder: a manifest leads to no other one."""
    if not isinstance(name, str) or name != Path(name).name or name in ("", ".", "..") or "\\" in name or "\0" in name:
        raise ValueError(f"a file called {name!r}")
    return name


def _count(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{value!r} in place of a number")
    return value


def _one_of(value: Any, known: Sequence[str | None]) -> str | None:
    if value not in known:
        raise ValueError(f"{value!r} in place of one of {known}")
    return value
