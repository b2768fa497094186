"""Archives from archives: `concat`, `subset`, `append`.

Blocks are copied as they are; no image is coded again.

Where a subset takes a part of a block, that part's symbols are entropy-coded anew, or its pixels
stored: they stay the same.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compressnet.archive.archive import Archive
from compressnet.archive.embedding import CodecEntries, resolve_codec
from compressnet.archive.selection import copy_blocks, copy_images
from compressnet.archive.writing.outcome import Written
from compressnet.archive.writing.router import Router
from compressnet.archive.writing.settings import BLOCK_IMAGES, Settings
from compressnet.codec.codec import Codec
from compressnet.codec.loading import load
from compressnet.codec.shipped import shipped_name
from compressnet.coding.coder import LOSSLESS_QUALITY, WITHOUT_CODEC
from compressnet.container.columns import Labels, as_labels, as_names
from compressnet.container.container import Container
from compressnet.container.entries import CodecEntry
from compressnet.container.sources import FileSource
from compressnet.container.writer import ContainerWriter
from compressnet.errors import CodecError, InputError
from compressnet.files import locked, open_target
from compressnet.images.kinds import Images

PathLike = str | os.PathLike[str]
Report = Callable[[int], None]


def concat(paths: Sequence[PathLike], output: PathLike, *, report: Report = lambda _: None) -> Written:
    """Write the images of several archives, one after the other, into a new one.

    `report` is told the images done.

    Images of an archive without names are named by their numbers where others have names. Raises
    InputError where only some archives have labels, or these differ in type; CodecError where the
    archives were made with different codecs.
    """
    with contextlib.ExitStack() as stack:
        parts = [stack.enter_context(Container(FileSource(Path(path)))) for path in paths]
        if not any(part.images for part in parts):
            raise InputError("there are no archives to put together, or no images in them")
        _require_same_codec(parts)
        labels = _joined_labels([(part.name, part.read_labels()) for part in parts])
        names = _joined_names([(part.read_names(), part.images) for part in parts])
        entries = sorted((entry for part in parts for entry in part.codecs), key=lambda entry: bool(entry.embedded))
        codecs = {entry.identity: entry for entry in entries}
        with open_target(Path(output)) as stream:
            writer = ContainerWriter(stream)
            places = np.concatenate([copy_blocks(part, writer, codecs, report) for part in parts])
            writer.finish(labels, names, places)
        return Written(images=len(places), archive_bytes=writer.bytes_written)


def append(
    path: PathLike,
    images: NDArray[np.uint8] | Iterable[NDArray[np.uint8]],
    *,
    codec: PathLike | Codec | None = None,
    quality: int | None = None,
    effort: int = 1,
    block_images: int = BLOCK_IMAGES,
    labels: Any = None,
    names: Sequence[str] | None = None,
    threads: int | None = None,
    report: Report = lambda _: None,
) -> Written:
    """Add images to the end of an archive, which is replaced when all went well.

    images, labels, names: as for `compressnet.compress`; labels are needed where the archive has
    some, and only there; images without names are named by their numbers where others have names.
    codec: the one that the archive was made with, where it does not ship with the package; what an
    archive embeds cannot encode, but for lossless codecs. quality: by default that of the
    archive's last block that is not stored. What is written tells of the new images, but for
    `images` and `archive_bytes`. Images that the codec has no network for are stored, but an error
    where the archive has one shape and none of them fits. Raises InputError, CodecError.
    """
    with locked(Path(path)) as require_unchanged, Container(FileSource(Path(path))) as old:
        loaded = _encoding_codec(codec, old, threads)
        settings = Settings(
            quality=_last_quality(old, loaded) if quality is None else quality,
            effort=effort,
            block_images=block_images,
            store_unknown=len(old.kinds) > 1 or not old.codecs,
        )
        entries = CodecEntries(loaded, None, old.codecs)
        arrays: Iterable[Images] = [images] if isinstance(images, np.ndarray) else images
        new_labels = None if labels is None else as_labels(labels)
        both_labels = _joined_labels([(str(path), old.read_labels()), ("the new images", new_labels)])
        new_names = None if names is None else as_names(names)
        with open_target(Path(path)) as stream:
            writer = ContainerWriter(stream)
            places = copy_blocks(old, writer, {codec.identity: codec for codec in old.codecs})
            router = Router(writer, loaded, settings, entries, report)
            for array in arrays:
                router.add(array[None] if array.ndim == 2 else array)
            if not router.images:
                raise InputError("there are no images to add")
            places = np.concatenate([places, router.finish()])
            both_names = _joined_names([(old.read_names(), old.images), (new_names, router.images)])
            writer.finish(both_labels, both_names, places)
            require_unchanged()
        return replace(router.written(), images=len(places))


def subset(
    archive: Archive,
    positions: slice | Sequence[int] | NDArray[Any],
    output: PathLike,
    *,
    report: Report = lambda _: None,
) -> Written:
    """Write some images of an open archive, in the order of `positions`, into a new one.

    positions: as `archive[positions]` takes them. Raises InputError where that selects nothing.
    """
    chosen = archive.positions(positions)
    if not len(chosen):
        raise InputError(f"{archive.name}: the selection is empty")
    labels, names = archive.labels, archive.names
    with open_target(Path(output)) as stream:
        writer = ContainerWriter(stream)
        places = copy_images(archive, chosen, writer, report)
        writer.finish(
            None if labels is None else labels[chosen],
            None if names is None else [names[int(position)] for position in chosen],
            places,
        )
    return Written(
        images=len(chosen), archive_bytes=writer.bytes_written, duplicates=len(chosen) - len(np.unique(places))
    )


def _require_same_codec(parts: Sequence[Container]) -> None:
    """Raises CodecError where an archive was made with another codec than one before.

    Archives of one codec may use different parts of it, but no two of one method.
    """
    if len({frozenset(entry.identity for entry in part.codecs) for part in parts if part.codecs}) <= 1:
        return
    known: dict[int, tuple[CodecEntry, str]] = {}
    for part in parts:
        blocks = (part.read_block(number) for number in range(len(part.blocks)))
        used = {block.method: part.codecs[block.codec] for block in blocks if block.method not in WITHOUT_CODEC}
        for method, entry in used.items():
            first, name = known.setdefault(method, (entry, part.name))
            if first.identity != entry.identity:
                raise CodecError(
                    f"{part.name}: made with another codec than {name} ({first.name} and {entry.name}); "
                    "decompress it and compress its images with the same codec first"
                )


def _joined_labels(parts: Sequence[tuple[str, Labels | None]]) -> Labels | None:
    """All labels one after the other.

    Raises InputError where some are missing or they differ in type.
    """
    present = [labels for _, labels in parts if labels is not None]
    if not present:
        return None
    without = [name for name, labels in parts if labels is None]
    if without:
        raise InputError(f"{without[0]}: has no labels, others have; give labels to all of them or to none")
    if len({labels.dtype.kind for labels in present}) > 1:
        raise InputError("some labels are integers and some are texts")
    return as_labels(np.concatenate(present))


def _joined_names(parts: Sequence[tuple[list[str] | None, int]]) -> list[str] | None:
    """All names one after the other, of parts of so many images.

    Images without any are named by their numbers.
    """
    if all(names is None for names, _ in parts):
        return None
    joined: list[str] = []
    for names, images in parts:
        joined += [str(len(joined) + i) for i in range(images)] if names is None else names
    return joined


def _last_quality(container: Container, codec: Codec) -> int:
    """The quality of the last block that has symbols.

    If none has, it is that of the last block that is not stored; if all are stored, the codec's
    own.

    An image coded without loss in an archive of another quality was smaller that way.
    """
    coded: int | None = None
    for number in reversed(range(len(container.blocks))):
        block = container.read_block(number)
        if block.method not in WITHOUT_CODEC:
            if block.quality != LOSSLESS_QUALITY:
                return block.quality
            coded = coded or block.quality
    return coded or codec.default_quality


def _encoding_codec(codec: PathLike | Codec | None, container: Container, threads: int | None) -> Codec:
    """The codec of an archive, with its encoder.

    It is the one given, a shipped one, or what is embedded where that is lossless and needs no
    encoder. Raises CodecError, and InputError where the archive has no codec and none is given.
    """
    if not container.codecs and codec is None:
        raise InputError(f"{container.name}: has no codec, as its images are stored; pass one with --codec")
    if codec is None:
        entry = container.codecs[0]
        shipped = shipped_name(entry.identity)
        embedded = shipped is None
        loaded = (
            resolve_codec(entry, None, container.name, "onnx", threads)
            if shipped is None
            else load(shipped, threads=threads)
        )
    else:
        embedded = False
        loaded = codec if isinstance(codec, Codec) else load(codec, threads=threads)
    missing = next((entry for entry in container.codecs if loaded.only(entry.identity) is None), None)
    if embedded and (missing or any(network.encoder is None for network in loaded.bundle.networks)):
        raise CodecError(f"{container.name}: the codec that it embeds has no encoder; pass its file with --codec")
    if missing is not None:
        raise CodecError(
            f"{container.name}: needs the codec of identity {missing.identity.hex()}, "
            f"but {loaded.source} is another one"
        )
    return loaded
